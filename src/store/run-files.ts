import { type Kysely, sql } from "kysely";
import type { Tables } from "./tables.ts";

export interface RunFileRecord {
  readonly runId: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** base64; null where the store does not tell it. */
  readonly md5: string | null;
  /** Milliseconds. */
  readonly updatedAt: number;
}

/** A name that an address was given out for, which may still be used. */
export interface OpenRunFile {
  readonly runId: string;
  readonly name: string;
  /** When the last address was given out, in milliseconds. */
  readonly askedAt: number;
}

/** Addresses are given out for these names: files may come there, or come anew. */
export async function expectRunFiles(
  db: Kysely<Tables>,
  runId: string,
  names: readonly string[],
  now: number,
): Promise<void> {
  if (names.length === 0) return;
  await db
    .insertInto("runFiles")
    .values(names.map((name) => ({ runId, name, size: null, md5: null, askedAt: now, final: 0, updatedAt: now })))
    .onConflict((conflict) => conflict.columns(["runId", "name"]).doUpdateSet({ askedAt: now, final: 0 }))
    .execute();
}

/** A file is there. An md5 of null leaves the known one as it is. A name that is forgotten stays so. */
export async function saveRunFile(db: Kysely<Tables>, file: RunFileRecord): Promise<void> {
  const { runId, name, size, md5, updatedAt } = file;
  await db
    .updateTable("runFiles")
    .set({ size, updatedAt, ...(md5 === null ? {} : { md5 }) })
    .where("runId", "=", runId)
    .where("name", "=", name)
    .execute();
}

/** What was kept under a name is there no more; a file may come anew while an address is good. */
export async function emptyRunFile(
  db: Kysely<Tables>,
  { runId, name }: Pick<OpenRunFile, "runId" | "name">,
): Promise<void> {
  await db
    .updateTable("runFiles")
    .set({ size: null, md5: null })
    .where("runId", "=", runId)
    .where("name", "=", name)
    .execute();
}

/** The ones that were asked for longest ago first. */
export async function listOpenRunFiles(
  db: Kysely<Tables>,
  of: { readonly runId?: string; readonly askedBefore?: number },
  limit: number,
): Promise<readonly OpenRunFile[]> {
  let query = db.selectFrom("runFiles").select(["runId", "name", "askedAt"]).where("final", "=", 0);
  if (of.runId !== undefined) query = query.where("runId", "=", of.runId);
  if (of.askedBefore !== undefined) query = query.where("askedAt", "<", of.askedBefore);
  return query.orderBy("askedAt").orderBy("name").limit(limit).execute();
}

/** No address is good any more: what has arrived stays, a name that no file came for is forgotten. Not if one was given out since. */
export async function closeRunFile(db: Kysely<Tables>, { runId, name, askedAt }: OpenRunFile): Promise<void> {
  await db
    .deleteFrom("runFiles")
    .where("runId", "=", runId)
    .where("name", "=", name)
    .where("askedAt", "=", askedAt)
    .where("size", "is", null)
    .execute();
  await db
    .updateTable("runFiles")
    .set({ final: 1 })
    .where("runId", "=", runId)
    .where("name", "=", name)
    .where("askedAt", "=", askedAt)
    .execute();
}

export interface RunFileFilter {
  readonly runId: string;
  readonly names?: readonly string[];
  /** With % and _ as LIKE has them; case counts or not as the database has it. */
  readonly pattern?: string;
  /** The name before the first. */
  readonly after?: string;
}

/** Those that have arrived, by name. */
export async function listRunFiles(
  db: Kysely<Tables>,
  filter: RunFileFilter,
  limit: number,
): Promise<readonly RunFileRecord[]> {
  let query = db
    .selectFrom("runFiles")
    .select(["runId", "name", "size", "md5", "updatedAt"])
    .where("runId", "=", filter.runId)
    .where("size", "is not", null);
  if (filter.names) query = query.where("name", "in", filter.names);
  if (filter.pattern !== undefined) query = query.where(sql<boolean>`name LIKE ${filter.pattern} ESCAPE '\\'`);
  if (filter.after !== undefined) query = query.where("name", ">", filter.after);
  const rows = await query.orderBy("name").limit(limit).execute();
  return rows.map((row) => ({ ...row, size: row.size ?? 0 }));
}

export async function countRunFiles(db: Kysely<Tables>, runId: string): Promise<number> {
  const row = await db
    .selectFrom("runFiles")
    .select((e) => e.fn.countAll<number>().as("count"))
    .where("runId", "=", runId)
    .where("size", "is not", null)
    .executeTakeFirst();
  return Number(row?.count ?? 0);
}

/** Answers whether it was there. */
export async function deleteRunFile(db: Kysely<Tables>, runId: string, name: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom("runFiles")
    .where("runId", "=", runId)
    .where("name", "=", name)
    .executeTakeFirst();
  return numDeletedRows === 1n;
}
