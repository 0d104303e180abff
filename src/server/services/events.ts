import { latestEvent, listEvents, oldestEvent } from "../../store/events.ts";
import type { EventRecord } from "../../store/records.ts";
import { visibleEntities } from "./authorize.ts";
import type { ServiceContext } from "./context.ts";
import { visibleEntity } from "./entity-lookup.ts";
import type { Principal } from "./principal.ts";
import { waitForWake } from "./wait-for-wake.ts";

export interface EventsService {
  /** The newest sequence number: where a reader that wants only what comes begins. */
  latest(): Promise<number>;
  /**
   * Events after `after` that the caller may see, oldest first; waits up to waitMs for the first. `next` is where to
   * go on, also when every event in between was somebody else's. `truncated`: events after `after` have been
   * forgotten already, so read the state anew.
   */
  read(
    principal: Principal,
    input: {
      readonly after: number;
      readonly entityName?: string | null;
      readonly limit?: number;
      readonly waitMs?: number;
      readonly signal?: AbortSignal;
    },
  ): Promise<{ events: readonly EventRecord[]; next: number; truncated: boolean }>;
}

const PAGE = 500;

export function createEventsService(context: ServiceContext): EventsService {
  const { database, clock } = context;
  const { kysely } = database;
  return {
    latest: () => latestEvent(kysely),

    async read(principal, input) {
      const mine = visibleEntities(principal);
      const entityIds = input.entityName ? [(await visibleEntity(kysely, principal, input.entityName)).id] : mine;
      const limit = Math.min(input.limit ?? PAGE, PAGE);
      const oldest = await oldestEvent(kysely);
      const truncated = oldest !== undefined && input.after + 1 < oldest;
      let next = input.after;
      return waitForWake(context, {
        until: clock.now() + (input.waitMs ?? 0),
        signal: input.signal,
        concerns: (topic) => topic === "events",
        nextAt: async () => undefined,
        async look() {
          // Numbers become visible in order (beforeEvents), so everything up to the newest has been looked at.
          const upTo = await latestEvent(kysely);
          if (upTo <= next) return undefined;
          const none = entityIds !== null && entityIds.length === 0;
          const events = none ? [] : await listEvents(kysely, { after: next, upTo, entityIds, limit });
          const last = events.at(-1);
          next = events.length === limit && last !== undefined ? last.seq : upTo;
          return events.length > 0 ? { events, next, truncated } : undefined;
        },
        get nothing() {
          return { events: [], next, truncated };
        },
      });
    },
  };
}
