import type { Kysely } from "kysely";
import { sql } from "kysely";
import type { Tx } from "./database.ts";
import { changeItem } from "./items.ts";
import type { ItemRecord } from "./records.ts";
import type { Tables } from "./tables.ts";

/** By whom and how items are taken. */
export interface Claimer {
  /** Null: a plain pop that named no agent. */
  readonly agentId: string | null;
  readonly actor: string;
  readonly plain: boolean;
  readonly leaseExpiresAt: number;
}

/**
 * Takes up to `max` items of the queues for an agent: first those that an agent left behind (not for a plain one, which
 * could not go on with them), then waiting ones by priority, then from the queue that was served longest ago, then by age.
 */
export async function claimItems(
  tx: Tx,
  queueIds: readonly string[],
  max: number,
  claimer: Claimer,
): Promise<readonly ItemRecord[]> {
  const items: ItemRecord[] = [];
  if (queueIds.length === 0) return items;
  while (!claimer.plain && items.length < max) {
    const item = await adoptOrphan(tx, queueIds, claimer);
    if (!item) break;
    items.push(item);
  }
  while (items.length < max) {
    const item = await claimPending(tx, queueIds, claimer);
    if (!item) break;
    items.push(item);
  }
  return items;
}

async function adoptOrphan(tx: Tx, queueIds: readonly string[], claimer: Claimer): Promise<ItemRecord | undefined> {
  const id = await tx.dialect.pickOrphan(tx.kysely, { queueIds, now: tx.now });
  if (id === undefined) return undefined;
  return changeItem(
    tx,
    { id, states: ["CLAIMED"], plain: false },
    { raiseToken: true, agentId: claimer.agentId, leaseExpiresAt: claimer.leaseExpiresAt },
    { kind: "adopted", actor: claimer.actor },
  );
}

/** Other claimers may be about to take the heads that we saw; after so many looks the next wake will tell. */
const LOOKS = 3;

async function claimPending(tx: Tx, queueIds: readonly string[], claimer: Claimer): Promise<ItemRecord | undefined> {
  for (let look = 0; look < LOOKS; look++) {
    const heads = await queueHeads(tx, queueIds);
    if (heads.length === 0) return undefined;
    for (const head of heads) {
      const id = await tx.dialect.pickPending(tx.kysely, { ...head, now: tx.now });
      if (id === undefined) continue;
      const item = await changeItem(
        tx,
        { id, states: ["PENDING"] },
        {
          state: "LEASED",
          phase: "planning",
          raiseToken: true,
          plain: claimer.plain,
          agentId: claimer.agentId,
          leaseExpiresAt: claimer.leaseExpiresAt,
          notBefore: 0,
          waitingReason: null,
          cause: null,
          message: null,
          error: null,
        },
        { kind: "leased", actor: claimer.actor },
      );
      if (!item) continue;
      await tx.kysely
        .updateTable("queues")
        .set({ served: sql<number>`(SELECT MAX(served) + 1 FROM queues)` })
        .where("id", "=", head.queueId)
        .execute();
      return item;
    }
  }
  return undefined;
}

/** Each queue that has a claimable item, with the priority of its first: in the order in which they are to be served. */
async function queueHeads(
  tx: Tx,
  queueIds: readonly string[],
): Promise<readonly { queueId: string; priority: number }[]> {
  const heads = await sql<{ queueId: string; priority: number | null; served: number }>`
    SELECT q.id AS queue_id, q.served AS served, (
      SELECT i.priority FROM items i
      WHERE i.queue_id = q.id AND i.state = 'PENDING' AND i.not_before <= ${tx.now}
      ORDER BY i.priority, i.id LIMIT 1) AS priority
    FROM queues q WHERE q.id IN (${sql.join(queueIds)}) AND q.deleted_at IS NULL`.execute(tx.kysely);
  return heads.rows
    .flatMap(({ queueId, priority, served }) => (priority === null ? [] : [{ queueId, priority, served }]))
    .sort((a, b) => a.priority - b.priority || a.served - b.served || (a.queueId < b.queueId ? -1 : 1));
}

/** When the next waiting item of the queues is due, or an orphan's lease ends; undefined: nothing is to come by itself. */
export async function nextClaimableAt(db: Kysely<Tables>, queueIds: readonly string[]): Promise<number | undefined> {
  if (queueIds.length === 0) return undefined;
  const row = await db
    .selectFrom("items")
    .select((e) => e.fn.min("notBefore").as("at"))
    .where("queueId", "in", queueIds)
    .where("state", "=", "PENDING")
    .executeTakeFirst();
  return row?.at === null || row?.at === undefined ? undefined : Number(row.at);
}
