import { normalCdf } from "./quantiles.ts";

interface Seen {
  readonly point: readonly number[];
  /** Less is better. */
  readonly metric: number;
}

const LENGTH = 0.3;
const NOISE = 1e-4;

/** Of the candidates the one that promises most below the best seen, by a gaussian process over the unit cube. */
export function expectedImprovement(
  seen: readonly Seen[],
  candidates: readonly (readonly number[])[],
): readonly number[] {
  const mean = seen.reduce((sum, { metric }) => sum + metric, 0) / seen.length;
  const spread = Math.sqrt(seen.reduce((sum, { metric }) => sum + (metric - mean) ** 2, 0) / seen.length) || 1;
  const ys = seen.map(({ metric }) => (metric - mean) / spread);
  const factor = cholesky(seen.map((a, i) => seen.map((b, j) => kernel(a.point, b.point) + (i === j ? NOISE : 0))));
  const scaled = forward(factor, ys);
  const best = Math.min(...ys);
  let winner = candidates[0] ?? [];
  let most = -1;
  for (const candidate of candidates) {
    const v = forward(
      factor,
      seen.map(({ point }) => kernel(point, candidate)),
    );
    const expected = v.reduce((sum, one, at) => sum + one * (scaled[at] ?? 0), 0);
    const deviation = Math.sqrt(Math.max(1e-12, 1 - v.reduce((sum, one) => sum + one * one, 0)));
    const z = (best - expected) / deviation;
    const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
    const promise = (best - expected) * normalCdf(z) + deviation * density;
    if (promise > most) {
      most = promise;
      winner = candidate;
    }
  }
  return winner;
}

function kernel(a: readonly number[], b: readonly number[]): number {
  const squares = a.reduce((sum, one, at) => sum + (one - (b[at] ?? 0)) ** 2, 0);
  return Math.exp(-squares / (2 * LENGTH * LENGTH));
}

/** The lower triangle L with L Lᵀ = m. */
function cholesky(m: readonly (readonly number[])[]): number[][] {
  const lower: number[][] = [];
  for (const [i, row] of m.entries()) {
    const made: number[] = [];
    for (let j = 0; j <= i; j++) {
      let sum = row[j] ?? 0;
      for (let k = 0; k < j; k++) sum -= (made[k] ?? 0) * ((j === i ? made : lower[j])?.[k] ?? 0);
      made.push(j === i ? Math.sqrt(Math.max(sum, 1e-12)) : sum / (lower[j]?.[j] ?? 1));
    }
    lower.push(made);
  }
  return lower;
}

/** Solves L x = y. */
function forward(lower: readonly (readonly number[])[], y: readonly number[]): number[] {
  const x: number[] = [];
  for (const [i, row] of lower.entries()) {
    let sum = y[i] ?? 0;
    for (let k = 0; k < i; k++) sum -= (row[k] ?? 0) * (x[k] ?? 0);
    x.push(sum / (row[i] ?? 1));
  }
  return x;
}
