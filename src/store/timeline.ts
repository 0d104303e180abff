import type { Kysely } from "kysely";
import type { ItemPhase, ItemState } from "../core/items/item-states.ts";
import type { JsonValue } from "../core/json.ts";
import type { Tx } from "./database.ts";
import type { ItemRecord, TimelineRecord } from "./records.ts";
import type { Tables } from "./tables.ts";

export interface TimelineEntry {
  readonly kind: string;
  /** `user:NAME`, `agent:NAME` or `server`. */
  readonly actor: string;
  readonly message?: string | null;
  readonly detail?: JsonValue | undefined;
  /** When it happened, if that is known better than the time of the call. */
  readonly at?: number;
}

/** Written with the change that it tells of, in the same transaction. */
export async function insertTimeline(
  tx: Tx,
  item: Pick<ItemRecord, "id" | "attempt" | "state" | "phase">,
  entry: TimelineEntry,
): Promise<void> {
  await tx.kysely
    .insertInto("timeline")
    .values({
      itemId: item.id,
      at: entry.at ?? tx.now,
      attempt: item.attempt,
      kind: entry.kind,
      state: item.state,
      phase: item.phase,
      actor: entry.actor,
      message: entry.message ?? null,
      detail: entry.detail === undefined || entry.detail === null ? null : JSON.stringify(entry.detail),
    })
    .execute();
}

export async function listTimeline(
  db: Kysely<Tables>,
  itemId: string,
  page: { after: number; first: number },
): Promise<readonly TimelineRecord[]> {
  const rows = await db
    .selectFrom("timeline")
    .selectAll()
    .where("itemId", "=", itemId)
    .where("seq", ">", page.after)
    .orderBy("seq")
    .limit(page.first)
    .execute();
  return rows.map((row) => ({
    ...row,
    state: row.state as ItemState | null,
    phase: row.phase as ItemPhase | null,
    detail: row.detail === null ? null : (JSON.parse(row.detail) as JsonValue),
  }));
}
