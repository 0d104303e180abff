import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import type { JsonObject } from "../../../core/json.ts";
import type { RunRecord } from "../../../store/records.ts";
import type { RunAlertRecord } from "../../../store/run-alerts.ts";
import type { ConsoleLine, HistorySpec } from "../../services/history.ts";
import { hasHistory } from "../../services/runs/stream.ts";
import { builder } from "../builder.ts";
import { AlertSeverity } from "../enums.ts";
import { Run } from "../refs.ts";
import { parseJson } from "../scalars.ts";

/** What a run has reported: history, system metrics, console, alerts. */

const ParquetHistory = builder.objectRef<{ readonly liveData: readonly JsonObject[] }>("ParquetHistory").implement({
  fields: (t) => ({
    parquetUrls: t.stringList({
      description: "Always empty: this server keeps history in no Parquet files, all of it is read through history.",
      resolve: () => [],
    }),
    liveData: t.field({
      type: ["JSON"],
      description: "The first row that has the keys: from there on rows are read through history.",
      resolve: ({ liveData }) => [...liveData],
    }),
  }),
});

const RunLogLine = builder.objectRef<ConsoleLine>("RunLogLine").implement({
  fields: (t) => ({
    number: t.exposeInt("number"),
    timestamp: t.exposeString("timestamp", { nullable: true }),
    level: t.exposeString("level", { nullable: true, description: "error: written to stderr." }),
    label: t.string({
      nullable: true,
      description: "Of one of several writers; there is one here.",
      resolve: () => null,
    }),
    line: t.exposeString("line"),
  }),
});

const RunLogLineEdge = builder
  .objectRef<ConsoleLine>("RunLogLineEdge")
  .implement({ fields: (t) => ({ node: t.field({ type: RunLogLine, resolve: (line) => line }) }) });

interface LogLines {
  readonly lines: readonly ConsoleLine[];
  readonly total: number;
}

const RunLogPageInfo = builder.objectRef<LogLines>("RunLogPageInfo").implement({
  fields: (t) => ({
    endCursor: t.string({ nullable: true, resolve: ({ lines }) => lines.at(-1)?.number.toString() ?? null }),
    hasNextPage: t.boolean({
      resolve: ({ lines, total }) => lines.length > 0 && (lines.at(-1)?.number ?? 0) < total - 1,
    }),
  }),
});

const RunLogLineConnection = builder.objectRef<LogLines>("RunLogLineConnection").implement({
  fields: (t) => ({
    edges: t.field({ type: [RunLogLineEdge], resolve: ({ lines }) => [...lines] }),
    pageInfo: t.field({ type: RunLogPageInfo, resolve: (page) => page }),
  }),
});

const RunAlert = builder.objectRef<RunAlertRecord>("RunAlert").implement({
  description: "Slipway: what the code told by wandb.alert().",
  fields: (t) => ({
    at: t.expose("at", { type: "DateTime" }),
    title: t.exposeString("title"),
    text: t.exposeString("text"),
    severity: t.field({ type: AlertSeverity, resolve: ({ severity }) => severity as "INFO" | "WARN" | "ERROR" }),
  }),
});

const DEFAULT_SAMPLES = 500;
const LOG_PAGE = 1_000;
const MAX_LOG_PAGE = 10_000;

