import { SlipwayError } from "../errors/slipway-error.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { PatternError, parseSearchPattern, type SearchPattern } from "../search-pattern.ts";

/*
 * The filters and orders of runs, as the wandb client's Api.runs documents them: MongoDB's query operators over a run's own
 * fields, its config and its summary.
 */

export type TextColumn =
  | "state"
  | "name"
  | "displayName"
  | "description"
  | "notes"
  | "group"
  | "jobType"
  | "username"
  | "host"
  | "program"
  | "commit"
  | "sweep"
  | "entity"
  | "project";
export type TimeColumn = "createdAt" | "heartbeatAt";

export type RunField =
  | { readonly kind: "text"; readonly column: TextColumn }
  | { readonly kind: "time"; readonly column: TimeColumn }
  /** Seconds from the start to the last sign of life. */
  | { readonly kind: "duration" }
  | { readonly kind: "tags" }
  /** A value inside config or summary; it lies at one of the paths: a key may hold dots itself. */
  | { readonly kind: "json"; readonly document: "config" | "summary"; readonly paths: readonly (readonly string[])[] };

export type RunTest =
  /** null: the field is not there, or is null. */
  | { readonly op: "equals"; readonly value: JsonValue }
  | { readonly op: "less" | "atMost" | "more" | "atLeast"; readonly value: string | number }
  | { readonly op: "exists" }
  | { readonly op: "matches"; readonly pattern: SearchPattern };

export type RunFilter =
  | { readonly kind: "and" | "or"; readonly parts: readonly RunFilter[] }
  | { readonly kind: "not"; readonly part: RunFilter }
  | { readonly kind: "test"; readonly field: RunField; readonly test: RunTest };

export interface RunOrder {
  readonly field: RunField;
  readonly descending: boolean;
}

const FIELDS: Readonly<Record<string, RunField>> = {
  state: { kind: "text", column: "state" },
  name: { kind: "text", column: "name" },
  displayName: { kind: "text", column: "displayName" },
  description: { kind: "text", column: "description" },
  notes: { kind: "text", column: "notes" },
  group: { kind: "text", column: "group" },
  groupName: { kind: "text", column: "group" },
  jobType: { kind: "text", column: "jobType" },
  username: { kind: "text", column: "username" },
  user: { kind: "text", column: "username" },
  host: { kind: "text", column: "host" },
  program: { kind: "text", column: "program" },
  commit: { kind: "text", column: "commit" },
  sweep: { kind: "text", column: "sweep" },
  sweepName: { kind: "text", column: "sweep" },
  entity: { kind: "text", column: "entity" },
  project: { kind: "text", column: "project" },
  createdAt: { kind: "time", column: "createdAt" },
  heartbeatAt: { kind: "time", column: "heartbeatAt" },
  duration: { kind: "duration" },
  tags: { kind: "tags" },
};
const DOCUMENTS = {
  config: "config",
  summary: "summary",
  summary_metrics: "summary",
  summaryMetrics: "summary",
} as const;
const OPERATORS = ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$regex", "$not"];
const COMBINATIONS = ["$and", "$or", "$nor", "$not"];
const MAX_CONDITIONS = 200;
const MAX_DEPTH = 20;
const MAX_ORDERS = 5;

