/** Delays between tries: exponential from `baseMs`, never above `maxMs`, each drawn from the upper half (equal jitter). */
export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * Milliseconds to wait before try number `attempt` + 1 (attempt counts from 1). `random` is in [0, 1).
 * Half of the delay is fixed, so that a herd spreads out and yet nobody hammers.
 */
export function backoffDelay(attempt: number, { baseMs, maxMs }: Backoff, random: number): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 30));
  return ceiling / 2 + (ceiling / 2) * random;
}

/** Milliseconds that a Retry-After header asks for: seconds or an HTTP date; undefined if it is neither. */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null || header.trim() === "") return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
