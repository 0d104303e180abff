import type { Clock } from "../../core/clock.ts";

/** A clock that stands still until it is told how much time has passed. */
export interface ManualClock extends Clock {
  advance(ms: number): void;
  /** Resolves when somebody sleeps until `at` or earlier. */
  sleeper(at: number): Promise<void>;
}

export function manualClock(start = Date.UTC(2026, 0, 1)): ManualClock {
  let now = start;
  const sleepers = new Set<{ at: number; wake(): void }>();
  const watchers = new Set<() => void>();
  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const sleeper = { at: now + ms, wake: resolve };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", () => {
          sleepers.delete(sleeper);
          reject(signal.reason);
        });
        for (const check of [...watchers]) check();
      }),
    advance(ms) {
      now += ms;
      for (const sleeper of [...sleepers]) {
        if (sleeper.at > now) continue;
        sleepers.delete(sleeper);
        sleeper.wake();
      }
    },
    sleeper: (at) =>
      new Promise((resolve) => {
        const check = () => {
          if (![...sleepers].some((sleeper) => sleeper.at <= at)) return;
          watchers.delete(check);
          resolve();
        };
        watchers.add(check);
        check();
      }),
  };
}