/** The filter in a JSON text; absent or empty lets every run pass. RUN_FILTER_INVALID names the place and what is meant. */
export function parseRunFilter(text: string | null | undefined): RunFilter {
  if (text == null || text.trim() === "") return ALL;
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw invalid(`The filter is not JSON: ${cause instanceof Error ? cause.message : cause}`);
  }
  if (value === null) return ALL;
  let conditions = 0;
  return document(value, "", 0);

  function document(value: JsonValue, place: string, depth: number): RunFilter {
    if (depth > MAX_DEPTH) throw invalid(`The filter is nested more than ${MAX_DEPTH} levels deep`);
    const parts = Object.entries(objectAt(value, place)).map(([key, inner]): RunFilter => {
      const here = place === "" ? key : `${place}.${key}`;
      if (key === "$not") return { kind: "not", part: document(inner, here, depth + 1) };
      if (key.startsWith("$")) return combination(key, inner, here, depth);
      return condition(fieldOf(key), inner, here, depth);
    });
    return parts.length === 1 && parts[0] ? parts[0] : { kind: "and", parts };
  }

  function combination(key: string, inner: JsonValue, place: string, depth: number): RunFilter {
    if (!COMBINATIONS.includes(key)) throw unknownOperator(key, place, COMBINATIONS);
    if (!Array.isArray(inner)) throw invalid(`${place} takes a list of filters, not ${told(inner)}`);
    const parts = inner.map((part, n) => document(part, `${place}[${n}]`, depth + 1));
    if (key === "$and") return { kind: "and", parts };
    const any: RunFilter = { kind: "or", parts };
    return key === "$or" ? any : { kind: "not", part: any };
  }

  function condition(field: RunField, value: JsonValue, place: string, depth: number): RunFilter {
    if (depth > MAX_DEPTH) throw invalid(`The filter is nested more than ${MAX_DEPTH} levels deep`);
    if (!isObject(value) || !Object.keys(value).some((key) => key.startsWith("$"))) return equals(field, value, place);
    const { $options, ...tests } = value;
    const parts = Object.entries(tests).map(([operator, operand]) => {
      const here = `${place}.${operator}`;
      return operator === "$not"
        ? ({ kind: "not", part: condition(field, operand, here, depth + 1) } as const)
        : test(field, operator, operator === "$regex" ? withOptions(operand, $options, here) : operand, here);
    });
    return parts.length === 1 && parts[0] ? parts[0] : { kind: "and", parts };
  }

  function test(field: RunField, operator: string, value: JsonValue, place: string): RunFilter {
    switch (operator) {
      case "$eq":
        return equals(field, value, place);
      case "$ne":
        return { kind: "not", part: equals(field, value, place) };
      case "$in":
        return anyOf(field, value, place);
      case "$nin":
        return { kind: "not", part: anyOf(field, value, place) };
      case "$gt":
        return one(field, { op: "more", value: comparable(field, value, place) });
      case "$gte":
        return one(field, { op: "atLeast", value: comparable(field, value, place) });
      case "$lt":
        return one(field, { op: "less", value: comparable(field, value, place) });
      case "$lte":
        return one(field, { op: "atMost", value: comparable(field, value, place) });
      case "$exists": {
        const there = one(field, { op: "exists" });
        return value === false || value === 0 ? { kind: "not", part: there } : there;
      }
      case "$regex":
        return one(field, { op: "matches", pattern: patternAt(field, value, place) });
      default:
        throw unknownOperator(operator, place, OPERATORS);
    }
  }

  function anyOf(field: RunField, value: JsonValue, place: string): RunFilter {
    if (!Array.isArray(value)) throw invalid(`${place} takes a list of values, not ${told(value)}`);
    return { kind: "or", parts: value.map((item, n) => equals(field, item, `${place}[${n}]`)) };
  }

  function equals(field: RunField, value: JsonValue, place: string): RunFilter {
    return one(field, { op: "equals", value: valueFor(field, value, place) });
  }

  function one(field: RunField, test: RunTest): RunFilter {
    if (++conditions > MAX_CONDITIONS) throw invalid(`The filter has more than ${MAX_CONDITIONS} conditions`);
    return { kind: "test", field, test };
  }
}

const ALL: RunFilter = { kind: "and", parts: [] };

/** `+created_at`, `-summary_metrics.loss`, several with commas between them; without one, the oldest run first. */
export function parseRunOrder(text: string | null | undefined): readonly RunOrder[] {
  const words = (text ?? "").split(",").flatMap((word) => word.trim() || []);
  if (words.length > MAX_ORDERS) throw invalid(`A list is ordered by ${MAX_ORDERS} fields at most`, "order");
  const given = words.length === 0 ? ["+createdAt"] : words;
  return given.map((word) => {
    const field = fieldOf(word.replace(/^[+-]/, ""), "order");
    if (field.kind === "tags") throw invalid("Runs can't be ordered by their tags", "order");
    return { field, descending: word.startsWith("-") };
  });
}

