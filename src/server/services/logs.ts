import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { isSettled } from "../../core/items/item-states.ts";
import type { Tx } from "../../store/database.ts";
import type { FileStore } from "../../store/files.ts";
import { randomText } from "../../store/ids.ts";
import { reserveLogLines } from "../../store/items.ts";
import {
  insertLogChunk,
  type LogChunk,
  type LogStreamKey,
  listLogChunks,
  logCursor,
  moveLogCursor,
} from "../../store/log-chunks.ts";
import type { ItemRecord, LogCursorRecord, LogLineRecord } from "../../store/records.ts";
import type { ServiceContext } from "./context.ts";
import { changeableItem, staleLease, visibleItem } from "./items/shared.ts";
import type { LeaseRef } from "./items.ts";
import type { Principal } from "./principal.ts";

export interface LogStreamAppend {
  readonly node: string;
  readonly stream: string;
  /** The stored cursor, "" at first. */
  readonly from: string;
  readonly to: string;
  readonly lines: readonly { readonly at: number; readonly text: string }[];
}

export interface LogPage {
  readonly lines: readonly LogLineRecord[];
  /** Pass as `after` to go on: the highest index that has been looked at, -1 at first. */
  readonly next: number;
  /** No line will follow. */
  readonly complete: boolean;
}

export interface LogFilter {
  readonly node?: string | null;
  readonly attempt?: number | null;
}

/** Log lines of items' nodes: exactly once, and on disk before they are acknowledged. */
export interface LogsService {
  /** A stream whose `from` is not the stored cursor is not stored; the answer tells the stored cursor of each stream. */
  append(
    principal: Principal,
    input: { readonly lease: LeaseRef; readonly streams: readonly LogStreamAppend[] },
  ): Promise<readonly LogCursorRecord[]>;
  /** Lines with an index above `after` (absent or -1: from the start). */
  read(
    principal: Principal,
    itemId: string,
    page: LogFilter & { readonly after?: number | null; readonly first?: number | null },
  ): Promise<LogPage>;
  /** The last lines, oldest first. */
  tail(principal: Principal, itemId: string, page: LogFilter & { readonly last: number }): Promise<LogPage>;
}

const PAGE = 1_000;
const MAX_PAGE = 10_000;
/** Of one line, in characters: CloudWatch's own limit is 256 KiB an event. */
const MAX_LINE = 262_144;
const MAX_LINES_PER_CALL = 20_000;
const CHUNKS_PER_LOOK = 64;

/** Where an item's lines lie; goes as a whole when the item is deleted. */
export function logDirectory(itemId: string): string {
  return `logs/${itemId}`;
}

interface Written {
  readonly stream: LogStreamAppend;
  readonly file: string;
  readonly byteOffset: number;
  readonly byteLength: number;
}

