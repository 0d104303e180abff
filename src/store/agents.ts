import type { Kysely, Selectable } from "kysely";
import type { AgentRecord } from "./records.ts";
import type { Tables } from "./tables.ts";

type Row = Selectable<Tables["agents"]> & { entityName: string };

function select(db: Kysely<Tables>) {
  return db
    .selectFrom("agents as a")
    .innerJoin("entities as e", "e.id", "a.entityId")
    .selectAll("a")
    .select("e.name as entityName");
}

async function toRecords(db: Kysely<Tables>, rows: readonly Row[]): Promise<readonly AgentRecord[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id);
  const serves = await db
    .selectFrom("agentQueues")
    .selectAll()
    .where("agentId", "in", ids)
    .orderBy("queueId")
    .execute();
  return rows.map(({ silent, ...row }) => ({
    ...row,
    stopPolling: row.stopPolling === 1,
    queueIds: serves.filter((serve) => serve.agentId === row.id).map((serve) => serve.queueId),
  }));
}

export async function insertAgent(
  db: Kysely<Tables>,
  agent: {
    id: string;
    name: string;
    entityId: string;
    hostname: string | null;
    version: string | null;
    agentConfig: string | null;
    createdBy: string;
    queueIds: readonly string[];
    now: number;
  },
): Promise<void> {
  const { queueIds, now, ...values } = agent;
  const row = { ...values, status: "POLLING", stopPolling: 0, silent: 0, heartbeatAt: now, createdAt: now };
  await db.insertInto("agents").values(row).execute();
  if (queueIds.length > 0)
    await db
      .insertInto("agentQueues")
      .values(queueIds.map((queueId) => ({ agentId: agent.id, queueId })))
      .execute();
}

export async function findAgent(db: Kysely<Tables>, id: string): Promise<AgentRecord | undefined> {
  const row = await select(db).where("a.id", "=", id).executeTakeFirst();
  return row && (await toRecords(db, [row]))[0];
}

/** Newest first: those of an entity, and those of others that serve its queues; or those that serve one queue. */
export async function listAgents(
  db: Kysely<Tables>,
  by: { entityId: string } | { queueId: string },
): Promise<readonly AgentRecord[]> {
  const serving = db.selectFrom("agentQueues as s").innerJoin("queues as q", "q.id", "s.queueId").select("s.agentId");
  const query = select(db).orderBy("a.id", "desc").limit(500);
  const rows = await ("queueId" in by
    ? query.where("a.id", "in", serving.where("q.id", "=", by.queueId))
    : query.where((e) =>
        e.or([e("a.entityId", "=", by.entityId), e("a.id", "in", serving.where("q.entityId", "=", by.entityId))]),
      )
  ).execute();
  return toRecords(db, rows);
}

export async function touchAgent(db: Kysely<Tables>, id: string, now: number, status?: string): Promise<void> {
  await db
    .updateTable("agents")
    .set({ heartbeatAt: now, silent: 0, ...(status === undefined ? {} : { status }) })
    .where("id", "=", id)
    .execute();
}

export async function askAgentToStop(db: Kysely<Tables>, id: string): Promise<void> {
  await db.updateTable("agents").set({ stopPolling: 1 }).where("id", "=", id).execute();
}

/** Those that have fallen silent since the last time this was asked. */
export async function markSilentAgents(
  db: Kysely<Tables>,
  heardBefore: number,
): Promise<readonly { id: string; entityId: string; name: string }[]> {
  return db
    .updateTable("agents")
    .set({ silent: 1 })
    .where("heartbeatAt", "<", heardBefore)
    .where("silent", "=", 0)
    .where("status", "!=", "KILLED")
    .returning(["id", "entityId", "name"])
    .execute();
}