function fieldOf(key: string, where = "filters"): RunField {
  const camel = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const own = Object.hasOwn(FIELDS, camel) ? FIELDS[camel] : undefined;
  if (own) return own;
  const dot = key.indexOf(".");
  const root = key.slice(0, Math.max(dot, 0));
  if (!Object.hasOwn(DOCUMENTS, root)) {
    const names = [...Object.keys(FIELDS), "config.KEY", "summary_metrics.KEY"];
    throw invalid(`Runs have no field ${key}; they have ${names.join(", ")}`, where, didYouMean(key, names).hint);
  }
  const kind = DOCUMENTS[root as keyof typeof DOCUMENTS];
  const keys = key.slice(dot + 1).split(".");
  if (keys.some((part) => part === "" || part.includes('"') || part.includes("\0")))
    throw invalid(`${key} is not a path of keys with dots between them`, where);
  return { kind: "json", document: kind, paths: kind === "config" ? configPaths(keys) : bothReadings(keys) };
}

/** In the config each key's value lies under `value`, which a path may name or leave out. */
function configPaths(keys: readonly string[]): readonly (readonly string[])[] {
  const [first = "", second, ...rest] = keys;
  if (second === "value") return [[first, "value", ...rest]];
  const plain = [first, "value", ...keys.slice(1)];
  const dotted = keys.at(-1) === "value" ? keys.slice(0, -1).join(".") : keys.join(".");
  return keys.length === 1 ? [plain] : [plain, [dotted, "value"]];
}

const bothReadings = (keys: readonly string[]) => (keys.length === 1 ? [keys] : [keys, [keys.join(".")]]);

function valueFor(field: RunField, value: JsonValue, place: string): JsonValue {
  if (value === null) return null;
  switch (field.kind) {
    case "time":
      return instantAt(value, place);
    case "duration":
      return numberAt(value, place);
    case "text":
      return textAt(value, place);
    case "tags":
      return Array.isArray(value) ? value.map((tag) => textAt(tag, place)) : textAt(value, place);
    case "json":
      return value;
  }
}

function comparable(field: RunField, value: JsonValue, place: string): string | number {
  const found = valueFor(field, value, place);
  if (typeof found === "string" || typeof found === "number") return found;
  throw invalid(`${place} compares with a number or a text, not with ${told(value)}`);
}

function patternAt(field: RunField, value: JsonValue, place: string): SearchPattern {
  if (field.kind === "time" || field.kind === "duration")
    throw invalid(`${place} looks into a text, and that field has none`);
  if (typeof value !== "string") throw invalid(`${place} takes a pattern, not ${told(value)}`);
  try {
    return parseSearchPattern(value);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw invalid(`The pattern ${JSON.stringify(value)} at ${place} ${error.message}`);
  }
}

function withOptions(pattern: JsonValue, options: JsonValue | undefined, place: string): JsonValue {
  if (options === undefined || options === "" || typeof pattern !== "string") return pattern;
  if (options !== "i") throw invalid(`${place} knows the option i alone, not ${told(options)}`);
  return `(?i)${pattern.replace(/^\(\?i\)/, "")}`;
}

function instantAt(value: JsonValue, place: string): number {
  const at = typeof value === "string" ? Date.parse(withZone(value)) : Number.NaN;
  if (Number.isNaN(at)) throw invalid(`${place} takes an instant such as "2026-01-31T12:00:00Z", not ${told(value)}`);
  return at;
}

/** Instants on the wire are UTC; without a zone JavaScript takes them for the machine's own time. */
const withZone = (text: string) => (/T\d\d:\d\d(:\d\d(\.\d+)?)?$/.test(text) ? `${text}Z` : text);

function numberAt(value: JsonValue, place: string): number {
  if (typeof value === "number") return value;
  throw invalid(`${place} takes a number, not ${told(value)}`);
}

function textAt(value: JsonValue, place: string): string {
  if (typeof value === "string") return value;
  throw invalid(`${place} takes a text, not ${told(value)}`);
}

const isObject = (value: JsonValue): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function objectAt(value: JsonValue, place: string): JsonObject {
  if (isObject(value)) return value;
  const where = place === "" ? "A filter" : place;
  throw invalid(`${where} is an object of fields and what they should be, not ${told(value)}`);
}

function unknownOperator(operator: string, place: string, known: readonly string[]): SlipwayError {
  const near = nearest(operator, known);
  const meant = near ? `; did you mean ${near}?` : "";
  return invalid(`The operator ${operator} at ${place} is not one of ${known.join(", ")}${meant}`);
}

function told(value: JsonValue | undefined): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function invalid(problem: string, where = "filters", hint?: string): SlipwayError {
  return new SlipwayError("RUN_FILTER_INVALID", {
    values: { problem },
    where,
    ...(hint === undefined ? {} : { hint }),
  });
}
