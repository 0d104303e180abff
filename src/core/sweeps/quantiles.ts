/** Maps u in [0, 1) to a value: the inverse of a cumulative distribution. */
export type Quantile = (u: number) => number;

interface Numbers {
  readonly min: number;
  readonly max: number;
  readonly mu: number;
  readonly sigma: number;
  readonly q: number;
}

const steps = (value: number, q: number) => Number((Math.round(value / q) * q).toPrecision(12));

/** The distributions of a sweep's numbers by their names in the config. `log_uniform` has exponents of e as its limits. */
export const QUANTILES: Readonly<Record<string, (of: Numbers) => Quantile>> = {
  uniform:
    ({ min, max }) =>
    (u) =>
      min + u * (max - min),
  q_uniform: (of) => (u) => steps(of.min + u * (of.max - of.min), of.q),
  int_uniform:
    ({ min, max }) =>
    (u) =>
      Math.min(max, min + Math.floor(u * (max - min + 1))),
  log_uniform:
    ({ min, max }) =>
    (u) =>
      Math.exp(min + u * (max - min)),
  log_uniform_values:
    ({ min, max }) =>
    (u) =>
      between(min, max, u),
  q_log_uniform: (of) => (u) => steps(Math.exp(of.min + u * (of.max - of.min)), of.q),
  q_log_uniform_values: (of) => (u) => steps(between(of.min, of.max, u), of.q),
  inv_log_uniform:
    ({ min, max }) =>
    (u) =>
      Math.exp(-(max - u * (max - min))),
  inv_log_uniform_values:
    ({ min, max }) =>
    (u) =>
      min + max - between(min, max, 1 - u),
  normal:
    ({ mu, sigma }) =>
    (u) =>
      mu + sigma * normalQuantile(u),
  q_normal: (of) => (u) => steps(of.mu + of.sigma * normalQuantile(u), of.q),
  log_normal:
    ({ mu, sigma }) =>
    (u) =>
      Math.exp(mu + sigma * normalQuantile(u)),
  q_log_normal: (of) => (u) => steps(Math.exp(of.mu + of.sigma * normalQuantile(u)), of.q),
};

function between(min: number, max: number, u: number): number {
  return Math.min(max, Math.max(min, Math.exp(Math.log(min) + u * (Math.log(max) - Math.log(min)))));
}

/** The standard normal's cumulative distribution, to 1.5e-7 (Abramowitz and Stegun 7.1.26). */
export function normalCdf(x: number): number {
  const z = Math.abs(x) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * z);
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const erf = 1 - series * Math.exp(-z * z);
  return x < 0 ? (1 - erf) / 2 : (1 + erf) / 2;
}

function normalQuantile(u: number): number {
  let low = -8;
  let high = 8;
  for (let round = 0; round < 60; round++) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < u) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
