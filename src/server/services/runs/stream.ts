import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import { toStrictJson } from "../../../core/loose-json.ts";
import { addToHistoryKeys, type HistoryKeys } from "../../../core/runs/history-keys.ts";
import { randomText } from "../../../store/ids.ts";
import type { RunRecord } from "../../../store/records.ts";
import {
  addChunksBefore,
  addRunChunk,
  cutRunStream,
  lockRunStream,
  type RunChunk,
  type RunStream,
} from "../../../store/run-chunks.ts";
import { findRunById, type RunValues } from "../../../store/runs.ts";
import type { ServiceContext } from "../context.ts";
import { historyKeysBefore, type NumberedLine, readRunLines, rowOf, runDirectory } from "./lines.ts";

/** Lines of one of a run's files, to be put in at a line number. */
export interface StreamLines {
  readonly offset: number;
  readonly lines: readonly string[];
}

/** One message of the wandb client's file stream. */
export interface StreamMessage {
  readonly history?: StreamLines | undefined;
  readonly events?: StreamLines | undefined;
  readonly output?: StreamLines | undefined;
  /** JSON text of the whole summary. */
  readonly summary?: string | undefined;
}

const FILES: Readonly<Record<string, RunStream>> = {
  "wandb-history.jsonl": "history",
  "wandb-events.jsonl": "events",
  "output.log": "output",
};
const SUMMARY = "wandb-summary.json";

/**
 * Reads the `files` of a message: `{NAME: {offset: LINE, content: [LINE, ...]}}`. Files of other names are of no stream and
 * left alone. Throws REQUEST_INVALID for another shape.
 */
export function parseStreamFiles(files: unknown): StreamMessage {
  if (files === undefined || files === null) return {};
  if (typeof files !== "object" || Array.isArray(files)) throw invalid("files is not an object");
  const message: { -readonly [K in keyof StreamMessage]: StreamMessage[K] } = {};
  for (const [name, file] of Object.entries(files as Record<string, unknown>)) {
    const stream = Object.hasOwn(FILES, name) ? FILES[name] : undefined;
    if (stream === undefined && name !== SUMMARY) continue;
    const { offset, content } = (file ?? {}) as { offset?: unknown; content?: unknown };
    if (!Array.isArray(content) || content.some((line) => typeof line !== "string"))
      throw invalid(`the content of ${name} is not a list of lines`);
    if (!Number.isSafeInteger(offset) || (offset as number) < 0)
      throw invalid(`the offset of ${name} is not a line number`);
    if (stream === undefined) message.summary = content.at(-1);
    else if (content.length > 0) message[stream] = { offset: offset as number, lines: content };
  }
  return message;
}

const invalid = (problem: string) => new SlipwayError("REQUEST_INVALID", { values: { problem }, where: "files" });

/** Keeps what running code sends: on disk, and counted once, before it is acknowledged. */
export interface RunStreamWriter {
  write(run: RunRecord, message: StreamMessage): Promise<void>;
  /** Forgets history rows with a `_step` above this one. */
  rewind(run: RunRecord, step: number): Promise<void>;
  /** Begins the history of a run that has none with a copy of another's, up to and with this `_step`. */
  fork(run: RunRecord, parent: RunRecord, step: number): Promise<void>;
}

/** Lines of a parent's history that are written together. */
const FORK_LINES = 5_000;

/** Against another server process that writes to the same run; the client itself sends one message after the other. */
const TRIES = 5;

