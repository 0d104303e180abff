import type { Insertable, Kysely, Selectable, Updateable } from "kysely";
import { toItem } from "./items.ts";
import type { ItemRecord } from "./records.ts";
import type { Tables } from "./tables.ts";

export type SweepRecord = Selectable<Tables["sweeps"]> & {
  readonly projectName: string;
  readonly entityId: string;
  readonly entityName: string;
};

function select(db: Kysely<Tables>) {
  return db
    .selectFrom("sweeps as s")
    .innerJoin("projects as p", "p.id", "s.projectId")
    .innerJoin("entities as e", "e.id", "p.entityId")
    .selectAll("s")
    .select(["p.name as projectName", "p.entityId", "e.name as entityName"]);
}

export async function findSweep(
  db: Kysely<Tables>,
  by: { readonly id: string; readonly projectId?: string },
): Promise<SweepRecord | undefined> {
  const query = select(db).where("s.id", "=", by.id);
  return (by.projectId === undefined ? query : query.where("s.projectId", "=", by.projectId)).executeTakeFirst();
}

/** Newest first, those behind `after` (a serial). */
export async function listSweeps(
  db: Kysely<Tables>,
  query: { readonly projectId: string; readonly after: number | null; readonly limit: number },
): Promise<readonly SweepRecord[]> {
  const all = select(db).where("s.projectId", "=", query.projectId).orderBy("s.serial", "desc").limit(query.limit);
  return (query.after === null ? all : all.where("s.serial", "<", query.after)).execute();
}

/** The sweep whose scheduler the item is now; an item that another has taken over from is none's. */
export async function findSweepOfScheduler(db: Kysely<Tables>, itemId: string): Promise<SweepRecord | undefined> {
  return select(db).where("s.schedulerItemId", "=", itemId).executeTakeFirst();
}

/** Schedulers that no agent runs but the server itself: CLAIMED without a lease, by which no agent ever leaves an item. */
export async function schedulersOfServer(db: Kysely<Tables>): Promise<readonly ItemRecord[]> {
  const rows = await db
    .selectFrom("items as i")
    .innerJoin("sweeps as s", "s.schedulerItemId", "i.id")
    .selectAll("i")
    .where("i.state", "=", "CLAIMED")
    .where("i.plain", "=", 0)
    .where("i.agentId", "is", null)
    .where("i.leaseExpiresAt", "is", null)
    .orderBy("i.id")
    .execute();
  return rows.map(toItem);
}

export async function countSweeps(db: Kysely<Tables>, projectId: string): Promise<number> {
  const { count } = await db
    .selectFrom("sweeps")
    .select((eb) => eb.fn.countAll().as("count"))
    .where("projectId", "=", projectId)
    .executeTakeFirstOrThrow();
  return Number(count);
}

export async function insertSweep(db: Kysely<Tables>, sweep: Insertable<Tables["sweeps"]>): Promise<void> {
  await db.insertInto("sweeps").values(sweep).execute();
}

