import type { JsonValue } from "../json.ts";
import { expectedImprovement } from "./expected-improvement.ts";
import type { Choice, SweepConfig } from "./sweep-config.ts";

/** Where a run stands: for each choice a number in [0, 1). */
export type Point = readonly number[];

/** A run that has ended with its metric. */
export interface Observation {
  readonly point: Point;
  readonly metric: number;
}

const CANDIDATES = 500;
const RANDOM_FIRST = 3;
/** More observations than this cost too much time for each new run: the newest count. */
const MOST_OBSERVATIONS = 200;

/** How many runs the sweep has in all; null: no end. */
export function runCount({ method, choices, runCap }: SweepConfig): number | null {
  if (method !== "grid") return runCap;
  const all = choices.reduce((count, { of }) => count * ("values" in of ? of.values.length : 1), 1);
  return runCap === null ? all : Math.min(all, runCap);
}

/** The point of run number `index`, from 0. `random` gives numbers in [0, 1). */
export function nextPoint(
  config: SweepConfig,
  index: number,
  observations: readonly Observation[],
  random: () => number,
): Point {
  if (config.method === "grid") return gridPoint(config.choices, index);
  const any = () => config.choices.map(() => random());
  if (config.method === "random" || observations.length < RANDOM_FIRST) return any();
  const sign = config.metric?.goal === "maximize" ? -1 : 1;
  const seen = observations.slice(-MOST_OBSERVATIONS).map(({ point, metric }) => ({ point, metric: sign * metric }));
  return expectedImprovement(seen, Array.from({ length: CANDIDATES }, any));
}

/** The last choice moves fastest. */
function gridPoint(choices: readonly Choice[], index: number): Point {
  let rest = index;
  const point = choices.map(() => 0);
  for (let at = choices.length - 1; at >= 0; at--) {
    const of = choices[at]?.of;
    const count = of && "values" in of ? of.values.length : 1;
    point[at] = ((rest % count) + 0.5) / count;
    rest = Math.floor(rest / count);
  }
  return point;
}

/** The arguments as agents get them: `{"lr": {"value": 0.1}}`, nested parameters inside the value. */
export function argumentsOf(config: SweepConfig, point: Point): Record<string, { value: JsonValue }> {
  const args: Record<string, { value: JsonValue }> = {};
  config.choices.forEach(({ path, of }, at) => {
    const value = chosen(of, point[at] ?? 0, config.method === "grid");
    const [first = "", ...inner] = path;
    if (inner.length === 0) {
      args[first] = { value };
      return;
    }
    args[first] ??= { value: {} };
    let inside = args[first].value as Record<string, JsonValue>;
    for (const key of inner.slice(0, -1)) {
      inside[key] ??= {};
      inside = inside[key] as Record<string, JsonValue>;
    }
    inside[inner.at(-1) ?? ""] = value;
  });
  return args;
}

function chosen(of: Choice["of"], u: number, even: boolean): JsonValue {
  if ("quantile" in of) return of.quantile(u);
  const weights = even ? of.values.map(() => 1) : of.weights;
  let rest = u * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [at, weight] of weights.entries()) {
    if (rest < weight) return of.values[at] ?? null;
    rest -= weight;
  }
  return of.values.at(-1) ?? null;
}
