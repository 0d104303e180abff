import type { Kysely, Selectable } from "kysely";
import type { Tables } from "./tables.ts";

export type SweepRunRecord = Selectable<Tables["sweepRuns"]>;

/** Undefined for a run that no sweep handed out. */
export async function findSweepRun(db: Kysely<Tables>, runId: string): Promise<SweepRunRecord | undefined> {
  return db.selectFrom("sweepRuns").selectAll().where("runId", "=", runId).executeTakeFirst();
}

/** Keeps how far a run has come, if nobody else has meanwhile; `reached` with it. */
export async function noteProgress(
  db: Kysely<Tables>,
  before: SweepRunRecord,
  now: Pick<SweepRunRecord, "seenLines" | "seenStep" | "logged" | "best">,
  reached: readonly { readonly rung: number; readonly value: number }[],
): Promise<boolean> {
  const { sweepId, runId } = before;
  const { numUpdatedRows } = await db
    .updateTable("sweepRuns")
    .set(now)
    .where("runId", "=", runId)
    .where("seenLines", "=", before.seenLines)
    .where("logged", "=", before.logged)
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) return false;
  if (now.logged < before.logged) await db.deleteFrom("sweepRungs").where("runId", "=", runId).execute();
  if (reached.length > 0)
    await db
      .insertInto("sweepRungs")
      .values(reached.map(({ rung, value }) => ({ sweepId, runId, rung, value })))
      .onConflict((conflict) =>
        conflict.columns(["runId", "rung"]).doUpdateSet((eb) => ({ value: eb.ref("excluded.value") })),
      )
      .execute();
  return true;
}

/** The rungs that a run has come to, ascending. */
export async function rungsOf(db: Kysely<Tables>, runId: string): Promise<readonly { rung: number; value: number }[]> {
  return db.selectFrom("sweepRungs").select(["rung", "value"]).where("runId", "=", runId).orderBy("rung").execute();
}

/** How many runs of the sweep have come to a rung, and how many of them with less than a value. */
export async function standingAt(
  db: Kysely<Tables>,
  at: { readonly sweepId: string; readonly rung: number; readonly value: number },
): Promise<{ reached: number; better: number }> {
  const row = await db
    .selectFrom("sweepRungs")
    .select((eb) => [
      eb.fn.countAll().as("reached"),
      eb.fn.sum(eb.case().when("value", "<", at.value).then(1).else(0).end()).as("better"),
    ])
    .where("sweepId", "=", at.sweepId)
    .where("rung", "=", at.rung)
    .executeTakeFirstOrThrow();
  return { reached: Number(row.reached), better: Number(row.better ?? 0) };
}

/** Notes once that the run was stopped early; false if it was already. */
export async function markStoppedEarly(db: Kysely<Tables>, runId: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable("sweepRuns")
    .set({ stoppedEarly: 1 })
    .where("runId", "=", runId)
    .where("stoppedEarly", "=", 0)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Of these runs of a project those that are asked to stop. */
export async function stoppedAmong(
  db: Kysely<Tables>,
  projectId: string,
  names: readonly string[],
): Promise<readonly string[]> {
  if (names.length === 0) return [];
  const rows = await db
    .selectFrom("runs")
    .select("name")
    .where("projectId", "=", projectId)
    .where("name", "in", names)
    .where("stopped", "=", 1)
    .execute();
  return rows.map(({ name }) => name);
}
