import { type Kysely, sql } from "kysely";
import type { Tables } from "./tables.ts";

export type RunStream = "history" | "events" | "output";

/** Lines of a run's stream that lie together in a file. */
export interface RunChunk {
  readonly runId: string;
  readonly stream: RunStream;
  /** Number of its first line, from 0; below 0 for what a fork has of its parent. */
  readonly firstLine: number;
  readonly lineCount: number;
  /** Of the `_step` of its lines; null where lines have none. */
  readonly minStep: number | null;
  readonly maxStep: number | null;
  readonly file: string;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** Rows of one statement: nine values each, and databases take some thousands. */
const INSERT_ROWS = 500;

const COUNTERS = { history: "historyLines", events: "eventsLines", output: "outputLines" } as const;

/** Keeps the stream as it is until the transaction ends, if it still has as many lines as the writer saw. */
export async function lockRunStream(
  db: Kysely<Tables>,
  of: { readonly runId: string; readonly stream: RunStream },
  seen: number,
): Promise<boolean> {
  const counter = COUNTERS[of.stream];
  const { numUpdatedRows } = await db
    .updateTable("runs")
    .set({ [counter]: seen })
    .where("id", "=", of.runId)
    .where(counter, "=", seen)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Makes the lines of a file count, and the stream as long as `lines`. The stream must be locked. */
export async function addRunChunk(
  db: Kysely<Tables>,
  chunk: RunChunk,
  lines: number,
  values: { readonly historyKeys?: string; readonly systemMetrics?: string } = {},
): Promise<void> {
  await db.insertInto("runChunks").values(chunk).execute();
  await db
    .updateTable("runs")
    .set({ [COUNTERS[chunk.stream]]: lines, ...values })
    .where("id", "=", chunk.runId)
    .execute();
}

/** Puts before a fork's own history, which has not begun, what it has of its parent. The stream must be locked. */
export async function addChunksBefore(
  db: Kysely<Tables>,
  runId: string,
  chunks: readonly RunChunk[],
  historyKeys: string,
): Promise<void> {
  for (let at = 0; at < chunks.length; at += INSERT_ROWS)
    await db
      .insertInto("runChunks")
      .values(chunks.slice(at, at + INSERT_ROWS))
      .execute();
  await db.updateTable("runs").set({ historyKeys }).where("id", "=", runId).execute();
}

/** Forgets the lines of a stream from a number on. A chunk that begins before it keeps its first lines. The stream must be locked. */
export async function cutRunStream(
  db: Kysely<Tables>,
  of: { readonly runId: string; readonly stream: RunStream },
  lines: number,
  historyKeys?: string,
): Promise<void> {
  const chunks = db.deleteFrom("runChunks").where("runId", "=", of.runId).where("stream", "=", of.stream);
  await chunks.where("firstLine", ">=", lines).execute();
  await db
    .updateTable("runChunks")
    .set({ lineCount: sql<number>`${lines} - first_line` })
    .where("runId", "=", of.runId)
    .where("stream", "=", of.stream)
    .where(sql<boolean>`first_line + line_count > ${lines}`)
    .execute();
  await db
    .updateTable("runs")
    .set({ [COUNTERS[of.stream]]: Math.max(0, lines), ...(historyKeys === undefined ? {} : { historyKeys }) })
    .where("id", "=", of.runId)
    .execute();
}

export interface RunChunkFilter {
  readonly runId: string;
  readonly stream: RunStream;
  /** Chunks with lines from this number on and before that one. */
  readonly fromLine?: number;
  readonly beforeLine?: number;
  /** Chunks that may have rows with a `_step` from this on and below that. */
  readonly minStep?: number;
  readonly maxStep?: number;
}

/** In the order of their lines; of chunks with the same lines the later one, whose lines count, comes later. */
export async function listRunChunks(db: Kysely<Tables>, filter: RunChunkFilter): Promise<readonly RunChunk[]> {
  let query = db
    .selectFrom("runChunks")
    .select(["runId", "stream", "firstLine", "lineCount", "minStep", "maxStep", "file", "byteOffset", "byteLength"])
    .where("runId", "=", filter.runId)
    .where("stream", "=", filter.stream);
  if (filter.fromLine !== undefined) query = query.where(sql<boolean>`first_line + line_count > ${filter.fromLine}`);
  if (filter.beforeLine !== undefined) query = query.where("firstLine", "<", filter.beforeLine);
  if (filter.minStep !== undefined) query = query.where("maxStep", ">=", filter.minStep);
  if (filter.maxStep !== undefined) query = query.where("minStep", "<", filter.maxStep);
  const ordered = filter.stream === "output" ? query.orderBy("id") : query.orderBy("firstLine").orderBy("id");
  return (await ordered.execute()) as RunChunk[];
}
