import type { JsonObject, JsonValue } from "../json.ts";
import { isOddNumber } from "../loose-json.ts";

/** What a run's history holds, in the form the wandb client reads (`Run.historyKeys`). */
export interface HistoryKeys {
  /** The highest `_step`; -1: no row yet. */
  readonly lastStep: number;
  readonly sets: readonly JsonValue[];
  readonly keys: Readonly<Record<string, HistoryKey>>;
}

export interface HistoryKey {
  readonly typeCounts: readonly { readonly type: string; readonly count: number }[];
  /** Has it never fallen? */
  readonly monotonic: boolean;
  readonly previousValue: JsonValue;
}

export const NO_HISTORY: HistoryKeys = { lastStep: -1, sets: [], keys: {} };

/** A run that logs ever new names would make its row grow without end: names beyond this are kept in the history alone. */
const MAX_KEYS = 10_000;

interface Collected {
  counts: Map<string, number>;
  monotonic: boolean;
  previous: JsonValue;
}

/** The keys of a history after more rows. Nested objects count by their leaves (`a.b`), media and histograms as one value. */
export function addToHistoryKeys(before: HistoryKeys, rows: Iterable<JsonObject>): HistoryKeys {
  const keys = new Map<string, Collected>();
  for (const [name, { typeCounts, monotonic, previousValue }] of Object.entries(before.keys)) {
    const counts = new Map(typeCounts.map(({ type, count }) => [type, count]));
    keys.set(name, { counts, monotonic, previous: previousValue });
  }
  let { lastStep } = before;
  for (const row of rows) {
    if (typeof row._step === "number") lastStep = Math.max(lastStep, row._step);
    for (const [name, value] of leavesOf(row)) add(keys, name, value);
  }
  return {
    lastStep,
    sets: before.sets,
    keys: Object.fromEntries(
      [...keys].map(([name, { counts, monotonic, previous }]) => {
        const typeCounts = [...counts].map(([type, count]) => ({ type, count }));
        return [name, { typeCounts, monotonic, previousValue: previous }];
      }),
    ),
  };
}

function add(keys: Map<string, Collected>, name: string, value: JsonValue): void {
  const type = typeName(value);
  const known = keys.get(name);
  // Of media the value says nothing to a person and may be large.
  const kept = type === "number" ? value : null;
  if (known === undefined) {
    if (keys.size < MAX_KEYS) keys.set(name, { counts: new Map([[type, 1]]), monotonic: true, previous: kept });
    return;
  }
  known.counts.set(type, (known.counts.get(type) ?? 0) + 1);
  if (typeof value === "number" && typeof known.previous === "number" && value < known.previous)
    known.monotonic = false;
  if (kept !== null) known.previous = kept;
}

function* leavesOf(row: JsonObject, prefix = ""): Generator<[string, JsonValue]> {
  for (const [name, value] of Object.entries(row)) {
    const path = prefix === "" ? name : `${prefix}.${name}`;
    if (isPlainObject(value)) yield* leavesOf(value, path);
    else yield [path, value];
  }
}

/** The value of a key of a row: by its whole name, else down nested objects by the dots in it; undefined if absent. */
export function valueOfKey(row: JsonObject, key: string): JsonValue | undefined {
  if (Object.hasOwn(row, key)) return row[key];
  let at: JsonValue | undefined = row;
  for (const part of key.split(".")) {
    if (!isObject(at) || !Object.hasOwn(at, part)) return undefined;
    at = at[part];
  }
  return at;
}

const isObject = (value: unknown): value is JsonObject =>
  value !== null && typeof value === "object" && !Array.isArray(value);
/** An object that the client gave a type (a histogram, an image) is one value. */
const isPlainObject = (value: JsonValue): value is JsonObject => isObject(value) && !Object.hasOwn(value, "_type");

function typeName(value: JsonValue): string {
  if (value === null) return "nil";
  if (typeof value === "number" || isOddNumber(value)) return "number";
  if (Array.isArray(value)) return "list";
  if (isObject(value)) return typeof value._type === "string" ? value._type : "map";
  return typeof value === "boolean" ? "bool" : typeof value;
}
