import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import { isSettled, phasesOf, statesAllowing } from "../../../core/items/item-states.ts";
import { deleteApiKeysOfItem } from "../../../store/api-keys.ts";
import type { Tx } from "../../../store/database.ts";
import { findItem } from "../../../store/item-queries.ts";
import { changeItem, type ItemGuard } from "../../../store/items.ts";
import type { ItemRecord, TrainingRecord } from "../../../store/records.ts";
import { setRunOfItem } from "../../../store/runs.ts";
import type { ServiceContext } from "../context.ts";
import type { ItemsService, LeaseRef, ReportInput, ReportResult, SettleInput } from "../items.ts";
import type { Principal } from "../principal.ts";
import {
  afterSettle,
  agentActor,
  changeableItem,
  errorRecord,
  LET_GO,
  settled,
  staleLease,
  stopIfAsked,
} from "./shared.ts";

/** What a statement of the lease's holder must find. */
function heldBy(lease: LeaseRef, states: ItemGuard["states"]): ItemGuard {
  return {
    id: lease.itemId,
    states,
    attempt: lease.attempt,
    fencingToken: lease.fencingToken,
    plain: false,
  };
}

/** Work of a lease's holder in one transaction; STALE_LEASE if the lease is not held. */
async function asHolder<T>(
  context: ServiceContext,
  principal: Principal,
  lease: LeaseRef,
  work: (tx: Tx, item: ItemRecord, actor: string) => Promise<T>,
): Promise<T> {
  const { database, clock } = context;
  await changeableItem(database.kysely, principal, lease.itemId, "speak for its items");
  return database.transaction(clock, async (tx) => {
    await tx.dialect.lockItem(tx.kysely, lease.itemId);
    const item = await findItem(tx.kysely, lease.itemId);
    if (!item || item.attempt !== lease.attempt || item.fencingToken !== lease.fencingToken || item.plain)
      throw staleLease(lease);
    return work(tx, item, await agentActor(tx.kysely, item.agentId));
  });
}

function result(item: ItemRecord): ReportResult {
  return { stopRequested: item.stopRequestedAt !== null, stopRequestedBy: item.stopRequestedBy };
}

/** What an attempt has told of its training job before, with what is new laid over it. */
function merged(item: ItemRecord, training: TrainingRecord | null | undefined): TrainingRecord | undefined {
  if (!training) return undefined;
  const given = Object.fromEntries(
    Object.entries(training).filter(([, value]) => value !== undefined && value !== null),
  );
  const same = item.training?.name === training.name && item.training.attempt === item.attempt;
  return { ...(same ? item.training : {}), ...given, name: training.name, attempt: item.attempt };
}

export function report(context: ServiceContext, principal: Principal, input: ReportInput): Promise<ReportResult> {
  return asHolder(context, principal, input.lease, async (tx, item, actor) => {
    if (input.phase && !isSettled(item.state) && !phasesOf(item.state).includes(input.phase))
      throw new SlipwayError("INPUT_INVALID", {
        values: { problem: `An item that is ${item.state} can't be in the phase ${input.phase}` },
        where: "phase",
      });
    const training = merged(item, input.training);
    // An agent that adopts a job tells of moments before its own time; times must not run backwards for that.
    const at = input.at == null ? undefined : Math.max(input.at, item.phaseSince);
    const changed = await changeItem(
      tx,
      heldBy(input.lease, statesAllowing("report", "agent")),
      {
        ...(input.phase ? { phase: input.phase } : {}),
        ...(training ? { training } : {}),
        ...(at === undefined ? {} : { at }),
        message: input.message ?? item.message,
      },
      {
        kind: input.kind ?? (input.phase ? "phase" : "report"),
        actor,
        message: input.message ?? null,
        detail: input.detail,
        ...(at === undefined ? {} : { at }),
      },
    );
    if (!changed) throw staleLease(input.lease);
    if (input.phase === "training") await setRunOfItem(tx.kysely, item.id, { state: "running" }, ["pending"]);
    return result(changed);
  });
}