export function createRunStreamWriter(context: ServiceContext): RunStreamWriter {
  const { database, files, clock, random } = context;
  // Server processes that share a directory must not append to one file: each has its own.
  const writer = randomText(random, 8);
  const turns = new Map<string, Promise<unknown>>();

  /** One message after the other for each run. */
  async function inTurn(runId: string, work: () => Promise<void>): Promise<void> {
    const before = turns.get(runId) ?? Promise.resolve();
    const mine = before.then(work, work);
    turns.set(runId, mine);
    try {
      await mine;
    } finally {
      if (turns.get(runId) === mine) turns.delete(runId);
    }
  }

  /**
   * Puts lines in at their number. Lines that are there already are a message that was sent again; other lines in their place,
   * or history whose steps begin below the last one, mean that the code began anew from there (a run of the same id that does
   * not resume), so what followed is forgotten. A console's lines are written over one by one.
   */
  async function put(runId: string, stream: RunStream, given: StreamLines): Promise<void> {
    for (let tries = 0; tries < TRIES; tries++) {
      const run = await mustFind(runId);
      const seen = linesSeen(run, stream);
      const { offset, lines, cut } =
        stream === "output" ? { ...given, cut: undefined } : await fresh(run, stream, given, seen);
      if (lines.length === 0) return;
      const chunk = await store(runId, stream, { offset, lines });
      const values = await valuesOf(run, stream, lines, cut);
      const end = offset + lines.length;
      const added = await database.transaction(clock, async (tx) => {
        if (!(await lockRunStream(tx.kysely, { runId, stream }, seen))) return false;
        if (cut !== undefined) await cutRunStream(tx.kysely, { runId, stream }, cut);
        await addRunChunk(tx.kysely, chunk, stream === "output" ? Math.max(seen, end) : end, values);
        return true;
      });
      if (added) return;
    }
    throw new SlipwayError("RUN_WRITTEN_ELSEWHERE", { values: { run: runId } });
  }

  async function fresh(run: RunRecord, stream: RunStream, given: StreamLines, seen: number) {
    const { offset } = given;
    const lines = given.lines.map((line) => line.replaceAll("\n", " "));
    if (offset >= seen) return { offset, lines, cut: stream === "history" ? await goneBackTo(run, lines) : undefined };
    const range = { fromLine: offset, beforeLine: Math.min(seen, offset + lines.length) };
    for await (const stored of readRunLines(context, { runId: run.id, stream, ...range })) {
      const other = stored.some(({ number, text }) => text !== lines[number - offset]);
      if (other) {
        const back = stream === "history" ? await goneBackTo(run, lines) : undefined;
        return { offset, lines, cut: Math.min(offset, back ?? offset) };
      }
    }
    return { offset: seen, lines: lines.slice(seen - offset), cut: undefined };
  }

  /** The line from which on the new lines take the place of old ones, by their steps. */
  async function goneBackTo(run: RunRecord, lines: readonly string[]): Promise<number | undefined> {
    const [step] = stepsOf(lines.slice(0, 1));
    const { lastStep } = JSON.parse(run.historyKeys) as HistoryKeys;
    return step === undefined || step > lastStep ? undefined : firstLineFrom(run.id, step);
  }

  /** The number of the first history line with this step or a higher one. */
  async function firstLineFrom(runId: string, minStep: number): Promise<number | undefined> {
    for await (const stored of readRunLines(context, { runId, stream: "history", minStep })) {
      const first = stored.find(({ text }) => Number(rowOf(text)._step) >= minStep);
      if (first !== undefined) return first.number;
    }
    return undefined;
  }

  /** First the bytes, synced; then the row that makes them count. Bytes whose row does not come about are never read. */
  async function store(runId: string, stream: RunStream, { offset, lines }: StreamLines): Promise<RunChunk> {
    const texts = stream === "output" ? lines.map((line) => JSON.stringify(line)) : lines;
    const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(""));
    const file = `${runDirectory(runId)}/lines/${writer}-${stream}.jsonl`;
    const byteOffset = await files.append(file, bytes);
    const steps = stream === "history" ? stepsOf(lines) : [];
    return {
      runId,
      stream,
      firstLine: offset,
      lineCount: lines.length,
      file,
      byteOffset,
      byteLength: bytes.length,
      minStep: steps.length === 0 ? null : steps.reduce((a, b) => Math.min(a, b)),
      maxStep: steps.length === 0 ? null : steps.reduce((a, b) => Math.max(a, b)),
    };
  }

  async function valuesOf(run: RunRecord, stream: RunStream, lines: readonly string[], cutAt: number | undefined) {
    if (stream === "history") {
      const before =
        cutAt === undefined
          ? (JSON.parse(run.historyKeys) as HistoryKeys)
          : await historyKeysBefore(context, run.id, cutAt);
      return { historyKeys: JSON.stringify(addToHistoryKeys(before, lines.map(rowOf))) };
    }
    if (stream !== "events") return {};
    const metrics = Object.assign({}, JSON.parse(run.systemMetrics), ...lines.map(rowOf));
    const system = Object.entries(metrics).filter(([name]) => name.startsWith("system."));
    return { systemMetrics: JSON.stringify(Object.fromEntries(system)) };
  }

  async function copyOf(run: RunRecord, parent: RunRecord, keep: number): Promise<RunChunk[]> {
    const chunks: RunChunk[] = [];
    let waiting: NumberedLine[] = [];
    const flush = async () => {
      const [first] = waiting;
      if (first === undefined) return;
      const lines = waiting.map(({ text }) => text);
      chunks.push(await store(run.id, "history", { offset: first.number - keep, lines }));
      waiting = [];
    };
    for await (const lines of readRunLines(context, { runId: parent.id, stream: "history", beforeLine: keep })) {
      waiting.push(...lines);
      if (waiting.length >= FORK_LINES) await flush();
    }
    await flush();
    return chunks;
  }

  async function mustFind(runId: string): Promise<RunRecord> {
    const run = await findRunById(database.kysely, runId);
    if (!run) throw new SlipwayError("RUN_GONE", { values: { run: runId } });
    return run;
  }

  return {
    write: (run, message) =>
      inTurn(run.id, async () => {
        for (const stream of ["history", "events", "output"] as const) {
          const lines = message[stream];
          if (lines !== undefined) await put(run.id, stream, lines);
        }
      }),

    fork: (run, parent, step) =>
      inTurn(run.id, async () => {
        if (hasHistory(await mustFind(run.id))) return;
        const { historyLines } = await mustFind(parent.id);
        const keep = (await firstLineFrom(parent.id, step + 1)) ?? historyLines;
        const chunks = await copyOf(run, parent, keep);
        const keys = JSON.stringify(await historyKeysBefore(context, parent.id, keep));
        await database.transaction(clock, async (tx) => {
          if (!(await lockRunStream(tx.kysely, { runId: run.id, stream: "history" }, 0)))
            throw new SlipwayError("RUN_WRITTEN_ELSEWHERE", { values: { run: run.name } });
          await addChunksBefore(tx.kysely, run.id, chunks, keys);
        });
      }),

    rewind: (run, step) =>
      inTurn(run.id, async () => {
        const { historyLines } = await mustFind(run.id);
        const keep = await firstLineFrom(run.id, step + 1);
        if (keep === undefined) return;
        const keys = JSON.stringify(await historyKeysBefore(context, run.id, keep));
        await database.transaction(clock, async (tx) => {
          const of = { runId: run.id, stream: "history" } as const;
          if (!(await lockRunStream(tx.kysely, of, historyLines)))
            throw new SlipwayError("RUN_WRITTEN_ELSEWHERE", { values: { run: run.name } });
          await cutRunStream(tx.kysely, of, keep, keys);
        });
      }),
  };
}

/** A summary as it came, and as strict JSON for filters. */
export function summaryValues(summary: string): RunValues {
  return { summaryMetrics: summary, summarySearch: toStrictJson(summary) };
}

/** Of its own or of a parent's. */
export function hasHistory(run: RunRecord): boolean {
  return (JSON.parse(run.historyKeys) as HistoryKeys).lastStep >= 0 || run.historyLines > 0;
}

function linesSeen(run: RunRecord, stream: RunStream): number {
  return stream === "history" ? run.historyLines : stream === "events" ? run.eventsLines : run.outputLines;
}

function stepsOf(lines: readonly string[]): number[] {
  return lines.flatMap((line) => {
    const step = rowOf(line)._step;
    return typeof step === "number" ? [step] : [];
  });
}
