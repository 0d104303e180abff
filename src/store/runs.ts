import type { Kysely, Selectable, Updateable } from "kysely";
import type { RunRecord } from "./records.ts";
import type { Tables } from "./tables.ts";

function select(db: Kysely<Tables>) {
  return db
    .selectFrom("runs as r")
    .innerJoin("projects as p", "p.id", "r.projectId")
    .innerJoin("entities as e", "e.id", "p.entityId")
    .leftJoin("users as u", "u.id", "r.userId")
    .selectAll("r")
    .select(["p.internalId as projectInternalId", "p.name as projectName", "p.entityId", "e.name as entityName"])
    .select("u.name as username");
}

export async function findRun(
  db: Kysely<Tables>,
  by: { projectId: string; name: string },
): Promise<RunRecord | undefined> {
  const row = await select(db).where("r.projectId", "=", by.projectId).where("r.name", "=", by.name).executeTakeFirst();
  return row && toRecord(row);
}

export async function findRunById(db: Kysely<Tables>, id: string): Promise<RunRecord | undefined> {
  const row = await select(db).where("r.id", "=", id).executeTakeFirst();
  return row && toRecord(row);
}

/** In no order; those that are gone are missing. */
export async function findRunsByIds(db: Kysely<Tables>, ids: readonly string[]): Promise<readonly RunRecord[]> {
  if (ids.length === 0) return [];
  return (await select(db).where("r.id", "in", ids).execute()).map(toRecord);
}

function toRecord<T extends { stopped: number; preempting: number; tags: string }>(row: T) {
  const { stopped, preempting, tags } = row;
  return { ...row, stopped: stopped === 1, preempting: preempting === 1, tags: JSON.parse(tags) as string[] };
}

/** Makes the run unless the project has one of the name; answers whether it did. */
export async function insertRun(
  db: Kysely<Tables>,
  run: Pick<Selectable<Tables["runs"]>, "id" | "name" | "projectId" | "state" | "userId" | "itemId" | "createdAt"> &
    Partial<Selectable<Tables["runs"]>>,
): Promise<boolean> {
  const made = await db
    .insertInto("runs")
    .values({
      displayName: null,
      description: null,
      notes: null,
      config: "{}",
      summaryMetrics: "{}",
      stopped: 0,
      tags: "[]",
      groupName: null,
      jobType: null,
      commit: null,
      host: null,
      program: null,
      repo: null,
      sweepName: null,
      exitCode: null,
      heartbeatAt: null,
      ...run,
    })
    .onConflict((conflict) => conflict.columns(["projectId", "name"]).doNothing())
    .returning("id")
    .executeTakeFirst();
  return made !== undefined;
}

export type RunValues = Updateable<Tables["runs"]>;

export async function updateRun(db: Kysely<Tables>, id: string, values: RunValues): Promise<void> {
  if (Object.keys(values).length > 0) await db.updateTable("runs").set(values).where("id", "=", id).execute();
}

/**
 * Gives a run to an item, if it is no item's, or that of `takesOver`, in whose place it then begins anew. False if another item
 * has it, or has taken it meanwhile.
 */
export async function giveRunToItem(
  db: Kysely<Tables>,
  id: string,
  { itemId, takesOver }: { readonly itemId: string; readonly takesOver: string | null },
): Promise<boolean> {
  const { numUpdatedRows: free } = await db
    .updateTable("runs")
    .set({ itemId })
    .where("id", "=", id)
    .where("itemId", "is", null)
    .executeTakeFirst();
  if (free === 1n || takesOver === null) return free === 1n;
  const { numUpdatedRows: taken } = await db
    .updateTable("runs")
    .set({ itemId, state: "pending", stopped: 0, exitCode: null })
    .where("id", "=", id)
    .where("itemId", "=", takesOver)
    .executeTakeFirst();
  return taken === 1n;
}

/** Ends a run that has not ended; the code's own word comes first. */
export async function endRunOfItem(db: Kysely<Tables>, itemId: string, state: string): Promise<void> {
  await db
    .updateTable("runs")
    .set({ state })
    .where("itemId", "=", itemId)
    .where("state", "in", ["pending", "running"])
    .execute();
}

export async function setRunOfItem(
  db: Kysely<Tables>,
  itemId: string,
  values: { state?: string; stopped?: 1 },
  from: readonly string[],
): Promise<void> {
  await db.updateTable("runs").set(values).where("itemId", "=", itemId).where("state", "in", from).execute();
}

/** Takes its chunks' index and its alerts with it. */
export async function deleteRun(db: Kysely<Tables>, id: string): Promise<void> {
  await db.deleteFrom("runs").where("id", "=", id).execute();
}

export interface SilentRun {
  readonly id: string;
  readonly name: string;
  readonly projectName: string;
  readonly entityId: string;
  readonly preempting: number;
}

/** Runs that are said to run and were last heard of before an instant. */
export async function silentRuns(db: Kysely<Tables>, before: number): Promise<readonly SilentRun[]> {
  return db
    .selectFrom("runs as r")
    .innerJoin("projects as p", "p.id", "r.projectId")
    .select(["r.id", "r.name", "p.name as projectName", "p.entityId", "r.preempting"])
    .where("r.state", "=", "running")
    .where("r.heartbeatAt", "<", before)
    .limit(200)
    .execute();
}

/** Ends a run that is still silent; answers whether it was. */
export async function endSilentRun(db: Kysely<Tables>, id: string, before: number, state: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable("runs")
    .set({ state })
    .where("id", "=", id)
    .where("state", "=", "running")
    .where("heartbeatAt", "<", before)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}
