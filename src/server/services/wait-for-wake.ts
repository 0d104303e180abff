import type { ServiceContext } from "./context.ts";

/** Between two looks at least, when something seems to be there and yet can't be had (another claimer is at it). */
const PAUSE_MS = 20;

/**
 * Looks until there is something: at once, then after every wake that concerns it and at the instant that `nextAt` names.
 * Answers `nothing` when `until` (milliseconds since 1970) or the signal comes first.
 */
export async function waitForWake<T>(
  { database, clock }: Pick<ServiceContext, "database" | "clock">,
  wait: {
    readonly until: number;
    readonly signal?: AbortSignal | undefined;
    concerns(topic: string): boolean;
    nextAt(): Promise<number | undefined>;
    look(): Promise<T | undefined>;
    readonly nothing: T;
  },
): Promise<T> {
  let woken = false;
  let wake = () => {};
  const stop = database.onWake((topic) => {
    if (topic !== "*" && !wait.concerns(topic)) return;
    woken = true;
    wake();
  });
  const onAbort = () => wake();
  wait.signal?.addEventListener("abort", onAbort, { once: true });
  try {
    for (;;) {
      woken = false;
      const found = await wait.look();
      if (found !== undefined) return found;
      const now = clock.now();
      if (now >= wait.until || wait.signal?.aborted) return wait.nothing;
      const next = await wait.nextAt();
      if (woken) continue;
      const wakeAt = Math.min(wait.until, next === undefined ? wait.until : Math.max(next, now + PAUSE_MS));
      const timer = new AbortController();
      await new Promise<void>((resolve) => {
        wake = resolve;
        clock.sleep(Math.max(0, wakeAt - now), timer.signal).then(resolve, () => resolve());
        if (wait.signal?.aborted) resolve();
      });
      wake = () => {};
      timer.abort();
    }
  } finally {
    stop();
    wait.signal?.removeEventListener("abort", onAbort);
  }
}