export function wait(
  context: ServiceContext,
  principal: Principal,
  input: Parameters<ItemsService["wait"]>[1],
): Promise<ReportResult> {
  return asHolder(context, principal, input.lease, async (tx, _item, actor) => {
    const changed = await changeItem(
      tx,
      heldBy(input.lease, statesAllowing("wait", "agent")),
      {
        ...LET_GO,
        state: "PENDING",
        phase: "waiting",
        notBefore: input.until,
        waitingReason: input.reason,
        cause: input.cause ?? null,
      },
      { kind: "waiting", actor, message: input.reason, detail: { until: input.until, cause: input.cause ?? null } },
    );
    if (!changed) throw staleLease(input.lease);
    return result(await stopIfAsked(tx, changed));
  });
}

/** Step 7 of the way of one job: the end, or the next attempt if one is left and no stop was asked for. */
export function settle(context: ServiceContext, principal: Principal, input: SettleInput): Promise<ReportResult> {
  return asHolder(context, principal, input.lease, async (tx, item, actor) => {
    const training = merged(item, input.training);
    const told = training ? { training } : {};
    const again = input.retry && item.attempt < context.limits.maxAttempts && item.stopRequestedAt === null;
    if (again) {
      const changed = await changeItem(
        tx,
        { ...heldBy(input.lease, statesAllowing("retry", "agent")), stopRequested: false },
        {
          ...LET_GO,
          ...told,
          state: "PENDING",
          phase: "waiting",
          raiseAttempt: true,
          notBefore: input.retryAt ?? tx.now,
          waitingReason: input.message ?? input.cause,
          cause: input.cause,
          associatedRunId: null,
        },
        {
          kind: "retry",
          actor,
          message: input.message ?? null,
          detail: { cause: input.cause, until: input.retryAt ?? tx.now },
        },
      );
      if (!changed) throw staleLease(input.lease);
      await deleteApiKeysOfItem(tx.kysely, item.id);
      return result(changed);
    }
    // A retry that is not to be because a stop was asked for ends as stopped.
    const stopped = input.retry && item.stopRequestedAt !== null;
    const state = stopped ? "STOPPED" : input.state;
    const cause = stopped ? "stopped" : input.cause;
    const message = stopped ? `Stopped by ${item.stopRequestedBy}` : (input.message ?? null);
    const event = state === "FINISHED" ? "finish" : state === "FAILED" ? "fail" : "stop";
    const error =
      state === "FAILED"
        ? errorRecord({ message: message ?? cause, stage: input.stage, code: input.code, hint: input.hint })
        : null;
    const changed = await changeItem(
      tx,
      heldBy(input.lease, statesAllowing(event, "agent")),
      { ...settled(state, { cause, message, error }), ...told },
      { kind: "settled", actor, message, detail: { cause, code: input.code ?? null } },
    );
    if (!changed) {
      if (input.state === "FINISHED" && item.state === "LEASED")
        throw new SlipwayError("INPUT_INVALID", {
          values: { problem: "An item that has not been acknowledged can't finish" },
          where: "state",
        });
      throw staleLease(input.lease);
    }
    await afterSettle(tx, changed);
    return result(changed);
  });
}

/** Ours: LEASED to CLAIMED; a second time it changes nothing, since the answer to the first may have been lost. */
export function acknowledge(
  context: ServiceContext,
  principal: Principal,
  lease: LeaseRef,
  runName: string,
): Promise<{ success: boolean; stopRequested: boolean }> {
  return asHolder(context, principal, lease, async (tx, item, actor) => {
    if (item.state === "CLAIMED") return { success: true, stopRequested: item.stopRequestedAt !== null };
    const changed = await changeItem(
      tx,
      heldBy(lease, statesAllowing("acknowledge", "agent")),
      {
        state: "CLAIMED",
        phase: "starting",
        associatedRunId: runName,
        leaseExpiresAt: tx.now + context.limits.leaseMs,
      },
      { kind: "claimed", actor },
    );
    if (!changed) throw staleLease(lease);
    return { success: true, stopRequested: changed.stopRequestedAt !== null };
  });
}
