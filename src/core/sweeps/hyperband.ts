import type { Wrong } from "./sweep-config.ts";

/** The rule by which a sweep stops its worse runs early (`early_terminate` with type hyperband). */
export interface Hyperband {
  /** After so many values of the metric a run is compared with the others, ascending. */
  readonly rungs: readonly number[];
  /** Of the runs that have come to a rung the best 1/eta go on. */
  readonly eta: number;
  /** Compare a run at every rung that it has passed, whenever it reports; else once, as it comes to the rung. */
  readonly strict: boolean;
}

/** How far a run has come. */
export interface Progress {
  /** How many values of the metric it has logged. */
  readonly logged: number;
  /** The lowest of them; null before the first. */
  readonly best: number | null;
}

export interface RungReached {
  readonly rung: number;
  /** The run's best value until then. */
  readonly value: number;
}

const LONGEST = 1e12;
const MOST_RUNGS = 100;

/** Adds up values of the metric (less is better) in the order in which they were logged, and tells the rungs they come to. */
export function advance(
  before: Progress,
  values: Iterable<number>,
  { rungs }: Hyperband,
): { readonly progress: Progress; readonly reached: readonly RungReached[] } {
  let { logged, best } = before;
  const reached: RungReached[] = [];
  let next = rungs.findIndex((rung) => rung > logged);
  for (const value of values) {
    logged++;
    best = best === null ? value : Math.min(best, value);
    if (rungs[next] !== logged) continue;
    reached.push({ rung: logged, value: best });
    next++;
  }
  return { progress: { logged, best }, reached };
}

/** Whether a run at a rung is to stop: `reached` runs have come there, itself with them, and `better` of them did better. */
export function fallsBehind(at: { readonly reached: number; readonly better: number }, eta: number): boolean {
  return at.better >= Math.max(1, Math.ceil(at.reached / eta));
}

/** The metric's value as it is compared: less is better, and what is no number is worst. */
export function comparable(value: unknown, goal: "minimize" | "maximize"): number {
  const number = typeof value === "number" && !Number.isNaN(value) ? value : oddNumber(value);
  if (number === undefined) return Number.MAX_VALUE;
  const signed = goal === "maximize" ? -number : number;
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, signed));
}

/** Infinities come as texts in a history that was read as JSON. */
function oddNumber(value: unknown): number | undefined {
  if (value === "Infinity") return Number.POSITIVE_INFINITY;
  return value === "-Infinity" ? Number.NEGATIVE_INFINITY : undefined;
}

/** Reads `early_terminate`: `{type: hyperband, min_iter: 3}` or `{type: hyperband, max_iter: 27, s: 2}`, with eta and strict. */
export function readHyperband(value: unknown, wrong: Wrong): Hyperband | null {
  if (value == null) return null;
  const place = "early_terminate";
  if (typeof value !== "object" || Array.isArray(value)) {
    wrong(place, `${place} must be a mapping, for instance {type: hyperband, min_iter: 3}`);
    return null;
  }
  const { type, min_iter: min, max_iter: max, s, eta = 3, strict = false } = value as Record<string, unknown>;
  const whole = (number: unknown) => Number.isInteger(number) && Number(number) >= 1 && Number(number) <= LONGEST;
  let right = true;
  const no = (path: string, message: string) => {
    right = false;
    wrong(`${place}.${path}`, `${place}.${message}`);
  };
  if (type !== "hyperband") no("type", `type must be hyperband, unlike ${JSON.stringify(type ?? null)}`);
  if ((min == null) === (max == null))
    no(max == null ? "min_iter" : "max_iter", "min_iter or max_iter is needed, one of them");
  if (min != null && !whole(min)) no("min_iter", "min_iter must be a whole number from 1 on");
  if (max != null && !whole(max)) no("max_iter", "max_iter must be a whole number from 1 on");
  if (max != null && !whole(s)) no("s", "s must be given with max_iter: how many brackets there are, from 1 on");
  if (min != null && s != null) no("s", "s goes with max_iter, not with min_iter");
  if (typeof eta !== "number" || !(eta > 1) || !Number.isFinite(eta)) no("eta", "eta must be a number above 1");
  if (typeof strict !== "boolean") no("strict", "strict must be true or false");
  for (const name of Object.keys(value))
    if (!["type", "min_iter", "max_iter", "s", "eta", "strict"].includes(name))
      no(name, `${name} is not known; there are type, min_iter, max_iter, s, eta and strict`);
  if (!right) return null;
  const rungs = max == null ? upFrom(Number(min), Number(eta)) : downFrom(Number(max), Number(eta), Number(s));
  if (rungs.length === 0) no("s", "max_iter divided by eta leaves no bracket of 1 or more");
  return { rungs, eta: Number(eta), strict: strict === true };
}

function upFrom(min: number, eta: number): number[] {
  const rungs = new Set<number>();
  for (let rung = min; rung <= LONGEST && rungs.size < MOST_RUNGS; rung *= eta) rungs.add(Math.floor(rung));
  return [...rungs];
}

function downFrom(max: number, eta: number, s: number): number[] {
  const rungs = new Set<number>();
  for (let left = Math.min(s, MOST_RUNGS), rung = max / eta; left > 0 && rung >= 1; left--, rung /= eta)
    rungs.add(Math.floor(rung));
  return [...rungs].reverse();
}
