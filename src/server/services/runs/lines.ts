import type { JsonObject } from "../../../core/json.ts";
import { parseLooseJson } from "../../../core/loose-json.ts";
import { addToHistoryKeys, type HistoryKeys, NO_HISTORY } from "../../../core/runs/history-keys.ts";
import type { FileStore } from "../../../store/files.ts";
import { listRunChunks, type RunChunk, type RunChunkFilter } from "../../../store/run-chunks.ts";
import type { ServiceContext } from "../context.ts";

type Readers = Pick<ServiceContext, "database" | "files">;

/** A line of a run's stream and its number: its own from 0 on; a fork's history begins with its parent's, below 0. */
export interface NumberedLine {
  readonly number: number;
  readonly text: string;
}

/** Everything of a run that lies in the file store; goes as a whole when the run is deleted. */
export const runDirectory = (runId: string) => `runs/${runId}`;

/**
 * The lines of a stream in order, a chunk in memory at a time. Of lines that were sent again under their old number (a
 * console's) the caller sees each version, the one that counts last.
 */
export async function* readRunLines(
  { database, files }: Readers,
  filter: RunChunkFilter,
): AsyncGenerator<readonly NumberedLine[]> {
  const { fromLine = Number.NEGATIVE_INFINITY, beforeLine = Number.POSITIVE_INFINITY } = filter;
  for (const chunk of await listRunChunks(database.kysely, filter)) {
    const lines = await linesOf(files, chunk);
    yield lines.filter(({ number }) => number >= fromLine && number < beforeLine);
  }
}

async function linesOf(files: FileStore, chunk: RunChunk): Promise<NumberedLine[]> {
  const bytes = await files.read(chunk.file, chunk.byteOffset, chunk.byteLength);
  const lines = bytes.toString("utf8").split("\n");
  // A chunk that was cut has more lines in its file than count.
  return lines.slice(0, chunk.lineCount).map((text, place) => ({ number: chunk.firstLine + place, text }));
}

/** A row of history or system metrics; a line that is no JSON object is an empty row. */
export function rowOf(text: string): JsonObject {
  const value = parseLooseJson(text);
  return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as JsonObject) : {};
}

/** What the first lines of a history hold. */
export async function historyKeysBefore(readers: Readers, runId: string, line: number): Promise<HistoryKeys> {
  let keys = NO_HISTORY;
  for await (const lines of readRunLines(readers, { runId, stream: "history", beforeLine: line }))
    keys = addToHistoryKeys(
      keys,
      lines.map(({ text }) => rowOf(text)),
    );
  return keys;
}
