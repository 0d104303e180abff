import type { Kysely, Transaction } from "kysely";
import type { Clock } from "../core/clock.ts";
import type { JsonObject } from "../core/json.ts";
import type { JsonSearch } from "./json-search.ts";
import type { Tables } from "./tables.ts";

export interface NewEvent {
  readonly entityId: string;
  readonly kind: "item" | "logs" | "agent" | "queue" | "run" | "alert";
  readonly subject: string;
  readonly queueId?: string | null;
  readonly data: JsonObject;
}

/** What a piece of work inside one database transaction has at hand. */
export interface Tx {
  readonly kysely: Transaction<Tables>;
  /** Milliseconds, the same for everything that the transaction writes. */
  readonly now: number;
  readonly dialect: DialectParts;
  /** Written at the end of the transaction, together. */
  event(event: NewEvent): void;
  /** After the commit, agents that wait for items of the queue look again, on every server process. */
  wakeQueue(queueId: string): void;
}

/** What is woken: `queue:ID` or `events`; `*` is everything (after a lost connection). */
export type WakeTopic = string;

export interface ClaimTarget {
  readonly queueId: string;
  readonly priority: number;
  readonly now: number;
}

/** The pieces of SQL that the two dialects say differently. */
export interface DialectParts {
  readonly name: "sqlite" | "postgres";
  /**
   * The oldest claimable item of the queue and priority, for this transaction alone; undefined when there is none that
   * no other transaction is about to take.
   */
  pickPending(kysely: Kysely<Tables>, target: ClaimTarget): Promise<string | undefined>;
  /** A CLAIMED item of these queues whose lease has run out or was let go of, oldest first; likewise. */
  pickOrphan(kysely: Kysely<Tables>, target: { queueIds: readonly string[]; now: number }): Promise<string | undefined>;
  /** Keeps an item as it is until the transaction ends, for work that looks before it changes. */
  lockItem(kysely: Kysely<Tables>, id: string): Promise<void>;
  readonly json: JsonSearch;
  /** Called right before event rows are written: their numbers must come in the order in which they become visible. */
  beforeEvents(kysely: Kysely<Tables>): Promise<void>;
  /** Called last in a transaction, for wakes that travel with the commit. */
  notify(kysely: Kysely<Tables>, topics: readonly WakeTopic[]): Promise<void>;
  /** Called after the commit, for wakes inside this process. */
  committed(topics: readonly WakeTopic[]): void;
  /** May the transaction be run again after this error (a deadlock that was broken)? */
  retryable(error: unknown): boolean;
  isUniqueViolation(error: unknown): boolean;
}

export interface Database {
  readonly dialect: DialectParts;
  /** For reading outside a transaction. */
  readonly kysely: Kysely<Tables>;
  /** Runs work in one transaction; all of it or nothing is kept. Never await anything but the database inside. */
  transaction<T>(clock: Clock, work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Calls listener after every wake, from whichever server process; answers how to stop. */
  onWake(listener: (topic: WakeTopic) => void): () => void;
  close(): Promise<void>;
}

/** Deadlocks are broken by the server at once; three runs in a row have never been seen to lose. */
const RUNS = 4;

export async function runTransaction<T>(
  kysely: Kysely<Tables>,
  dialect: DialectParts,
  clock: Clock,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  for (let run = 1; ; run++) {
    const events: NewEvent[] = [];
    const topics = new Set<WakeTopic>();
    try {
      const result = await kysely.transaction().execute(async (trx) => {
        const now = clock.now();
        const value = await work({
          kysely: trx,
          now,
          dialect,
          event: (event) => events.push(event),
          wakeQueue: (queueId) => topics.add(`queue:${queueId}`),
        });
        if (events.length > 0) {
          topics.add("events");
          await dialect.beforeEvents(trx);
          await trx
            .insertInto("events")
            .values(
              events.map((event) => ({
                at: now,
                entityId: event.entityId,
                kind: event.kind,
                subject: event.subject,
                queueId: event.queueId ?? null,
                data: JSON.stringify(event.data),
              })),
            )
            .execute();
        }
        if (topics.size > 0) await dialect.notify(trx, [...topics]);
        return value;
      });
      if (topics.size > 0) dialect.committed([...topics]);
      return result;
    } catch (error) {
      if (run < RUNS && dialect.retryable(error)) continue;
      throw error;
    }
  }
}

/** Listeners of one process. */
export function createWakeListeners(): {
  add(listener: (topic: WakeTopic) => void): () => void;
  fire(topics: readonly WakeTopic[]): void;
} {
  const listeners = new Set<(topic: WakeTopic) => void>();
  return {
    add(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    fire(topics) {
      for (const topic of topics) for (const listener of [...listeners]) listener(topic);
    },
  };
}