export function createLogsService(context: ServiceContext): LogsService {
  const { database, files, clock, random } = context;
  const { kysely } = database;
  // Server processes that share a directory must not append to one file: each has its own.
  const writer = randomText(random, 8);

  /** First the bytes, synced; then the row that makes them count. Bytes whose row does not come about are never read. */
  async function write(itemId: string, stream: LogStreamAppend): Promise<Written> {
    const text = stream.lines.map((line) => `${JSON.stringify([line.at, line.text.slice(0, MAX_LINE)])}\n`).join("");
    const bytes = Buffer.from(text);
    const file = `${logDirectory(itemId)}/${writer}.jsonl`;
    const byteOffset = bytes.length === 0 ? 0 : await files.append(file, bytes);
    return { stream, file, byteOffset, byteLength: bytes.length };
  }

  async function count(tx: Tx, lease: LeaseRef, written: readonly Written[]): Promise<readonly LogCursorRecord[]> {
    const guard = { id: lease.itemId, attempt: lease.attempt, fencingToken: lease.fencingToken };
    const cursors: LogCursorRecord[] = [];
    let range: { item: ItemRecord; from: number; to: number } | undefined;
    for (const { stream, ...bytes } of written) {
      const key = keyOf(lease, stream);
      const moved = await moveLogCursor(tx.kysely, key, stream.from, stream.to);
      cursors.push({
        node: stream.node,
        stream: stream.stream,
        cursor: moved ? stream.to : await logCursor(tx.kysely, key),
      });
      const lines = moved ? stream.lines.length : 0;
      // Also asked for no lines at all: the lease must be held.
      const reserved = await reserveLogLines(tx.kysely, guard, lines);
      if (!reserved) throw staleLease(lease);
      if (lines === 0) continue;
      const chunk = {
        itemId: lease.itemId,
        attempt: lease.attempt,
        node: stream.node,
        firstIndex: reserved.first,
        lineCount: lines,
      };
      await insertLogChunk(tx.kysely, { ...chunk, ...bytes });
      range = { item: reserved.item, from: range?.from ?? reserved.first, to: reserved.first + lines - 1 };
    }
    if (range) {
      const { item, from, to } = range;
      const data = { itemId: item.id, runId: item.runId, attempt: lease.attempt, from, to, agentId: item.agentId };
      tx.event({ entityId: item.queueEntityId, kind: "logs", subject: item.id, queueId: item.queueId, data });
    }
    return cursors;
  }

  return {
    async append(principal, { lease, streams }) {
      await changeableItem(kysely, principal, lease.itemId, "speak for its items");
      checkStreams(streams);
      // Looked at before anything is written, so that a repeated call costs no disk.
      const news: LogStreamAppend[] = [];
      for (const stream of streams) {
        const cursor = await logCursor(kysely, keyOf(lease, stream));
        news.push(cursor === stream.from ? stream : { ...stream, lines: [] });
      }
      const written = await Promise.all(news.map((stream) => write(lease.itemId, stream)));
      return database.transaction(clock, (tx) => count(tx, lease, written));
    },

    async read(principal, itemId, page) {
      const item = await visibleItem(kysely, principal, itemId);
      const first = Math.min(page.first ?? PAGE, MAX_PAGE);
      let next = page.after ?? -1;
      const lines: LogLineRecord[] = [];
      while (lines.length < first) {
        const filter = { itemId: item.id, node: page.node ?? null, attempt: page.attempt ?? null };
        const chunks = await listLogChunks(kysely, { ...filter, after: next, limit: CHUNKS_PER_LOOK });
        for (const chunk of chunks) {
          if (lines.length >= first) break;
          const after = next;
          const fresh = (await linesOf(files, chunk))
            .filter((line) => line.index > after)
            .slice(0, first - lines.length);
          lines.push(...fresh);
          next = fresh.at(-1)?.index ?? next;
        }
        if (chunks.length < CHUNKS_PER_LOOK) break;
      }
      return { lines, next, complete: isSettled(item.state) && lines.length < first };
    },

    async tail(principal, itemId, page) {
      const item = await visibleItem(kysely, principal, itemId);
      const last = Math.min(Math.max(page.last, 0), MAX_PAGE);
      const of = { itemId: item.id, node: page.node ?? null, attempt: page.attempt ?? null };
      const lines = await logTail(context, of, last);
      return { lines, next: lines.at(-1)?.index ?? -1, complete: isSettled(item.state) };
    },
  };
}

function keyOf(lease: LeaseRef, stream: LogStreamAppend): LogStreamKey {
  return { itemId: lease.itemId, attempt: lease.attempt, node: stream.node, stream: stream.stream };
}

function checkStreams(streams: readonly LogStreamAppend[]): void {
  const lines = streams.reduce((sum, stream) => sum + stream.lines.length, 0);
  const refuse = (problem: string, where: string) => {
    throw new SlipwayError("INPUT_INVALID", { values: { problem }, where });
  };
  if (lines > MAX_LINES_PER_CALL)
    refuse(`at most ${MAX_LINES_PER_CALL} lines go into one call, not ${lines}`, "streams");
  for (const [place, stream] of streams.entries()) {
    if (stream.to === "") refuse("a stream's new cursor can't be empty", `streams[${place}].to`);
    if (stream.lines.length > 0 && stream.to === stream.from)
      refuse("new lines need a new cursor", `streams[${place}].to`);
  }
}

/** The last lines of an item, oldest first. */
export async function logTail(
  { database, files }: Pick<ServiceContext, "database" | "files">,
  of: LogFilter & { readonly itemId: string },
  last: number,
): Promise<readonly LogLineRecord[]> {
  const filter = { itemId: of.itemId, node: of.node ?? null, attempt: of.attempt ?? null };
  let lines: LogLineRecord[] = [];
  let before = Number.MAX_SAFE_INTEGER;
  while (lines.length < last) {
    const chunks = await listLogChunks(database.kysely, { ...filter, before, limit: CHUNKS_PER_LOOK });
    for (const chunk of chunks) {
      if (lines.length >= last) break;
      lines = [...(await linesOf(files, chunk)), ...lines];
      before = chunk.firstIndex;
    }
    if (chunks.length < CHUNKS_PER_LOOK) break;
  }
  return lines.slice(Math.max(0, lines.length - last));
}

async function linesOf(files: FileStore, chunk: LogChunk): Promise<LogLineRecord[]> {
  const bytes = await files.read(chunk.file, chunk.byteOffset, chunk.byteLength);
  return bytes
    .toString("utf8")
    .trimEnd()
    .split("\n")
    .map((line, place) => {
      const [at, text] = JSON.parse(line) as [number, string];
      return { index: chunk.firstIndex + place, node: chunk.node, attempt: chunk.attempt, at, text };
    });
}
