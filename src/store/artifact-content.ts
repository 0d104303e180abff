import type { Kysely } from "kysely";
import type { Tables } from "./tables.ts";

/** A file that a version names: its content is the project's blob of this digest (base64 of the MD5), or lies elsewhere. */
export interface ArtifactFileRecord {
  readonly artifactId: string;
  readonly name: string;
  /** Empty for a reference: what another place calls its state must never be taken for a content of ours. */
  readonly digest: string;
  readonly size: number;
  readonly projectId: string;
  /** Where a reference leads. */
  readonly ref: string | null;
}

/** A file of a version and where the file store has its content; null for a reference. */
export interface StoredArtifactFile extends ArtifactFileRecord {
  readonly file: string | null;
}

export interface ArtifactBlobRecord {
  readonly projectId: string;
  readonly digest: string;
  /** Where the file store has it. */
  readonly file: string;
  readonly size: number;
  /** When it was last stored or promised to somebody, in milliseconds. */
  readonly usedAt: number;
}

export interface ArtifactManifestRecord {
  readonly id: string;
  readonly artifactId: string;
  /** base64 of the MD5 of its bytes; empty while it is not known. */
  readonly digest: string;
  readonly kind: string;
  /** The version that its entries are added to, for one that is not FULL. */
  readonly baseId: string | null;
  readonly received: number;
  readonly createdAt: number;
}

/** Rows in one statement: below what either database takes as parameters. */
const ROWS = 500;
/** Rows that are looked through at once. */
const PAGE = 5000;

