import type { Logger } from "pino";
import { backoffDelay } from "../client/backoff.ts";
import type { Clock } from "../core/clock.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { HeldItem } from "./held-item.ts";

/** Every lease is renewed this often, all in one call; a lease lasts four times as long. */
export const RENEW_MS = 15_000;
/** A renewal that was asked for (somebody wants a stop) comes no sooner than this after the last. */
const RENEW_AGAIN_MS = 250;

/** What the agent holds. */
export interface LeaseBook {
  items(): readonly HeldItem[];
  get(itemId: string): HeldItem | undefined;
  add(held: HeldItem): void;
  remove(held: HeldItem): void;
  /** Resolves when an item is removed. */
  freed(signal: AbortSignal): Promise<void>;
}

export function createLeaseBook(): LeaseBook {
  const byId = new Map<string, HeldItem>();
  let waiting: (() => void)[] = [];
  return {
    items: () => [...byId.values()],
    get: (itemId) => byId.get(itemId),
    add: (held) => {
      // Two leases of one item cannot both be good: the newer one is.
      byId.get(held.id)?.lose();
      byId.set(held.id, held);
    },
    remove: (held) => {
      if (byId.get(held.id) === held) byId.delete(held.id);
      for (const resolve of waiting) resolve();
      waiting = [];
    },
    freed: (signal) =>
      new Promise((resolve) => {
        waiting.push(resolve);
        signal.addEventListener("abort", () => resolve(), { once: true });
      }),
  };
}

export interface Renewals {
  /** Renew now: news for one of our items is waiting at the server. */
  hurry(): void;
  /** Renews until the signal is aborted; never throws. */
  run(signal: AbortSignal): Promise<void>;
}

export interface RenewalOptions {
  readonly controlPlane: ControlPlane;
  readonly book: LeaseBook;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Somebody asked the agent to leave. */
  readonly onStopPolling: () => void;
}

/**
 * Renews all leases in one call every 15 s; the call is the agent's heartbeat too, and brings stop requests. While the
 * server cannot be reached it is tried every few seconds: the jobs are watched all the same, and the server says
 * afterwards which items are still ours.
 */
export function createRenewals(options: RenewalOptions): Renewals {
  const { controlPlane, book, clock, logger } = options;
  let wake = () => {};
  let urgent = false;

  async function round(): Promise<void> {
    const items = book.items();
    const { stopPolling } = await controlPlane.renew(items, items.length > 0 ? "RUNNING" : "POLLING");
    if (stopPolling) options.onStopPolling();
  }

  return {
    hurry() {
      urgent = true;
      wake();
    },
    async run(signal) {
      let failures = 0;
      while (!signal.aborted) {
        const wait = failures === 0 ? RENEW_MS : backoffDelay(failures, { baseMs: 500, maxMs: 5_000 }, Math.random());
        if (!urgent) {
          const woken = new Promise<void>((resolve) => {
            wake = resolve;
          });
          const over = new AbortController();
          const stop = () => over.abort();
          signal.addEventListener("abort", stop, { once: true });
          await Promise.race([clock.sleep(wait, over.signal).catch(() => {}), woken]);
          signal.removeEventListener("abort", stop);
          over.abort();
        }
        if (signal.aborted) return;
        urgent = false;
        try {
          await round();
          if (failures > 0) logger.info("the server answers again");
          failures = 0;
          await clock.sleep(RENEW_AGAIN_MS, signal).catch(() => {});
        } catch (error) {
          if (signal.aborted) return;
          failures++;
          const held = book.items().length;
          if (failures === 1) logger.warn({ err: error, held }, "leases could not be renewed; trying again");
        }
      }
    },
  };
}
