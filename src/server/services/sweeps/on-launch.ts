import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import { readLaunchScheduler } from "../../../core/sweeps/launch-scheduler.ts";
import { parseSweepConfig } from "../../../core/sweeps/sweep-config.ts";
import type { Tx } from "../../../store/database.ts";
import { findItem } from "../../../store/item-queries.ts";
import type { ItemRecord } from "../../../store/records.ts";
import { liveSweepItems, type SweepRecord } from "../../../store/sweeps.ts";
import type { ServiceContext } from "../context.ts";
import { pushWith } from "../items/push.ts";
import { heldByServer } from "../items/shared.ts";
import { stopInside } from "../items/stop.ts";
import type { Principal } from "../principal.ts";

interface SchedulerInput {
  readonly sweepId: string;
  readonly entityName: string;
  readonly config?: string | null | undefined;
  readonly launchScheduler?: string | null | undefined;
  readonly templateVariableValues?: string | null | undefined;
  /** The item of its last scheduler, which has ended. */
  readonly takesOver: string | null;
}

/** Puts a sweep's scheduler on its queue, which is of the sweep's entity; `also` is done in the same transaction. */
export async function pushScheduler(
  context: ServiceContext,
  principal: Principal,
  input: SchedulerInput,
  also: (tx: Tx, item: ItemRecord) => Promise<void>,
): Promise<ItemRecord> {
  const { job, imageUri } = parseSweepConfig(input.config ?? "");
  if ((job === null) === (imageUri === null))
    throw new SlipwayError("SWEEP_SOURCE_MISSING", { where: job === null ? "job" : "image_uri" });
  const { queue, runSpec } = readLaunchScheduler(input.launchScheduler ?? "", input.sweepId);
  const values = input.templateVariableValues ?? null;
  const push = { queue: { entityName: input.entityName, name: queue }, runSpec, templateVariableValues: values };
  return pushWith(context, principal, push, { takesOver: input.takesOver, also });
}

/** A sweep was cancelled: its runs stop, and so does its scheduler, unless it is a program of an agent, which hears of it. */
export async function stopLaunched(tx: Tx, sweep: SweepRecord, by: string): Promise<void> {
  const scheduler = sweep.schedulerItemId === null ? undefined : await findItem(tx.kysely, sweep.schedulerItemId);
  if (scheduler && (scheduler.state === "PENDING" || heldByServer(scheduler))) await stopInside(tx, scheduler.id, by);
  for (const id of await liveSweepItems(tx.kysely, sweep.id)) await stopInside(tx, id, by);
}
