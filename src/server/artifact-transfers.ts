import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { Clock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { findBlob, hasFileOfDigest, insertBlob, setManifestReceived, useBlobs } from "../store/artifact-content.ts";
import type { Database } from "../store/database.ts";
import { type FileStore, FileTooLarge } from "../store/files.ts";
import type { NewId } from "../store/ids.ts";
import { notFound } from "./services/artifacts/access.ts";
import { manifestFile } from "./services/artifacts/manifest.ts";
import type { Principal } from "./services/principal.ts";
import type { Services } from "./services/services.ts";
import type { SignedUrls } from "./signed-urls.ts";

export interface UploadPart {
  readonly partNumber: number;
  readonly hexMD5: string;
}

export interface ArtifactUpload {
  readonly artifactId: string;
  /** Hex of the content's MD5; names the content in completeMultipart. */
  readonly storagePath: string;
  /** Null: the content is here already. */
  readonly uploadUrl: string | null;
  readonly parts: readonly { readonly partNumber: number; readonly uploadUrl: string }[] | null;
}

/** The bytes of artifacts: addresses that carry their own credential, and what comes and goes by them. */
export interface ArtifactTransfers {
  /** In the order of the files. A content (base64 of its MD5) that the project has already is not asked for again. */
  createUploads(
    viewer: Principal,
    files: readonly {
      readonly artifactId: string;
      readonly md5: string;
      readonly parts: readonly UploadPart[] | null;
    }[],
    baseUrl: string,
  ): Promise<readonly ArtifactUpload[]>;
  manifestUpload(manifest: { readonly id: string; readonly digest: string }, baseUrl: string): string;
  /** Puts the parts together. ARTIFACT_INCOMPLETE if one is not there or the whole has another MD5. */
  completeMultipart(
    viewer: Principal,
    of: { readonly artifactId: string; readonly storagePath: string; readonly parts: readonly UploadPart[] },
  ): Promise<{ readonly digest: string }>;
  /** Where to fetch a file's content. */
  contentUrl(of: { readonly file: string; readonly name: string }, baseUrl: string): Promise<string>;
  manifestUrl(manifestId: string, baseUrl: string): Promise<string>;
  /** Stores what was sent to an address. UPLOAD_URL_INVALID, BODY_TOO_LARGE, REQUEST_INVALID for another MD5. */
  receive(
    address: { readonly token: string; readonly expires: string; readonly signature: string },
    body: Readable,
  ): Promise<{ readonly size: number; readonly md5: string }>;
  /** The content with this MD5 (hex) of a version. ARTIFACT_NOT_FOUND. */
  openContent(viewer: Principal, artifactId: string, hexMD5: string): Promise<StoredBytes>;
}

export interface StoredBytes {
  readonly size: number;
  stream(range?: { readonly start: number; readonly end: number }): Readable;
}

type Target =
  | readonly ["blob", projectId: string, digest: string]
  | readonly ["part", projectId: string, hex: string, partNumber: number, partHex: string]
  | readonly ["manifest", manifestId: string, digest: string];

export interface ArtifactTransferDeps {
  readonly services: Pick<Services, "artifacts">;
  readonly database: Database;
  readonly files: FileStore;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly signedUrls: SignedUrls;
  readonly maxBytes: number;
}

const HEX = /^[0-9a-f]{32}$/;
const hexOf = (base64: string) => Buffer.from(base64, "base64").toString("hex");
const base64Of = (hex: string) => Buffer.from(hex, "hex").toString("base64");
const partFile = (projectId: string, hex: string, part: number | string) =>
  `artifacts/parts/${projectId}/${hex}/${part}`;

export function createArtifactTransfers(deps: ArtifactTransferDeps): ArtifactTransfers {
  const { services, database, files, clock, newId, signedUrls, maxBytes } = deps;
  const { kysely } = database;

  function url(baseUrl: string, target: Target): string {
    return signedUrls.artifactUrl({ token: Buffer.from(JSON.stringify(target)).toString("base64url"), baseUrl });
  }

  function targetOf({ token, expires, signature }: { token: string; expires: string; signature: string }): Target {
    signedUrls.check("artifact", { path: token, expires, signature });
    return JSON.parse(Buffer.from(token, "base64url").toString("utf8")) as Target;
  }

  /** Stores bytes that must have this MD5 (hex). */
  async function store(path: string, body: Readable, hex: string): Promise<number> {
    const hash = createHash("md5");
    async function* hashed() {
      for await (const chunk of body) {
        hash.update(chunk as Buffer);
        yield chunk as Buffer;
      }
    }
    try {
      const { size } = await files.put(path, Readable.from(hashed(), { objectMode: false }), {
        limit: maxBytes,
        check: () => {
          const found = hash.digest("hex");
          if (found === hex) return;
          const problem = `What arrived has the MD5 ${found} and not ${hex}: it was cut off, or changed while it was sent`;
          throw new SlipwayError("REQUEST_INVALID", { values: { problem } });
        },
      });
      return size;
    } catch (error) {
      if (!(error instanceof FileTooLarge)) throw error;
      const values = { limit: maxBytes, setting: "SLIPWAY_FILE_MAX_BYTES" };
      throw new SlipwayError("BODY_TOO_LARGE", { values, cause: error });
    }
  }

  /** Stores a content of a project; when another has brought it meanwhile, that one stays. */
  async function storeBlob(projectId: string, digest: string, body: Readable): Promise<number> {
    const file = `artifacts/blobs/${projectId}/${newId()}`;
    const size = await store(file, body, hexOf(digest));
    if (!(await insertBlob(kysely, { projectId, digest, file, size, usedAt: clock.now() }))) await files.remove(file);
    return size;
  }

  async function openBlob(projectId: string, digest: string): Promise<StoredBytes> {
    const blob = await findBlob(kysely, projectId, digest);
    if (!blob) throw notFound(`content ${hexOf(digest)}`);
    return { size: blob.size, stream: (range) => files.stream(blob.file, range) };
  }

  return {
    async createUploads(viewer, wanted, baseUrl) {
      const artifacts = new Map<string, string>();
      for (const { artifactId } of wanted) {
        if (artifacts.has(artifactId)) continue;
        artifacts.set(artifactId, (await services.artifacts.mustWrite(viewer, artifactId)).projectId);
      }
      const there = new Map<string, ReadonlySet<string>>();
      for (const projectId of new Set(artifacts.values())) {
        const digests = wanted.filter((file) => artifacts.get(file.artifactId) === projectId).map((file) => file.md5);
        there.set(projectId, await useBlobs(kysely, projectId, [...new Set(digests)], clock.now()));
      }
      return wanted.map(({ artifactId, md5, parts }) => {
        const projectId = artifacts.get(artifactId) ?? "";
        const hex = hexOf(md5);
        if (!HEX.test(hex)) {
          const problem = `${md5} is not base64 of an MD5`;
          throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "artifactFiles" });
        }
        const known = there.get(projectId)?.has(md5);
        const uploadUrl = known ? null : url(baseUrl, ["blob", projectId, md5]);
        const urls =
          known || !parts || parts.length === 0
            ? null
            : parts.map(({ partNumber, hexMD5 }) => ({
                partNumber,
                uploadUrl: url(baseUrl, ["part", projectId, hex, partNumber, hexMD5]),
              }));
        return { artifactId, storagePath: hex, uploadUrl, parts: urls };
      });
    },

    manifestUpload: ({ id, digest }, baseUrl) => url(baseUrl, ["manifest", id, digest]),
    contentUrl: ({ file, name }, baseUrl) =>
      signedUrls.downloadUrl({ path: file, baseUrl, name: name.split("/").at(-1) ?? name }),
    manifestUrl: (id, baseUrl) =>
      signedUrls.downloadUrl({ path: manifestFile(id), baseUrl, name: "wandb_manifest.json" }),

    async completeMultipart(viewer, { artifactId, storagePath, parts }) {
      const { projectId, collectionName: name } = await services.artifacts.mustWrite(viewer, artifactId);
      const refuse = (problem: string) => new SlipwayError("ARTIFACT_INCOMPLETE", { values: { name, problem } });
      if (!HEX.test(storagePath)) throw refuse(`${storagePath} is not the storage path of a file of it`);
      const digest = base64Of(storagePath);
      if ((await useBlobs(kysely, projectId, [digest], clock.now())).size > 0) return { digest };
      const ordered = parts.toSorted((a, b) => a.partNumber - b.partNumber);
      for (const { partNumber } of ordered) {
        if ((await files.size(partFile(projectId, storagePath, partNumber))) === undefined) {
          throw refuse(`part ${partNumber} of a file did not arrive`);
        }
      }
      async function* whole() {
        for (const { partNumber } of ordered) yield* files.stream(partFile(projectId, storagePath, partNumber));
      }
      await storeBlob(projectId, digest, Readable.from(whole(), { objectMode: false }));
      await files.remove(`artifacts/parts/${projectId}/${storagePath}`);
      return { digest };
    },

    async receive(address, body) {
      const target = targetOf(address);
      switch (target[0]) {
        case "blob":
          return { size: await storeBlob(target[1], target[2], body), md5: hexOf(target[2]) };
        case "part":
          return { size: await store(partFile(target[1], target[2], target[3]), body, target[4]), md5: target[4] };
        case "manifest": {
          const size = await store(manifestFile(target[1]), body, hexOf(target[2]));
          await setManifestReceived(kysely, target[1], target[2]);
          return { size, md5: hexOf(target[2]) };
        }
      }
    },

    async openContent(viewer, artifactId, hexMD5) {
      const artifact = await services.artifacts.get(viewer, artifactId);
      const digest = base64Of(hexMD5);
      if (!artifact || !(await hasFileOfDigest(kysely, artifact.id, digest))) throw notFound(`content ${hexMD5}`);
      return openBlob(artifact.projectId, digest);
    },
  };
}
