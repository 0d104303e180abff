import type { Kysely } from "kysely";
import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import { isSettled } from "../../../core/items/item-states.ts";
import { isSchedulerSpec } from "../../../core/sweeps/launch-scheduler.ts";
import { findAgent } from "../../../store/agents.ts";
import { endApiKeysOfItem } from "../../../store/api-keys.ts";
import type { Tx } from "../../../store/database.ts";
import { findItem } from "../../../store/item-queries.ts";
import { changeItem, type ItemChange } from "../../../store/items.ts";
import type { AgentRecord, ItemErrorRecord, ItemRecord } from "../../../store/records.ts";
import { endRunOfItem } from "../../../store/runs.ts";
import { endSweepOfScheduler } from "../../../store/sweeps.ts";
import type { Tables } from "../../../store/tables.ts";
import { mayChangeItem, maySeeItem, refuseRunKey } from "../authorize.ts";
import type { LeaseRef } from "../items.ts";
import type { Principal } from "../principal.ts";

export async function visibleItem(db: Kysely<Tables>, principal: Principal, id: string): Promise<ItemRecord> {
  refuseRunKey(principal);
  const item = await findItem(db, id);
  if (item && maySeeItem(principal, item)) return item;
  throw new SlipwayError("ITEM_NOT_FOUND", { values: { item: id } });
}

/** The item, if the caller may change it. */
export async function changeableItem(
  db: Kysely<Tables>,
  principal: Principal,
  id: string,
  what: string,
): Promise<ItemRecord> {
  const item = await visibleItem(db, principal, id);
  if (!mayChangeItem(principal, item))
    throw new SlipwayError("FORBIDDEN", { values: { who: principal.username, what, entity: item.queueEntityName } });
  return item;
}

export async function visibleAgent(db: Kysely<Tables>, principal: Principal, id: string): Promise<AgentRecord> {
  refuseRunKey(principal);
  const agent = await findAgent(db, id);
  // An agent acts for whoever registered it, so only that entity's people speak for it.
  if (agent && (principal.admin || principal.roles.has(agent.entityId))) return agent;
  throw new SlipwayError("AGENT_NOT_FOUND", { values: { agent: id } });
}

export function staleLease(lease: LeaseRef): SlipwayError {
  return new SlipwayError("STALE_LEASE", {
    values: { item: lease.itemId, attempt: lease.attempt, token: lease.fencingToken },
  });
}

/** The holder of a lease, as the timeline names it. */
export async function agentActor(db: Kysely<Tables>, agentId: string | null): Promise<string> {
  const agent = agentId === null ? undefined : await findAgent(db, agentId);
  return `agent:${agent?.name ?? "unnamed"}`;
}

/** What an item has when no agent holds it. */
export const LET_GO: ItemChange = { raiseToken: true, agentId: null, leaseExpiresAt: null };

/** What an item has once it has settled. */
export function settled(
  state: "FINISHED" | "FAILED" | "STOPPED",
  change: Pick<ItemChange, "cause" | "message" | "training" | "error">,
): ItemChange {
  return {
    ...change,
    state,
    phase: "settled",
    raiseToken: true,
    leaseExpiresAt: null,
    waitingReason: null,
    notBefore: 0,
  };
}

const RUN_STATES = { FINISHED: "finished", FAILED: "failed", STOPPED: "killed" } as const;

/**
 * What goes with an end, in the same transaction: its run has ended too, its job's key is good only for what the code sends last
 * (SLIPWAY_JOB_KEY_GRACE_SECONDS), and a sweep ends with its scheduler.
 */
export async function afterSettle(tx: Tx, item: ItemRecord): Promise<void> {
  if (!isSettled(item.state)) return;
  const state = item.state as keyof typeof RUN_STATES;
  await endRunOfItem(tx.kysely, item.id, RUN_STATES[state]);
  await endApiKeysOfItem(tx.kysely, item.id, tx.now);
  if (isSchedulerSpec(item.runSpec)) await endSweepOfScheduler(tx.kysely, item.id, state, tx.now);
}

/** The server does this item's work itself: it is the scheduler of a sweep (see sweeps/schedule.ts). */
export function heldByServer(item: ItemRecord): boolean {
  return item.state === "CLAIMED" && !item.plain && item.agentId === null && item.leaseExpiresAt === null;
}

/**
 * An agent was about to submit this attempt, and nobody has said what became of it: its training job may be running. Such an
 * item must not end before an agent has looked.
 */
export function mayHaveJob(item: ItemRecord): boolean {
  return item.training !== null && item.training.attempt === item.attempt;
}

/**
 * A stop was asked for while an agent had the item; it has come back to the queue, so it ends there. One that may have a
 * training job stays for the next agent, which finds the job and stops it.
 */
export async function stopIfAsked(tx: Tx, item: ItemRecord): Promise<ItemRecord> {
  if (item.state !== "PENDING" || item.stopRequestedAt === null || mayHaveJob(item)) return item;
  const by = item.stopRequestedBy ?? "server";
  const stopped = await changeItem(
    tx,
    { id: item.id, states: ["PENDING"], stopRequested: true },
    settled("STOPPED", { cause: "stopped", message: `Stopped by ${by}` }),
    { kind: "settled", actor: "server", message: `Stopped by ${by}` },
  );
  if (!stopped) return item;
  await afterSettle(tx, stopped);
  return stopped;
}

export function errorRecord(error: {
  message: string;
  stage?: string | null | undefined;
  filePaths?: readonly string[] | null | undefined;
  code?: string | null | undefined;
  hint?: string | null | undefined;
}): ItemErrorRecord {
  return {
    message: error.message,
    stage: error.stage ?? null,
    filePaths: error.filePaths ?? [],
    code: error.code ?? null,
    hint: error.hint ?? null,
  };
}