builder.objectFields(Run, (t) => ({
  historyLineCount: t.exposeInt("historyLines", {
    nullable: true,
    description: "Its own: those that a fork has of its parent are not counted.",
  }),
  eventsLineCount: t.exposeInt("eventsLines", { nullable: true }),
  logLineCount: t.exposeInt("outputLines", { nullable: true }),
  historyKeys: t.field({
    type: "JSON",
    nullable: true,
    description: "{lastStep, sets, keys: {NAME: {typeCounts, monotonic, previousValue}}}; null before the first row.",
    resolve: (run) => (hasHistory(run) ? (JSON.parse(run.historyKeys) as JsonObject) : null),
  }),
  systemMetrics: t.expose("systemMetrics", { type: "JSONString", nullable: true }),
  exitcode: t.exposeInt("exitCode", { nullable: true }),
  wandbConfig: t.field({
    type: "JSONString",
    nullable: true,
    description: "What the client wrote into its config about itself, all of it or these keys.",
    args: { keys: t.arg.stringList() },
    resolve: (run, { keys }) => clientConfig(run, keys),
  }),
  history: t.field({
    type: ["JSONString"],
    nullable: true,
    description:
      "Rows as the client sent them. Without steps: at most samples of them, spread evenly. With: every row from minStep on and below maxStep.",
    args: { samples: t.arg.int(), minStep: t.arg({ type: "Int64" }), maxStep: t.arg({ type: "Int64" }) },
    resolve: (run, { samples, minStep, maxStep }, { services }) =>
      services.history.rows(run, "history", { samples: samples ?? DEFAULT_SAMPLES, minStep, maxStep }),
  }),
  events: t.field({
    type: ["JSONString"],
    nullable: true,
    description: "Rows of system metrics, at most samples of them, spread evenly.",
    args: { samples: t.arg.int() },
    resolve: (run, { samples }, { services }) =>
      services.history.rows(run, "events", { samples: samples ?? DEFAULT_SAMPLES }),
  }),
  sampledHistory: t.field({
    type: ["JSON"],
    description:
      "For each spec {keys, samples, minStep, maxStep} the rows that have all the keys, at most samples of them. NaN and the infinities are texts here.",
    args: { specs: t.arg({ type: ["JSONString"], required: true }) },
    resolve: async (run, { specs }, { services }) => {
      const answers: JsonObject[][] = [];
      for (const [place, text] of specs.entries())
        answers.push(await services.history.sampled(run, specOf(text, `specs[${place}]`)));
      return answers;
    },
  }),
  parquetHistory: t.field({
    type: ParquetHistory,
    args: { liveKeys: t.arg.stringList({ required: true }) },
    resolve: async (run, { liveKeys }, { services }) => {
      const first = await services.history.firstWith(run, liveKeys);
      return { liveData: first === undefined ? [] : [first] };
    },
  }),
  historyTail: t.field({
    type: "JSONString",
    nullable: true,
    description: "A list with the text of the last row.",
    resolve: (run, _args, { services }) => services.history.tail(run, "history", 1),
  }),
  eventsTail: t.field({
    type: "JSONString",
    nullable: true,
    description: "A list with the text of the last row.",
    resolve: (run, _args, { services }) => services.history.tail(run, "events", 1),
  }),
  logLines: t.field({
    type: RunLogLineConnection,
    description:
      "The console, each line as it stands now. after: the number of the line before the first; last: the newest.",
    args: {
      first: t.arg.int(),
      last: t.arg.int(),
      after: t.arg.string(),
      useImprovedPagination: t.arg.boolean({ description: "The client's word; pages are what they are." }),
    },
    resolve: async (run, { first, last, after }, { services }) => {
      const count = Math.min(Math.max(last ?? first ?? LOG_PAGE, 0), MAX_LOG_PAGE);
      const next = after ? Number(after) + 1 : 0;
      const from = last != null ? Math.max(0, run.outputLines - count) : next;
      if (!Number.isSafeInteger(from)) throw notANumber("after");
      return { lines: await services.history.console(run, { from, count }), total: run.outputLines };
    },
  }),
  alerts: t.field({
    type: [RunAlert],
    description: "Slipway: newest first.",
    resolve: async (run, _args, { services, viewer }) => [...(await services.runs.alerts(viewer, run))],
  }),
}));

function clientConfig(run: RunRecord, keys: readonly string[] | null | undefined): JsonObject {
  const whole = (JSON.parse(run.configSearch) as { _wandb?: { value?: JsonObject } })._wandb?.value ?? {};
  if (!keys) return whole;
  return Object.fromEntries(Object.entries(whole).filter(([key]) => keys.includes(key)));
}

function specOf(text: string, where: string): HistorySpec {
  const spec = (parseJson(text, where) ?? {}) as Record<string, unknown>;
  const { keys = [], samples = DEFAULT_SAMPLES, minStep, maxStep } = spec;
  if (!Array.isArray(keys) || keys.some((key) => typeof key !== "string")) throw notANumber(`${where}.keys`);
  for (const [name, value] of Object.entries({ samples, minStep, maxStep }))
    if (value != null && !Number.isFinite(value)) throw notANumber(`${where}.${name}`);
  return {
    keys: keys as string[],
    samples: samples as number,
    minStep: minStep as number | null | undefined,
    maxStep: endOf(minStep, maxStep, samples as number),
  };
}

/**
 * Clients disagree about whether a page of steps includes its maxStep. 0.31 asks for N steps as [a, a + N - 1] and N samples,
 * 0.23 as [a, a + N) and at least N samples: the number of samples tells which is meant.
 */
function endOf(minStep: unknown, maxStep: unknown, samples: number): number | null {
  if (typeof maxStep !== "number") return null;
  return samples === maxStep - Number(minStep ?? 0) + 1 ? maxStep + 1 : maxStep;
}

const notANumber = (where: string) => {
  const problem = where.endsWith("keys") ? `${where} is not a list of names` : `${where} is not a number`;
  return new SlipwayError("INPUT_INVALID", { values: { problem }, where });
};
