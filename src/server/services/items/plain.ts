import { isSettled } from "../../../core/items/item-states.ts";
import type { Tx } from "../../../store/database.ts";
import { changeItem, countRefusedAck } from "../../../store/items.ts";
import type { ItemRecord } from "../../../store/records.ts";
import { setRunOfItem } from "../../../store/runs.ts";
import type { ServiceContext } from "../context.ts";
import type { ItemErrorInput } from "../items.ts";
import type { Principal } from "../principal.ts";
import { afterSettle, agentActor, changeableItem, errorRecord, settled } from "./shared.ts";

/*
 * What plain agents (the wandb client's) say of their items. They name neither attempt nor token, so the state alone has to
 * tell whether they may. None of it touches an item that one of our agents holds.
 */

/**
 * LEASED (by a pop) to CLAIMED, once. A refused one is counted: its agent goes on to report the item as failed, though it is
 * another's by now (peer: agent.py raises on success:false and calls failRunQueueItem, which names no agent).
 */
export async function acknowledgePlain(
  context: ServiceContext,
  principal: Principal,
  itemId: string,
  runName: string,
): Promise<{ success: boolean; stopRequested: boolean }> {
  const { database, clock } = context;
  await changeableItem(database.kysely, principal, itemId, "take its items");
  return database.transaction(clock, async (tx) => {
    const item = await changeItem(
      tx,
      { id: itemId, states: ["LEASED"], plain: true },
      { state: "CLAIMED", phase: "starting", associatedRunId: runName, leaseExpiresAt: null },
      { kind: "claimed", actor: `user:${principal.username}`, detail: { run: runName } },
    );
    if (!item) {
      await countRefusedAck(tx.kysely, itemId, 1);
      return { success: false, stopRequested: false };
    }
    if (item.stopRequestedAt !== null) await setRunOfItem(tx.kysely, itemId, { stopped: 1 }, ["pending", "running"]);
    return { success: true, stopRequested: item.stopRequestedAt !== null };
  });
}

export async function failPlain(
  context: ServiceContext,
  principal: Principal,
  input: ItemErrorInput,
): Promise<boolean> {
  const { database, clock } = context;
  await changeableItem(database.kysely, principal, input.itemId, "fail its items");
  return database.transaction(clock, async (tx) => {
    await tx.dialect.lockItem(tx.kysely, input.itemId);
    if (await countRefusedAck(tx.kysely, input.itemId, -1)) return false;
    const before = await changeableItem(tx.kysely, principal, input.itemId, "fail its items");
    const cause = input.stage === "build" ? "build" : input.stage === "run" ? "run_failed" : "internal";
    const asked = before.stopRequestedAt !== null && before.state === "CLAIMED";
    const change = asked
      ? settled("STOPPED", { cause: "stopped", message: `Stopped by ${before.stopRequestedBy}` })
      : settled("FAILED", { cause, message: input.message, error: errorRecord(input) });
    const item = await changeItem(
      tx,
      { id: input.itemId, states: ["LEASED", "CLAIMED"], plain: true, stopRequested: before.stopRequestedAt !== null },
      change,
      {
        kind: "settled",
        actor: await agentActor(tx.kysely, before.agentId),
        message: input.message,
        detail: { stage: input.stage, cause: asked ? "stopped" : cause },
      },
    );
    if (item) await afterSettle(tx, item);
    return item !== undefined;
  });
}

export async function warnPlain(
  context: ServiceContext,
  principal: Principal,
  input: ItemErrorInput,
): Promise<boolean> {
  const { database, clock } = context;
  return database.transaction(clock, async (tx) => {
    const before = await changeableItem(tx.kysely, principal, input.itemId, "warn of its items");
    if (isSettled(before.state)) return false;
    const item = await changeItem(
      tx,
      { id: input.itemId, states: [before.state], attempt: before.attempt, fencingToken: before.fencingToken },
      { warnings: [...before.warnings, input.message] },
      {
        kind: "warning",
        actor: await agentActor(tx.kysely, before.agentId),
        message: input.message,
        detail: { stage: input.stage, filePaths: [...(input.filePaths ?? [])] },
      },
    );
    return item !== undefined;
  });
}

/** The end of a plain agent's item, which nobody reports: concluded from how its run has ended. */
export async function concludePlain(
  tx: Tx,
  item: ItemRecord,
  end: { readonly ok: boolean; readonly message: string; readonly lost?: boolean },
): Promise<ItemRecord | undefined> {
  const stopped = item.stopRequestedAt !== null && !end.ok;
  const change = stopped
    ? settled("STOPPED", { cause: "stopped", message: `Stopped by ${item.stopRequestedBy}` })
    : end.ok
      ? settled("FINISHED", { cause: "completed", message: end.message })
      : settled("FAILED", {
          cause: end.lost ? "agent_lost" : "run_failed",
          message: end.message,
          error: errorRecord({ message: end.message, stage: "run" }),
        });
  const done = await changeItem(
    tx,
    { id: item.id, states: ["CLAIMED"], plain: true, attempt: item.attempt, fencingToken: item.fencingToken },
    change,
    { kind: "settled", actor: "server", message: end.message },
  );
  if (done) await afterSettle(tx, done);
  return done;
}
