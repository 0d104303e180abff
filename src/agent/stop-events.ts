import type { Logger } from "pino";
import { backoffDelay } from "../client/backoff.ts";
import type { Client } from "../client/client.ts";
import type { Clock } from "../core/clock.ts";
import type { LeaseBook } from "./lease.ts";

export interface StopEventOptions {
  readonly client: Client;
  /** Owner of the queues. */
  readonly entity: string;
  readonly book: LeaseBook;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called when one of our items is to stop. */
  readonly onStop: () => void;
}

/**
 * Listens to the entity's live events, so that a stop request is acted on within a moment. Nothing depends on it: the
 * renewal brings the same news within 15 s. Never throws.
 */
export async function listenForStops(options: StopEventOptions, signal: AbortSignal): Promise<void> {
  const { book, clock, logger } = options;
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      for await (const event of options.client.events({ entity: options.entity, signal })) {
        const { id, stopRequested } = itemNews(event.data);
        const held = id === undefined ? undefined : book.get(id);
        if (held !== undefined && !held.stopRequested && stopRequested === true) options.onStop();
      }
    } catch (error) {
      logger.debug({ err: error }, "live events are not available; stops come with the renewals");
    }
    await clock.sleep(backoffDelay(failures, { baseMs: 5_000, maxMs: 120_000 }, Math.random()), signal).catch(() => {});
  }
}

/** An item's event carries its id and whether a stop is asked for; other events do not. */
function itemNews(data: unknown): { readonly id?: string; readonly stopRequested?: boolean } {
  return typeof data === "object" && data !== null ? data : {};
}