export async function insertFiles(db: Kysely<Tables>, files: readonly ArtifactFileRecord[]): Promise<void> {
  for (let at = 0; at < files.length; at += ROWS) {
    await db
      .insertInto("artifactFiles")
      .values(files.slice(at, at + ROWS))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** By name, those behind `after`; of `names` alone where they are given. */
export async function listFiles(
  db: Kysely<Tables>,
  query: {
    readonly artifactId: string;
    readonly names: readonly string[] | null;
    readonly after: string | null;
    readonly limit: number;
  },
): Promise<readonly StoredArtifactFile[]> {
  let page = db
    .selectFrom("artifactFiles as f")
    .leftJoin("artifactBlobs as b", (join) =>
      join.onRef("b.projectId", "=", "f.projectId").onRef("b.digest", "=", "f.digest"),
    )
    .selectAll("f")
    .select("b.file")
    .where("f.artifactId", "=", query.artifactId)
    .where((e) => e.or([e("b.file", "is not", null), e("f.ref", "is not", null)]));
  if (query.names !== null) page = page.where("f.name", "in", query.names.length === 0 ? [""] : query.names);
  if (query.after !== null) page = page.where("f.name", ">", query.after);
  return page.orderBy("f.name").limit(query.limit).execute();
}

export async function hasFileOfDigest(db: Kysely<Tables>, artifactId: string, digest: string): Promise<boolean> {
  const row = await db
    .selectFrom("artifactFiles")
    .select("name")
    .where("artifactId", "=", artifactId)
    .where("digest", "=", digest)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Whether these, by path, are all the files of a version, and no more. */
export async function hasExactly(
  db: Kysely<Tables>,
  artifactId: string,
  files: ReadonlyMap<string, Pick<ArtifactFileRecord, "digest" | "ref">>,
): Promise<boolean> {
  let after: string | undefined;
  let seen = 0;
  for (;;) {
    let query = db.selectFrom("artifactFiles").select(["name", "digest", "ref"]).where("artifactId", "=", artifactId);
    if (after !== undefined) query = query.where("name", ">", after);
    const rows = await query.orderBy("name").limit(PAGE).execute();
    for (const { name, digest, ref } of rows) {
      const file = files.get(name);
      if (file?.digest !== digest || file.ref !== ref) return false;
    }
    seen += rows.length;
    if (rows.length < PAGE) return seen === files.size;
    after = rows.at(-1)?.name;
  }
}

/** Which of these contents some of the versions name: those given by id, and those that the run has made or used. */
export async function digestsOfArtifacts(
  db: Kysely<Tables>,
  of: { readonly artifactIds: readonly string[]; readonly runId: string },
  digests: readonly string[],
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (let at = 0; at < digests.length; at += ROWS) {
    const rows = await db
      .selectFrom("artifactFiles as f")
      .select("f.digest")
      .distinct()
      .where("f.digest", "in", digests.slice(at, at + ROWS))
      .where((e) =>
        e.or([
          e("f.artifactId", "in", of.artifactIds.length === 0 ? [""] : of.artifactIds),
          e(
            "f.artifactId",
            "in",
            e
              .selectFrom("artifactRuns as r")
              .select("r.artifactId")
              .where("r.runId", "=", of.runId)
              .where("r.direction", "=", "output"),
          ),
        ]),
      )
      .execute();
    for (const { digest } of rows) found.add(digest);
  }
  return found;
}

/** Which of these contents the project has; all that it has are kept for a while from `now` on. */
export async function useBlobs(
  db: Kysely<Tables>,
  projectId: string,
  digests: readonly string[],
  now: number,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (let at = 0; at < digests.length; at += ROWS) {
    const rows = await db
      .updateTable("artifactBlobs")
      .set({ usedAt: now })
      .where("projectId", "=", projectId)
      .where("digest", "in", digests.slice(at, at + ROWS))
      .returning("digest")
      .execute();
    for (const { digest } of rows) found.add(digest);
  }
  return found;
}

export async function findBlob(
  db: Kysely<Tables>,
  projectId: string,
  digest: string,
): Promise<ArtifactBlobRecord | undefined> {
  const query = db.selectFrom("artifactBlobs").selectAll().where("projectId", "=", projectId);
  return query.where("digest", "=", digest).executeTakeFirst();
}

/** The project's content: this one, or that which it has already and which is kept for a while from `usedAt` on. */
export async function insertBlob(db: Kysely<Tables>, blob: ArtifactBlobRecord): Promise<ArtifactBlobRecord> {
  const { usedAt } = blob;
  return db
    .insertInto("artifactBlobs")
    .values(blob)
    .onConflict((conflict) => conflict.columns(["projectId", "digest"]).doUpdateSet({ usedAt }))
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Contents that no version names and nobody has asked for since, a hundred at most. */
export async function unusedBlobs(db: Kysely<Tables>, before: number): Promise<readonly ArtifactBlobRecord[]> {
  return db
    .selectFrom("artifactBlobs as b")
    .selectAll("b")
    .where("b.usedAt", "<", before)
    .where((e) =>
      e.not(
        e.exists(
          e
            .selectFrom("artifactFiles as f")
            .select("f.name")
            .whereRef("f.projectId", "=", "b.projectId")
            .whereRef("f.digest", "=", "b.digest"),
        ),
      ),
    )
    .limit(100)
    .execute();
}

/** Forgets a content that is still as old as it was; false if somebody has asked for it in between. */
export async function deleteBlob(db: Kysely<Tables>, blob: ArtifactBlobRecord): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom("artifactBlobs")
    .where("projectId", "=", blob.projectId)
    .where("digest", "=", blob.digest)
    .where("usedAt", "=", blob.usedAt)
    .executeTakeFirst();
  return numDeletedRows === 1n;
}

export async function insertManifest(db: Kysely<Tables>, manifest: ArtifactManifestRecord): Promise<void> {
  await db.insertInto("artifactManifests").values(manifest).execute();
}

export async function findManifest(db: Kysely<Tables>, id: string): Promise<ArtifactManifestRecord | undefined> {
  return db.selectFrom("artifactManifests").selectAll().where("id", "=", id).executeTakeFirst();
}

export async function setManifestDigest(db: Kysely<Tables>, id: string, digest: string): Promise<void> {
  await db.updateTable("artifactManifests").set({ digest, received: 0 }).where("id", "=", id).execute();
}

export async function setManifestReceived(db: Kysely<Tables>, id: string, digest: string): Promise<void> {
  const query = db.updateTable("artifactManifests").set({ received: 1 }).where("id", "=", id);
  await query.where("digest", "=", digest).execute();
}

/** Those whose bytes have arrived, oldest first. */
export async function receivedManifests(
  db: Kysely<Tables>,
  artifactId: string,
): Promise<readonly ArtifactManifestRecord[]> {
  const query = db.selectFrom("artifactManifests").selectAll().where("artifactId", "=", artifactId);
  return query.where("received", "=", 1).orderBy("id").execute();
}

export async function deleteManifests(db: Kysely<Tables>, artifactIds: readonly string[]): Promise<readonly string[]> {
  if (artifactIds.length === 0) return [];
  const query = db.deleteFrom("artifactManifests").where("artifactId", "in", artifactIds);
  return (await query.returning("id").execute()).map(({ id }) => id);
}
