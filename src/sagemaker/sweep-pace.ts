/** Milliseconds between two sweeps, at least and at most. */
export const FASTEST_MS = 500;
export const SLOWEST_MS = 10_000;
const WIDEST_FACTOR = 32;

/** How often to look: a tenth of the time since something last moved, so that news is at most 10 % late. */
export interface SweepPace {
  /** Something changed, or a job was just submitted. */
  moved(now: number): void;
  /** AWS said "slow down". */
  throttled(): void;
  /** A sweep went through. */
  succeeded(): void;
  /** Milliseconds until the next sweep. */
  interval(now: number): number;
}

/**
 * Between half a second and 10 s. Throttling doubles the interval at each time (up to 32-fold); each success takes a
 * tenth of the surplus back, so that many agents of one account settle below the account's rate.
 */
export function createSweepPace(now: number): SweepPace {
  let lastMove = now;
  let factor = 1;
  return {
    moved: (at) => {
      lastMove = Math.max(lastMove, at);
    },
    throttled: () => {
      factor = Math.min(WIDEST_FACTOR, factor * 2);
    },
    succeeded: () => {
      factor = 1 + (factor - 1) * 0.9;
    },
    interval: (at) => Math.min(SLOWEST_MS, Math.max(FASTEST_MS, (at - lastMove) / 10)) * factor,
  };
}
