import { type Kysely, sql } from "kysely";
import type { Tables } from "./tables.ts";

/** A content that somebody was given an address for. */
export interface ArtifactUploadRecord {
  readonly projectId: string;
  /** base64 of the MD5. */
  readonly digest: string;
  /** The run whose key asked; empty for people. */
  readonly owner: string;
  /** Where it comes to in the file store, its parts under `FILE.parts`. */
  readonly file: string;
  /** Of the upload in parts that the store has begun. */
  readonly uploadId: string | null;
  /** 1: it has come from this owner. */
  readonly arrived: number;
  /** When it was last asked for, in milliseconds. */
  readonly askedAt: number;
}

type Key = Pick<ArtifactUploadRecord, "projectId" | "digest" | "owner">;

/** Rows in one statement: below what either database takes as parameters. */
const ROWS = 500;

/** Notes that addresses are given out. An upload that was begun goes on: its row stays, but for the time. */
export async function expectUploads(
  db: Kysely<Tables>,
  uploads: readonly Omit<ArtifactUploadRecord, "uploadId" | "arrived">[],
): Promise<readonly ArtifactUploadRecord[]> {
  const rows: ArtifactUploadRecord[] = [];
  for (let at = 0; at < uploads.length; at += ROWS) {
    const values = uploads.slice(at, at + ROWS).map((upload) => ({ ...upload, uploadId: null, arrived: 0 }));
    const made = await db
      .insertInto("artifactUploads")
      .values(values)
      .onConflict((conflict) =>
        conflict.columns(["projectId", "digest", "owner"]).doUpdateSet({
          askedAt: (e) => e.ref("excluded.askedAt"),
          // It came once and is gone again.
          file: sql`CASE WHEN artifact_uploads.arrived = 1 THEN excluded.file ELSE artifact_uploads.file END`,
          uploadId: sql`CASE WHEN artifact_uploads.arrived = 1 THEN NULL ELSE artifact_uploads.upload_id END`,
        }),
      )
      .returningAll()
      .execute();
    rows.push(...made);
  }
  return rows;
}

/** Those that are expected, kept from now on for as long as ones that are asked for now: they are being looked at. */
export async function touchUploads(
  db: Kysely<Tables>,
  of: { readonly projectId: string; readonly owner: string; readonly digests: readonly string[] },
  now: number,
): Promise<readonly ArtifactUploadRecord[]> {
  const rows: ArtifactUploadRecord[] = [];
  for (let at = 0; at < of.digests.length; at += ROWS) {
    const update = db.updateTable("artifactUploads").set({ askedAt: now }).where("projectId", "=", of.projectId);
    const some = update.where("owner", "=", of.owner).where("digest", "in", of.digests.slice(at, at + ROWS));
    rows.push(...(await some.returningAll().execute()));
  }
  return rows;
}

export async function findUploads(
  db: Kysely<Tables>,
  of: { readonly projectId: string; readonly owner: string; readonly digests: readonly string[] },
): Promise<readonly ArtifactUploadRecord[]> {
  const rows: ArtifactUploadRecord[] = [];
  for (let at = 0; at < of.digests.length; at += ROWS) {
    const query = db.selectFrom("artifactUploads").selectAll().where("projectId", "=", of.projectId);
    const some = query.where("owner", "=", of.owner).where("digest", "in", of.digests.slice(at, at + ROWS));
    rows.push(...(await some.execute()));
  }
  return rows;
}

const one = (key: Key) =>
  sql<boolean>`project_id = ${key.projectId} AND digest = ${key.digest} AND owner = ${key.owner}`;

/** Keeps the id of an upload in parts in place of `before`; false if there is another by now. */
export async function setUploadId(
  db: Kysely<Tables>,
  key: Key,
  uploadId: string | null,
  before: string | null,
): Promise<boolean> {
  const update = db.updateTable("artifactUploads").set({ uploadId }).where(one(key));
  const guarded = before === null ? update.where("uploadId", "is", null) : update.where("uploadId", "=", before);
  return (await guarded.executeTakeFirst()).numUpdatedRows === 1n;
}

/** The content has come, whole and with its MD5. */
export async function setUploadArrived(db: Kysely<Tables>, key: Key): Promise<void> {
  await db.updateTable("artifactUploads").set({ arrived: 1 }).where(one(key)).execute();
}

/** Those that were last asked for before, a hundred at most. */
export async function oldUploads(db: Kysely<Tables>, before: number): Promise<readonly ArtifactUploadRecord[]> {
  const query = db.selectFrom("artifactUploads").selectAll().where("askedAt", "<", before);
  return query.orderBy("askedAt").limit(100).execute();
}

/** Forgets an upload that is still as old as it was. */
export async function deleteUpload(db: Kysely<Tables>, upload: ArtifactUploadRecord): Promise<boolean> {
  const deleted = await db
    .deleteFrom("artifactUploads")
    .where(one(upload))
    .where("askedAt", "=", upload.askedAt)
    .executeTakeFirst();
  return deleted.numDeletedRows === 1n;
}
