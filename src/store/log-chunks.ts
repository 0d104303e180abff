import { type Kysely, sql } from "kysely";
import type { LogCursorRecord } from "./records.ts";
import type { Tables } from "./tables.ts";

export interface LogStreamKey {
  readonly itemId: string;
  readonly attempt: number;
  readonly node: string;
  readonly stream: string;
}

export async function logCursor(db: Kysely<Tables>, key: LogStreamKey): Promise<string> {
  const row = await db
    .selectFrom("logCursors")
    .select("cursor")
    .where("itemId", "=", key.itemId)
    .where("attempt", "=", key.attempt)
    .where("node", "=", key.node)
    .where("stream", "=", key.stream)
    .executeTakeFirst();
  return row?.cursor ?? "";
}

export async function logCursors(
  db: Kysely<Tables>,
  itemId: string,
  attempt: number,
): Promise<readonly LogCursorRecord[]> {
  return db
    .selectFrom("logCursors")
    .select(["node", "stream", "cursor"])
    .where("itemId", "=", itemId)
    .where("attempt", "=", attempt)
    .orderBy("node")
    .orderBy("stream")
    .execute();
}

/** Moves a stream's cursor on if it stands where the writer thinks; this is what makes each line count once. */
export async function moveLogCursor(db: Kysely<Tables>, key: LogStreamKey, from: string, to: string): Promise<boolean> {
  if (from === "") {
    const begun = await db
      .insertInto("logCursors")
      .values({ ...key, cursor: to })
      .onConflict((conflict) => conflict.columns(["itemId", "attempt", "node", "stream"]).doNothing())
      .returning("cursor")
      .executeTakeFirst();
    return begun !== undefined;
  }
  const moved = await db
    .updateTable("logCursors")
    .set({ cursor: to })
    .where("itemId", "=", key.itemId)
    .where("attempt", "=", key.attempt)
    .where("node", "=", key.node)
    .where("stream", "=", key.stream)
    .where("cursor", "=", from)
    .executeTakeFirst();
  return moved.numUpdatedRows === 1n;
}

export interface LogChunk {
  readonly itemId: string;
  readonly attempt: number;
  readonly node: string;
  /** Index of its first line over the item's life. */
  readonly firstIndex: number;
  readonly lineCount: number;
  readonly file: string;
  readonly byteOffset: number;
  readonly byteLength: number;
}

export async function insertLogChunk(db: Kysely<Tables>, chunk: LogChunk): Promise<void> {
  await db.insertInto("logChunks").values(chunk).execute();
}

/** Chunks with lines above `after` in order, or (`last`) from the newest back. */
export async function listLogChunks(
  db: Kysely<Tables>,
  filter: { itemId: string; node?: string | null; attempt?: number | null; limit: number } & (
    | { after: number }
    | { before: number }
  ),
): Promise<readonly LogChunk[]> {
  let query = db.selectFrom("logChunks").selectAll().where("itemId", "=", filter.itemId).limit(filter.limit);
  if (filter.node != null) query = query.where("node", "=", filter.node);
  if (filter.attempt != null) query = query.where("attempt", "=", filter.attempt);
  query =
    "after" in filter
      ? query.where(sql<boolean>`first_index + line_count - 1 > ${filter.after}`).orderBy("firstIndex")
      : query.where("firstIndex", "<", filter.before).orderBy("firstIndex", "desc");
  return query.execute();
}
