import type { Database } from "libsql";
import type { Clock } from "../../core/clock.ts";
import { digestOf } from "./blob-store.ts";
import { digestMismatch, invalidParameter, layersNotFound, referencedImagesNotFound, tagImmutable } from "./errors.ts";
import { isForeignLayer, type ParsedManifest, parseManifest } from "./manifest.ts";
import { TAG } from "./names.ts";
import { type Repository, tagIsImmutable } from "./repositories.ts";
import { blobSize } from "./uploads.ts";

/** A manifest in a repository: an image, an index of images or another artifact. */
export interface StoredImage {
  readonly digest: string;
  readonly mediaType: string;
  readonly artifactMediaType: string | undefined;
  readonly subject: string | undefined;
  readonly tags: readonly string[];
  /** Bytes of config and layers as stored; undefined for an index, as in ECR. */
  readonly imageSize: number | undefined;
  /** Milliseconds since 1970. */
  readonly pushedAt: number;
  readonly pulledAt: number | undefined;
}

/** What a person or a client names an image by. */
export interface ImageId {
  readonly digest?: string | undefined;
  readonly tag?: string | undefined;
}

export interface PutImageInput {
  readonly content: Buffer;
  readonly mediaType?: string | undefined;
  readonly tag?: string | undefined;
  /** What the sender believes the digest to be. */
  readonly digest?: string | undefined;
}

export interface Images {
  /**
   * Stores a manifest and its tag. `created` is false when the same image had the same tag already. Throws LayersNotFoundException,
   * ReferencedImagesNotFoundException, ImageTagAlreadyExistsException (immutable), ImageDigestDoesNotMatchException, InvalidParameterException.
   */
  put(repository: Repository, input: PutImageInput): { readonly image: StoredImage; readonly created: boolean };
  /** By digest, or by tag, or by both when they agree. */
  find(repository: Repository, id: ImageId): StoredImage | undefined;
  content(repository: Repository, digest: string): Buffer;
  /** All images of the repository, oldest first. */
  list(repository: Repository): StoredImage[];
  /** Tags in their order. */
  tags(repository: Repository): string[];
  /** Takes one tag away; the image goes with its last one, as BatchDeleteImage does. */
  untag(repository: Repository, tag: string): void;
  /** Removes an image with all its tags. */
  delete(repository: Repository, digest: string): void;
  /** Digests of the indexes that hold this image. */
  indexesOf(repository: Repository, digest: string): string[];
  /** Notes a pull (`lastRecordedPullTime`). */
  pulled(repository: Repository, digest: string): void;
}

interface Row {
  digest: string;
  media_type: string;
  artifact_media_type: string | null;
  subject: string | null;
  image_size: number | null;
  pushed_at: number;
  pulled_at: number | null;
}

const COLUMNS = "digest, media_type, artifact_media_type, subject, image_size, pushed_at, pulled_at";

