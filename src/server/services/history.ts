import type { JsonObject, JsonValue } from "../../core/json.ts";
import { valueOfKey } from "../../core/runs/history-keys.ts";
import type { RunRecord } from "../../store/records.ts";
import type { ServiceContext } from "./context.ts";
import { type NumberedLine, readRunLines, rowOf } from "./runs/lines.ts";
import { createSampler } from "./runs/sampler.ts";

/** Rows whose `_step` is from `minStep` on and below `maxStep`. */
export interface StepRange {
  readonly minStep?: number | null | undefined;
  readonly maxStep?: number | null | undefined;
}

export interface HistorySpec extends StepRange {
  /** Names of metrics; a row counts if it has them all. `a.b` is found in nested objects too. */
  readonly keys: readonly string[];
  readonly samples: number;
}

export interface ConsoleLine {
  /** From 0. */
  readonly number: number;
  /** ISO 8601, as the client wrote it; null where it wrote none. */
  readonly timestamp: string | null;
  readonly level: "info" | "error";
  readonly line: string;
}

/**
 * Reads what runs have reported. A run is one that the caller may see already. History is read a chunk at a time, so that a
 * long one does not fill the memory.
 */
export interface HistoryService {
  /**
   * Rows as the client sent them, in order. Without a range at most `samples` of them, spread evenly over the run with its first
   * and last; with a range all of it (the client asks for a page of steps), up to MAX_PAGE rows.
   */
  rows(run: RunRecord, stream: "history" | "events", page: StepRange & { readonly samples: number }): Promise<string[]>;
  /** The values of some keys; NaN and the infinities as texts of that name. */
  sampled(run: RunRecord, spec: HistorySpec): Promise<JsonObject[]>;
  /** The last `count` rows. */
  tail(run: RunRecord, stream: "history" | "events", count: number): Promise<string[]>;
  /** The first row with all these keys. */
  firstWith(run: RunRecord, keys: readonly string[]): Promise<JsonObject | undefined>;
  /** The console's lines from a number on (or the last ones), each as it stands now. */
  console(run: RunRecord, page: { readonly from: number; readonly count: number }): Promise<ConsoleLine[]>;
}

export const MAX_PAGE = 100_000;
const MAX_SAMPLES = 10_000;

export function createHistoryService(context: ServiceContext): HistoryService {
  return {
    async rows(run, stream, { samples, minStep, maxStep }) {
      const filter = { runId: run.id, stream, ...stepFilter({ minStep, maxStep }) };
      if (minStep == null && maxStep == null) {
        const wanted = Math.max(1, Math.min(samples, MAX_SAMPLES));
        const sampler = createSampler<string>(wanted);
        for await (const lines of readRunLines(context, filter)) for (const { text } of lines) sampler.add(text);
        return sampler.take();
      }
      const rows: string[] = [];
      for await (const lines of readRunLines(context, filter)) {
        for (const { text } of lines) if (inRange(rowOf(text), { minStep, maxStep })) rows.push(text);
        if (rows.length >= MAX_PAGE) break;
      }
      return rows.slice(0, MAX_PAGE);
    },

    async sampled(run, spec) {
      if (spec.keys.length === 0) return [];
      const sampler = createSampler<JsonObject>(Math.max(1, Math.min(spec.samples, MAX_SAMPLES)));
      const filter = { runId: run.id, stream: "history", ...stepFilter(spec) } as const;
      for await (const lines of readRunLines(context, filter)) {
        for (const { text } of lines) {
          const row = rowOf(text);
          const picked = inRange(row, spec) ? pick(row, spec.keys) : undefined;
          if (picked) sampler.add(picked);
        }
      }
      return sampler.take();
    },

    async tail(run, stream, count) {
      const total = stream === "history" ? run.historyLines : run.eventsLines;
      const filter = { runId: run.id, stream, fromLine: total - count };
      const rows: string[] = [];
      for await (const lines of readRunLines(context, filter)) rows.push(...lines.map(({ text }) => text));
      return rows;
    },

    async firstWith(run, keys) {
      for await (const lines of readRunLines(context, { runId: run.id, stream: "history" })) {
        for (const { text } of lines) {
          const picked = pick(rowOf(text), keys);
          if (picked) return picked;
        }
      }
      return undefined;
    },

    async console(run, { from, count }) {
      const filter = { runId: run.id, stream: "output", fromLine: from, beforeLine: from + count } as const;
      const lines = new Map<number, NumberedLine>();
      for await (const page of readRunLines(context, filter)) for (const line of page) lines.set(line.number, line);
      return [...lines.values()].sort((a, b) => a.number - b.number).map(consoleLineOf);
    },
  };
}

function stepFilter({ minStep, maxStep }: StepRange): { minStep?: number; maxStep?: number } {
  return { ...(minStep == null ? {} : { minStep }), ...(maxStep == null ? {} : { maxStep }) };
}

function inRange(row: JsonObject, { minStep, maxStep }: StepRange): boolean {
  if (minStep == null && maxStep == null) return true;
  const step = row._step;
  return typeof step === "number" && step >= (minStep ?? 0) && step < (maxStep ?? Number.POSITIVE_INFINITY);
}

function pick(row: JsonObject, keys: readonly string[]): JsonObject | undefined {
  const picked: Record<string, JsonValue> = {};
  for (const key of keys) {
    const value = valueOfKey(row, key);
    if (value === undefined) return undefined;
    picked[key] = value;
  }
  return picked;
}

/** The client puts a time (without zone, UTC) before each line, and ERROR before what was written to stderr. */
const CONSOLE_LINE = /^(ERROR )?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?) ?(.*)$/s;

function consoleLineOf({ number, text }: NumberedLine): ConsoleLine {
  const whole = JSON.parse(text) as string;
  const [, error, at, line] = CONSOLE_LINE.exec(whole) ?? [];
  if (at === undefined) return { number, timestamp: null, level: "info", line: whole };
  return { number, timestamp: `${at}Z`, level: error === undefined ? "info" : "error", line: line ?? "" };
}
