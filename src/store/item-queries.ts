import { type Kysely, sql } from "kysely";
import type { ItemState } from "../core/items/item-states.ts";
import { toItem } from "./items.ts";
import type { ItemRecord, QueueCounts } from "./records.ts";
import type { Tables } from "./tables.ts";

export async function findItem(db: Kysely<Tables>, id: string): Promise<ItemRecord | undefined> {
  const row = await db.selectFrom("items").selectAll().where("id", "=", id).executeTakeFirst();
  return row && toItem(row);
}

/** Items of these entities (null: of all) whose run id begins with the text, newest first, two at most unless one is exact. */
export async function findItemsByRunPrefix(
  db: Kysely<Tables>,
  entityIds: readonly string[] | null,
  prefix: string,
): Promise<readonly ItemRecord[]> {
  const of = () => {
    const query = db.selectFrom("items").selectAll().orderBy("id", "desc");
    return entityIds === null
      ? query
      : query.where((e) => e.or([e("entityId", "in", entityIds), e("queueEntityId", "in", entityIds)]));
  };
  if (entityIds?.length === 0) return [];
  const exact = await of().where("runId", "=", prefix).limit(1).execute();
  if (exact.length > 0) return exact.map(toItem);
  // Not LIKE: a run id may have _ and % in it. U+FFFF comes after every character of one.
  const rows = await of().where("runId", ">=", prefix).where("runId", "<", `${prefix}\uffff`).limit(2).execute();
  return rows.filter((row) => row.runId.startsWith(prefix)).map(toItem);
}

export async function findItemOfRun(
  db: Kysely<Tables>,
  entityId: string,
  projectName: string,
  runId: string,
): Promise<ItemRecord | undefined> {
  const row = await db
    .selectFrom("items")
    .selectAll()
    .where("runId", "=", runId)
    .where("entityId", "=", entityId)
    .where("projectName", "=", projectName)
    .orderBy("id", "desc")
    .executeTakeFirst();
  return row && toItem(row);
}

export interface ItemFilter {
  /** Null: of all entities. */
  readonly entityIds: readonly string[] | null;
  readonly queueId?: string | undefined;
  readonly states?: readonly ItemState[] | null | undefined;
  /** Items older than this one. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** Newest first. */
export async function listItems(db: Kysely<Tables>, filter: ItemFilter): Promise<readonly ItemRecord[]> {
  if (filter.entityIds?.length === 0) return [];
  let query = db.selectFrom("items").selectAll().orderBy("id", "desc").limit(filter.limit);
  const { entityIds } = filter;
  if (entityIds !== null)
    query = query.where((e) => e.or([e("entityId", "in", entityIds), e("queueEntityId", "in", entityIds)]));
  if (filter.queueId !== undefined) query = query.where("queueId", "=", filter.queueId);
  if (filter.states && filter.states.length > 0) query = query.where("state", "in", filter.states);
  if (filter.before !== undefined) query = query.where("id", "<", filter.before);
  return (await query.execute()).map(toItem);
}

export async function itemsHeldBy(db: Kysely<Tables>, agentId: string): Promise<readonly ItemRecord[]> {
  const rows = await db
    .selectFrom("items")
    .selectAll()
    .where("agentId", "=", agentId)
    .where("state", "in", ["LEASED", "CLAIMED"])
    .orderBy("id")
    .execute();
  return rows.map(toItem);
}

/** Items whose agent has let its lease run out by now, and that nobody has looked after yet. */
export async function itemsWithLeaseOver(db: Kysely<Tables>, now: number): Promise<readonly ItemRecord[]> {
  const rows = await db
    .selectFrom("items")
    .selectAll()
    .where("state", "in", ["LEASED", "CLAIMED"])
    .where("leaseExpiresAt", "<=", now)
    .where(sql<boolean>`(state = 'LEASED' OR agent_id IS NOT NULL)`)
    .orderBy("id")
    .limit(500)
    .execute();
  return rows.map(toItem);
}

/** What plain agents have acknowledged, with what is known of the run: their ends are concluded from it. */
export async function plainItemsWithRuns(
  db: Kysely<Tables>,
): Promise<
  readonly { item: ItemRecord; run: { state: string; exitCode: number | null; heartbeatAt: number | null } | null }[]
> {
  const rows = await db
    .selectFrom("items as i")
    .leftJoin("runs as r", (join) =>
      join.onRef("r.projectId", "=", "i.projectId").on(sql<boolean>`r.name = COALESCE(i.associated_run_id, i.run_id)`),
    )
    .selectAll("i")
    .select(["r.state as runState", "r.exitCode as runExitCode", "r.heartbeatAt as runHeartbeatAt"])
    .where("i.state", "=", "CLAIMED")
    .where("i.plain", "=", 1)
    .execute();
  return rows.map(({ runState, runExitCode, runHeartbeatAt, ...row }) => ({
    item: toItem(row),
    run: runState === null ? null : { state: runState, exitCode: runExitCode, heartbeatAt: runHeartbeatAt },
  }));
}

export async function pendingItemIds(db: Kysely<Tables>, queueId: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom("items")
    .select("id")
    .where("queueId", "=", queueId)
    .where("state", "=", "PENDING")
    .orderBy("id")
    .execute();
  return rows.map((row) => row.id);
}

/** How many PENDING items of its queue come before this one. */
export async function countBefore(db: Kysely<Tables>, item: ItemRecord): Promise<number> {
  const row = await db
    .selectFrom("items")
    .select((e) => e.fn.countAll<number>().as("count"))
    .where("queueId", "=", item.queueId)
    .where("state", "=", "PENDING")
    .where((e) =>
      e.or([e("priority", "<", item.priority), e.and([e("priority", "=", item.priority), e("id", "<", item.id)])]),
    )
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

const EMPTY: QueueCounts = {
  pending: 0,
  leased: 0,
  claimed: 0,
  finished: 0,
  failed: 0,
  stopped: 0,
  oldestPendingAt: null,
};

export async function countItems(
  db: Kysely<Tables>,
  queueIds: readonly string[],
): Promise<ReadonlyMap<string, QueueCounts>> {
  const counts = new Map<string, QueueCounts>(queueIds.map((id) => [id, EMPTY]));
  if (queueIds.length === 0) return counts;
  const rows = await db
    .selectFrom("items")
    .select(["queueId", "state"])
    .select((e) => [e.fn.countAll<number>().as("count"), e.fn.min("createdAt").as("oldest")])
    .where("queueId", "in", queueIds)
    .groupBy(["queueId", "state"])
    .execute();
  for (const row of rows) {
    const before = counts.get(row.queueId) ?? EMPTY;
    counts.set(row.queueId, {
      ...before,
      [row.state.toLowerCase()]: Number(row.count),
      ...(row.state === "PENDING" ? { oldestPendingAt: Number(row.oldest) } : {}),
    });
  }
  return counts;
}
