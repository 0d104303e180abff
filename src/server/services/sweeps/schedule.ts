import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import { isSettled } from "../../../core/items/item-states.ts";
import { schedulerSettings } from "../../../core/sweeps/launch-scheduler.ts";
import { argumentsOf, runCount } from "../../../core/sweeps/next-point.ts";
import { parseSweepConfig, type SweepConfig } from "../../../core/sweeps/sweep-config.ts";
import { sweepRunPush } from "../../../core/sweeps/sweep-run-spec.ts";
import type { Tx } from "../../../store/database.ts";
import { changeItem } from "../../../store/items.ts";
import type { ItemRecord, MemberRole } from "../../../store/records.ts";
import { findRun, setRunOfItem } from "../../../store/runs.ts";
import {
  findSweepOfScheduler,
  hasLiveRuns,
  insertSweepRun,
  itemsOfCancelledSweeps,
  liveSweepItems,
  type SweepRecord,
  schedulersOfServer,
  takeThisPosition,
  updateSweep,
} from "../../../store/sweeps.ts";
import { findAuthorOfItem } from "../../../store/users.ts";
import type { ServiceContext } from "../context.ts";
import { pushWith } from "../items/push.ts";
import { afterSettle, errorRecord, settled } from "../items/shared.ts";
import { stopInside } from "../items/stop.ts";
import type { Principal } from "../principal.ts";
import { learntFrom, pointAt } from "./points.ts";

/*
 * Scheduling in the server, of sweeps whose queue is served by agents that lease: their scheduler's item is CLAIMED without an
 * agent, and a round of this pushes a run for each worker that is free. Nothing is kept in memory: where a sweep stands is in its
 * row, and the push of a run counts it there in its own transaction, so that server processes at once, or one that dies in
 * between, neither push a run twice nor leave one out.
 */

/** An agent has leased the item of a scheduler: the server does that work itself. */
export async function takeScheduler(tx: Tx, item: ItemRecord): Promise<void> {
  const sweep = await findSweepOfScheduler(tx.kysely, item.id);
  const claimed = await changeItem(
    tx,
    { id: item.id, states: ["LEASED"], fencingToken: item.fencingToken },
    {
      state: "CLAIMED",
      phase: "training",
      raiseToken: true,
      agentId: null,
      leaseExpiresAt: null,
      associatedRunId: item.runId,
    },
    { kind: "claimed", actor: "server", message: "The server pushes the runs of this sweep" },
  );
  if (!claimed) return;
  if (!sweep) {
    const problem =
      "No sweep has this item for its scheduler; make one with `slipway sweep create` or `wandb launch-sweep`";
    await end(tx, claimed, "FAILED", new SlipwayError("SWEEP_SCHEDULER_INVALID", { values: { problem } }));
    return;
  }
  await setRunOfItem(tx.kysely, item.id, { state: "running" }, ["pending"]);
  await updateSweep(tx.kysely, sweep.id, ["PENDING"], { state: "RUNNING", updatedAt: tx.now });
}

/** One round over all sweeps that the server schedules. */
export async function scheduleSweeps(context: ServiceContext): Promise<void> {
  const { database, clock, logger } = context;
  // What is wrong with one must not hold up the others.
  for (const item of await schedulersOfServer(database.kysely))
    await schedule(context, item).catch((error: unknown) =>
      logger.error({ err: error, sweep: item.runId }, "a sweep was not scheduled"),
    );
  for (const { id, by } of await itemsOfCancelledSweeps(database.kysely))
    await database.transaction(clock, (tx) => stopInside(tx, id, by ?? "server", "server")).catch(unlessSettled);
}

function unlessSettled(error: unknown): void {
  if (!(error instanceof SlipwayError && error.code === "ITEM_SETTLED")) throw error;
}

/** Pushes for one sweep in one round: the next round, a second later, goes on. */
const MOST_AT_ONCE = 50;

async function schedule(context: ServiceContext, item: ItemRecord): Promise<void> {
  const { database, clock } = context;
  try {
    for (let pushed = 0; pushed < MOST_AT_ONCE && (await step(context, item)); pushed++);
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.status >= 500) throw error;
    await database.transaction(clock, (tx) => end(tx, item, "FAILED", error));
  }
}

