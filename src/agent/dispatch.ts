import type { Logger } from "pino";
import { backoffDelay } from "../client/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import type { ControlPlane } from "./control-plane.ts";
import { createHeldItem, type HeldItem, Interrupted } from "./held-item.ts";
import type { LeaseBook } from "./lease.ts";

/** The server holds a poll open this long; a push ends it at once. */
const POLL_SECONDS = 20;
/** Items taken in one poll, at most: a burst is shared between agents. */
const MOST_AT_ONCE = 10;

export interface DispatchOptions {
  readonly controlPlane: ControlPlane;
  readonly book: LeaseBook;
  /** Jobs at once; Infinity: no limit. */
  readonly maxJobs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The agent's own end. */
  readonly closing: AbortSignal;
  /** Works on an item until it has ended; never throws. */
  readonly work: (held: HeldItem) => Promise<void>;
  /** The server does not know this agent any more. */
  readonly register: () => Promise<void>;
  /** Somebody asked the agent to leave. */
  readonly onStopPolling: () => void;
}

/**
 * Step 2 of the way of one job, over and over: takes as many items as there is room for and starts work on each. Polls
 * long, so an idle agent costs three calls a minute and yet reacts at once. Never throws; returns when closing.
 */
export async function dispatch(options: DispatchOptions): Promise<void> {
  const { book, clock, closing, logger } = options;
  let failures = 0;
  while (!closing.aborted) {
    const room = Math.min(MOST_AT_ONCE, options.maxJobs - book.items().length);
    if (room <= 0) {
      await book.freed(closing);
      continue;
    }
    try {
      // With jobs at work a poll must not outlast the room for more: a freed place only widens the next poll.
      const { leases, stopPolling, askedAt } = await options.controlPlane.lease(room, POLL_SECONDS, closing);
      for (const lease of leases) start(createHeldItem(lease, { clock, askedAt, closing }));
      if (stopPolling) options.onStopPolling();
      if (failures > 0) logger.info("the server answers again");
      failures = 0;
    } catch (error) {
      if (closing.aborted) return;
      failures++;
      if (failures === 1) logger.warn({ err: error }, "the server gave no items; trying again");
      try {
        if (isForgotten(error)) await options.register();
        await clock.sleep(backoffDelay(failures, { baseMs: 250, maxMs: 5_000 }, Math.random()), closing);
      } catch (again) {
        if (!(again instanceof Interrupted)) logger.debug({ err: again }, "still no answer");
      }
    }
  }

  function start(held: HeldItem): void {
    book.add(held);
    void options.work(held).finally(() => book.remove(held));
  }
}

/** The server has lost (or never had) our registration: a new database, an agent deleted by hand. */
function isForgotten(error: unknown): boolean {
  return error instanceof SlipwayError && error.status === 404;
}