/** Only a sweep in one of `states`; answers whether it was. */
export async function updateSweep(
  db: Kysely<Tables>,
  id: string,
  states: readonly string[],
  values: Updateable<Tables["sweeps"]>,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable("sweeps")
    .set(values)
    .where("id", "=", id)
    .where("state", "in", states)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Counts one more run as handed out; answers its number from 0, undefined where the sweep doesn't run or has no more. */
export async function takePosition(db: Kysely<Tables>, id: string, count: number | null): Promise<number | undefined> {
  const running = db.updateTable("sweeps").where("id", "=", id).where("state", "=", "RUNNING");
  const row = await (count === null ? running : running.where("handed", "<", count))
    .set((eb) => ({ handed: eb("handed", "+", 1) }))
    .returning("handed")
    .executeTakeFirst();
  return row && Number(row.handed) - 1;
}

/** Counts the run of this number as handed out; false where somebody else has, or the sweep doesn't run any more. */
export async function takeThisPosition(db: Kysely<Tables>, id: string, position: number): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable("sweeps")
    .set({ handed: position + 1 })
    .where("id", "=", id)
    .where("state", "=", "RUNNING")
    .where("handed", "=", position)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

export async function insertSweepRun(db: Kysely<Tables>, run: Insertable<Tables["sweepRuns"]>): Promise<void> {
  await db.insertInto("sweepRuns").values(run).execute();
}

/** The newest runs of a sweep that have finished or were stopped early, oldest first. */
export async function finishedSweepRuns(
  db: Kysely<Tables>,
  sweepId: string,
  limit: number,
): Promise<readonly { point: string; summaryMetrics: string }[]> {
  const rows = await db
    .selectFrom("sweepRuns as s")
    .innerJoin("runs as r", "r.id", "s.runId")
    .select(["s.point", "r.summaryMetrics"])
    .where("s.sweepId", "=", sweepId)
    .where((eb) => eb.or([eb("r.state", "=", "finished"), eb("s.stoppedEarly", "=", 1)]))
    .where("s.point", "!=", "[]")
    .orderBy("s.position", "desc")
    .limit(limit)
    .execute();
  return rows.toReversed();
}

/** Whether a run of the sweep may still be going on; one that was handed out before `lostBefore` and never spoke is not. */
export async function hasLiveRuns(db: Kysely<Tables>, sweepId: string, lostBefore: number): Promise<boolean> {
  const row = await db
    .selectFrom("sweepRuns as s")
    .innerJoin("runs as r", "r.id", "s.runId")
    .select("s.runId")
    .where("s.sweepId", "=", sweepId)
    .where("r.state", "in", ["pending", "running"])
    .where((eb) =>
      eb.or([eb("r.state", "=", "running"), eb("r.itemId", "is not", null), eb("r.createdAt", ">", lostBefore)]),
    )
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

export async function countSweepRuns(db: Kysely<Tables>, sweepId: string): Promise<number> {
  const { count } = await db
    .selectFrom("sweepRuns")
    .select((eb) => eb.fn.countAll().as("count"))
    .where("sweepId", "=", sweepId)
    .executeTakeFirstOrThrow();
  return Number(count);
}

export async function insertSweepAgent(db: Kysely<Tables>, agent: Insertable<Tables["sweepAgents"]>): Promise<void> {
  await db.insertInto("sweepAgents").values(agent).execute();
}

/** An agent of a sweep, with how many runs it was given. */
export type SweepAgentRecord = Selectable<Tables["sweepAgents"]> & { readonly totalRuns: number };

/** In the order of their registration. */
export async function listSweepAgents(
  db: Kysely<Tables>,
  sweepId: string,
  limit: number,
): Promise<readonly SweepAgentRecord[]> {
  return counted(await selectAgents(db).where("a.sweepId", "=", sweepId).orderBy("a.id").limit(limit).execute());
}

export async function findSweepAgent(
  db: Kysely<Tables>,
  sweepId: string,
  id: string,
): Promise<SweepAgentRecord | undefined> {
  const rows = await selectAgents(db).where("a.sweepId", "=", sweepId).where("a.id", "=", id).execute();
  return counted(rows)[0];
}

function selectAgents(db: Kysely<Tables>) {
  return db
    .selectFrom("sweepAgents as a")
    .selectAll("a")
    .select((eb) =>
      eb
        .selectFrom("sweepRuns as r")
        .select((count) => count.fn.countAll<number>().as("count"))
        .whereRef("r.sweepId", "=", "a.sweepId")
        .whereRef("r.agentId", "=", "a.id")
        .as("totalRuns"),
    );
}

const counted = <T extends { totalRuns: number | null }>(rows: readonly T[]) =>
  rows.map((row) => ({ ...row, totalRuns: Number(row.totalRuns ?? 0) }));

/** Runs that an agent was given, in that order, those behind `after` (a position in the sweep). */
export async function runsOfSweepAgent(
  db: Kysely<Tables>,
  agent: { readonly sweepId: string; readonly id: string },
  page: { readonly after: number | null; readonly limit: number },
): Promise<readonly { readonly runId: string; readonly position: number }[]> {
  const all = db
    .selectFrom("sweepRuns")
    .select(["runId", "position"])
    .where("sweepId", "=", agent.sweepId)
    .where("agentId", "=", agent.id)
    .orderBy("position")
    .limit(page.limit);
  return (await (page.after === null ? all : all.where("position", ">", page.after)).execute()).map((row) => ({
    runId: row.runId,
    position: Number(row.position),
  }));
}

/** The sweep that the agent serves. */
export async function findSweepOfAgent(db: Kysely<Tables>, agentId: string): Promise<SweepRecord | undefined> {
  return select(db).innerJoin("sweepAgents as a", "a.sweepId", "s.id").where("a.id", "=", agentId).executeTakeFirst();
}

/** Keeps that the agent has spoken. */
export async function touchSweepAgent(db: Kysely<Tables>, id: string, now: number): Promise<void> {
  await db.updateTable("sweepAgents").set({ heartbeatAt: now }).where("id", "=", id).execute();
}

/** Items of the sweep's runs that have not ended. */
export async function liveSweepItems(db: Kysely<Tables>, sweepId: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom("sweepRuns as s")
    .innerJoin("runs as r", "r.id", "s.runId")
    .innerJoin("items as i", "i.id", "r.itemId")
    .select("i.id")
    .where("s.sweepId", "=", sweepId)
    .where("i.state", "in", ["PENDING", "LEASED", "CLAIMED"])
    .orderBy("i.id")
    .execute();
  return rows.map(({ id }) => id);
}

/**
 * The item of a sweep's scheduler has settled: the sweep is over in the same way, unless it is already, or was paused (a scheduler
 * may leave once a paused sweep's runs have ended).
 */
export async function endSweepOfScheduler(
  db: Kysely<Tables>,
  itemId: string,
  end: "FINISHED" | "FAILED" | "STOPPED",
  now: number,
): Promise<void> {
  const state = { FINISHED: "FINISHED", FAILED: "CRASHED", STOPPED: "CANCELED" }[end];
  await db
    .updateTable("sweeps")
    .set({ state, updatedAt: now })
    .where("schedulerItemId", "=", itemId)
    .where("state", "in", end === "FINISHED" ? ["PENDING", "RUNNING"] : ["PENDING", "RUNNING", "PAUSED"])
    .execute();
}

/** Items of cancelled sweeps on launch queues that go on and were not asked to stop, and who has stopped the scheduler. */
export async function itemsOfCancelledSweeps(
  db: Kysely<Tables>,
): Promise<readonly { readonly id: string; readonly by: string | null }[]> {
  return db
    .selectFrom("items as i")
    .innerJoin("runs as r", "r.itemId", "i.id")
    .innerJoin("sweepRuns as sr", "sr.runId", "r.id")
    .innerJoin("sweeps as s", "s.id", "sr.sweepId")
    .innerJoin("items as scheduler", "scheduler.id", "s.schedulerItemId")
    .select(["i.id", "scheduler.stopRequestedBy as by"])
    .where("i.state", "in", ["PENDING", "LEASED", "CLAIMED"])
    .where("i.stopRequestedAt", "is", null)
    .where("s.state", "=", "CANCELED")
    .orderBy("i.id")
    .limit(500)
    .execute();
}