export function createImages(db: Database, clock: Clock): Images {
  const tagsOf = (repository: Repository, digest: string) =>
    (
      db
        .prepare("SELECT tag FROM ecr_tags WHERE repository_id = ? AND digest = ? ORDER BY tag")
        .all(repository.id, digest) as { tag: string }[]
    ).map(({ tag }) => tag);

  const byDigest = (repository: Repository, digest: string): StoredImage | undefined => {
    const row = db
      .prepare(`SELECT ${COLUMNS} FROM ecr_manifests WHERE repository_id = ? AND digest = ?`)
      .get(repository.id, digest) as Row | undefined;
    return row && fromRow(row, tagsOf(repository, digest));
  };

  const digestOfTag = (repository: Repository, tag: string) =>
    (
      db.prepare("SELECT digest FROM ecr_tags WHERE repository_id = ? AND tag = ?").get(repository.id, tag) as
        | { digest: string }
        | undefined
    )?.digest;

  const remove = (repository: Repository, digest: string) => {
    for (const table of ["ecr_tags", "ecr_manifest_references", "ecr_manifests"])
      db.prepare(`DELETE FROM ${table} WHERE repository_id = ? AND digest = ?`).run(repository.id, digest);
  };

  function checkReferences(repository: Repository, manifest: ParsedManifest): void {
    const blobs = [...(manifest.config ? [manifest.config] : []), ...manifest.layers.filter((l) => !isForeignLayer(l))];
    const missing = blobs.filter(({ digest }) => blobSize(db, repository.id, digest) === undefined);
    if (missing.length > 0)
      throw layersNotFound(
        missing.map(({ digest }) => digest),
        repository.name,
      );
    const absent = manifest.manifests.filter(({ digest }) => byDigest(repository, digest) === undefined);
    if (absent.length > 0)
      throw referencedImagesNotFound(
        absent.map(({ digest }) => digest),
        repository.name,
      );
  }

  function insert(repository: Repository, digest: string, manifest: ParsedManifest, content: Buffer): void {
    const blobs = manifest.config ? [manifest.config, ...manifest.layers] : [];
    const sizes = blobs.map((blob) => blobSize(db, repository.id, blob.digest) ?? 0);
    db.prepare(
      `INSERT INTO ecr_manifests (repository_id, digest, media_type, artifact_media_type, subject, content, image_size, pushed_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      repository.id,
      digest,
      manifest.mediaType,
      manifest.artifactMediaType ?? null,
      manifest.subject ?? null,
      content,
      manifest.index ? null : sizes.reduce((sum, size) => sum + size, 0),
      clock.now(),
    );
    const reference = db.prepare(
      "INSERT INTO ecr_manifest_references (repository_id, digest, kind, target) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    );
    for (const blob of blobs) reference.run(repository.id, digest, "blob", blob.digest);
    for (const child of manifest.manifests) reference.run(repository.id, digest, "manifest", child.digest);
  }

  return {
    put: (repository, input) => {
      const digest = digestOf(input.content);
      if (input.digest !== undefined && input.digest !== digest) throw digestMismatch(input.digest, digest);
      const { tag } = input;
      if (tag !== undefined) checkTag(tag);
      const manifest = parseManifest(input.content, input.mediaType);
      return db.transaction(() => {
        const tagged = tag === undefined ? undefined : digestOfTag(repository, tag);
        if (tag !== undefined && tagged !== undefined && tagged !== digest && tagIsImmutable(repository, tag))
          throw tagImmutable(tag, repository.name);
        const known = byDigest(repository, digest) !== undefined;
        if (!known) {
          checkReferences(repository, manifest);
          insert(repository, digest, manifest, input.content);
        }
        if (tag !== undefined)
          db.prepare(
            "INSERT INTO ecr_tags (repository_id, tag, digest) VALUES (?, ?, ?) ON CONFLICT (repository_id, tag) DO UPDATE SET digest = excluded.digest",
          ).run(repository.id, tag, digest);
        return { image: byDigest(repository, digest)!, created: !known || (tag !== undefined && tagged !== digest) };
      })();
    },

    find: (repository, { digest, tag }) => {
      const tagged = tag === undefined ? undefined : digestOfTag(repository, tag);
      if (tag !== undefined && tagged === undefined) return undefined;
      if (digest !== undefined && tagged !== undefined && tagged !== digest) return undefined;
      const wanted = digest ?? tagged;
      return wanted === undefined ? undefined : byDigest(repository, wanted);
    },

    content: (repository, digest) => {
      const row = db
        .prepare("SELECT content FROM ecr_manifests WHERE repository_id = ? AND digest = ?")
        .get(repository.id, digest) as { content: Uint8Array };
      return Buffer.from(row.content);
    },

    list: (repository) => {
      const tags = new Map<string, string[]>();
      const tagRows = db
        .prepare("SELECT tag, digest FROM ecr_tags WHERE repository_id = ? ORDER BY tag")
        .all(repository.id) as { tag: string; digest: string }[];
      for (const { tag, digest } of tagRows) tags.set(digest, [...(tags.get(digest) ?? []), tag]);
      const rows = db
        .prepare(`SELECT ${COLUMNS} FROM ecr_manifests WHERE repository_id = ? ORDER BY pushed_at, digest`)
        .all(repository.id) as Row[];
      return rows.map((row) => fromRow(row, tags.get(row.digest) ?? []));
    },

    tags: (repository) =>
      (
        db.prepare("SELECT tag FROM ecr_tags WHERE repository_id = ? ORDER BY tag").all(repository.id) as {
          tag: string;
        }[]
      ).map(({ tag }) => tag),

    untag: (repository, tag) =>
      db.transaction(() => {
        const digest = digestOfTag(repository, tag);
        if (digest === undefined) return;
        db.prepare("DELETE FROM ecr_tags WHERE repository_id = ? AND tag = ?").run(repository.id, tag);
        if (tagsOf(repository, digest).length === 0) remove(repository, digest);
      })(),

    delete: (repository, digest) => db.transaction(() => remove(repository, digest))(),

    indexesOf: (repository, digest) =>
      (
        db
          .prepare(
            "SELECT digest FROM ecr_manifest_references WHERE repository_id = ? AND target = ? AND kind = 'manifest'",
          )
          .all(repository.id, digest) as { digest: string }[]
      ).map((row) => row.digest),

    pulled: (repository, digest) => {
      db.prepare("UPDATE ecr_manifests SET pulled_at = ? WHERE repository_id = ? AND digest = ?").run(
        clock.now(),
        repository.id,
        digest,
      );
    },
  };
}

function checkTag(tag: string): void {
  if (!TAG.test(tag))
    throw invalidParameter("imageTag", `must satisfy regular expression '${TAG.source.slice(1, -1)}'`);
}

function fromRow(row: Row, tags: readonly string[]): StoredImage {
  return {
    digest: row.digest,
    mediaType: row.media_type,
    artifactMediaType: row.artifact_media_type ?? undefined,
    subject: row.subject ?? undefined,
    tags,
    imageSize: row.image_size ?? undefined,
    pushedAt: row.pushed_at,
    pulledAt: row.pulled_at ?? undefined,
  };
}
