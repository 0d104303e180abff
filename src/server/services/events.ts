import type { EventRecord } from "../../store/records.ts";
import type { Principal } from "./principal.ts";

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
