import type { Clock } from "../core/clock.ts";

export interface RateLimit {
  /** Resolves when a call may be made. Rejects with the signal's reason. */
  take(signal?: AbortSignal): Promise<void>;
  /** The service said "slow down": half the rate; it grows back by itself. */
  throttled(): void;
}

/** At most `perSecond` calls a second, bursts of as many; after throttling less, recovering by a tenth each second. */
export function createRateLimit(perSecond: number, clock: Clock): RateLimit {
  let rate = perSecond;
  let tokens = perSecond;
  let at = clock.now();
  const refill = () => {
    const seconds = Math.max(0, (clock.now() - at) / 1000);
    at = clock.now();
    rate = Math.min(perSecond, rate + (perSecond / 10) * seconds);
    tokens = Math.min(perSecond, tokens + rate * seconds);
  };
  return {
    async take(signal) {
      refill();
      // The token is spent at once, into debt if need be, so that waiting callers queue up in order.
      tokens -= 1;
      if (tokens < 0) await clock.sleep((-tokens / rate) * 1000, signal);
    },
    throttled() {
      refill();
      rate = Math.max(0.5, rate / 2);
    },
  };
}