/** Pushes one run, or ends the scheduler; answers whether there may be more to do at once. */
async function step(context: ServiceContext, item: ItemRecord): Promise<boolean> {
  const { database, clock, limits } = context;
  const { kysely } = database;
  // First the sweep and then its runs: a run that is not counted below has raised `handed`, and the push then fails.
  const sweep = await findSweepOfScheduler(kysely, item.id);
  if (!sweep || sweep.state === "PAUSED") return false;
  const config = parseSweepConfig(sweep.config);
  const count = runCount(config);
  const handed = Number(sweep.handed);
  const over = sweep.state !== "RUNNING" || (count !== null && handed >= count);
  const live = (await liveSweepItems(kysely, sweep.id)).length;
  if (!over) {
    const settings = schedulerSettings(item.runSpec, item.queueName);
    return live < settings.workers && pushRun(context, item, sweep, config, handed);
  }
  if (live > 0 || (await hasLiveRuns(kysely, sweep.id, clock.now() - limits.runSilenceMs))) return false;
  await database.transaction(clock, (tx) => end(tx, item, sweep.state === "CANCELED" ? "STOPPED" : "FINISHED"));
  return false;
}

/** False if another server process was first, or the sweep has been paused or ended meanwhile. */
async function pushRun(
  context: ServiceContext,
  item: ItemRecord,
  sweep: SweepRecord,
  config: SweepConfig,
  position: number,
): Promise<boolean> {
  const author = await authorOf(context, item);
  const point = pointAt(context, config, position, await learntFrom(context, sweep, config));
  const settings = schedulerSettings(item.runSpec, item.queueName);
  const { entityName: entity, projectName: project, id: sweepId } = sweep;
  const run = { sweepId, entity, project, author: author.username, args: argumentsOf(config, point) };
  const push = {
    queue: { entityName: item.queueEntityName, name: settings.queue },
    ...sweepRunPush(config, settings, run),
  };
  try {
    await pushWith(context, author, push, {
      takesOver: null,
      async also(tx, child) {
        const found = await findRun(tx.kysely, { projectId: sweep.projectId, name: child.runId });
        if (!found) throw new Error("a sweep's run that was just pushed is gone");
        if (!(await takeThisPosition(tx.kysely, sweepId, position))) throw new Overtaken();
        await insertSweepRun(tx.kysely, { sweepId, runId: found.id, position, point: JSON.stringify(point) });
      },
    });
    return true;
  } catch (error) {
    if (error instanceof Overtaken) return false;
    throw error;
  }
}

/** Takes the whole push back. */
class Overtaken extends Error {}

/** A sweep's runs are pushed by whoever has put its scheduler on the queue, with what that person may do now. */
async function authorOf({ database }: ServiceContext, item: ItemRecord): Promise<Principal> {
  const author = await findAuthorOfItem(database.kysely, item.id);
  if (!author) {
    const problem = "Whoever has launched this sweep is no user any more: resume it as another";
    throw new SlipwayError("INPUT_INVALID", { values: { problem } });
  }
  const { id: userId, name: username, entityId, admin } = author.user;
  const roles = new Map<string, MemberRole>([[entityId, "ADMIN"]]);
  for (const membership of author.memberships) roles.set(membership.entityId, membership.role);
  return { userId, username, entityId, entityName: username, admin, apiKeyId: "", roles, run: null };
}

/** Settles a scheduler's item, and with it its sweep (afterSettle). */
async function end(
  tx: Tx,
  item: ItemRecord,
  state: "FINISHED" | "FAILED" | "STOPPED",
  error?: SlipwayError,
): Promise<void> {
  const message =
    error?.message ?? (state === "FINISHED" ? "All runs of the sweep have ended" : "The sweep was cancelled");
  const cause = state === "FINISHED" ? "completed" : state === "STOPPED" ? "stopped" : "validation";
  const done = await changeItem(
    tx,
    { id: item.id, states: ["CLAIMED"], plain: false, fencingToken: item.fencingToken },
    settled(state, {
      cause,
      message,
      error: error ? errorRecord({ message, stage: "schedule", code: error.code, hint: error.hint }) : null,
    }),
    { kind: "settled", actor: "server", message, detail: { cause, code: error?.code ?? null } },
  );
  if (done && isSettled(done.state)) await afterSettle(tx, done);
}
