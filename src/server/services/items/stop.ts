import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import { isSettled } from "../../../core/items/item-states.ts";
import { deleteApiKeysOfItem } from "../../../store/api-keys.ts";
import type { Tx } from "../../../store/database.ts";
import { findItem } from "../../../store/item-queries.ts";
import { changeItem, deleteSettledItem } from "../../../store/items.ts";
import type { ItemRecord } from "../../../store/records.ts";
import { setRunOfItem } from "../../../store/runs.ts";
import type { ServiceContext } from "../context.ts";
import { logDirectory } from "../logs.ts";
import type { Principal } from "../principal.ts";
import { afterSettle, changeableItem, heldByServer, mayHaveJob, settled } from "./shared.ts";

/** A person wants it to end: at once while it waits; else its agent, or its training code, is told. Asking twice is fine. */
export async function stop(context: ServiceContext, principal: Principal, itemId: string): Promise<ItemRecord> {
  const { database, clock } = context;
  await changeableItem(database.kysely, principal, itemId, "stop items");
  return database.transaction(clock, (tx) => stopInside(tx, itemId, principal.username));
}

/** `actor`: as the timeline names who asks. */
export async function stopInside(tx: Tx, itemId: string, by: string, actor = `user:${by}`): Promise<ItemRecord> {
  const ended = await endPending(tx, itemId, { cause: "stopped", message: `Stopped by ${by}`, by, actor });
  if (ended) return ended;
  const asked = await changeItem(
    tx,
    { id: itemId, states: ["LEASED", "CLAIMED"], stopRequested: false },
    { stopRequestedBy: by },
    { kind: "stop_requested", actor, message: `${by} asked for a stop` },
  );
  if (asked) await setRunOfItem(tx.kysely, itemId, { stopped: 1 }, ["pending", "running"]);
  if (asked && heldByServer(asked)) {
    const message = `Stopped by ${by}`;
    const done = await changeItem(
      tx,
      { id: itemId, states: ["CLAIMED"], fencingToken: asked.fencingToken },
      settled("STOPPED", { cause: "stopped", message }),
      { kind: "settled", actor, message },
    );
    if (done) await afterSettle(tx, done);
    return done ?? asked;
  }
  const item = asked ?? (await findItem(tx.kysely, itemId));
  if (!item) throw new SlipwayError("ITEM_NOT_FOUND", { values: { item: itemId } });
  if (isSettled(item.state)) throw new SlipwayError("ITEM_SETTLED", { values: { item: item.runId } });
  return item;
}

/**
 * Ends an item that waits; undefined if it does not wait (any more). One whose training job may be running stays PENDING with
 * the stop asked for, and is handed out at once: the next agent finds the job, stops it and settles.
 */
export async function endPending(
  tx: Tx,
  itemId: string,
  end: {
    readonly cause: "stopped" | "deleted";
    readonly message: string;
    readonly by: string;
    readonly actor?: string;
  },
): Promise<ItemRecord | undefined> {
  const actor = end.actor ?? `user:${end.by}`;
  // Else it could come back to the queue after this look and before the caller's next one, and the stop be lost.
  await tx.dialect.lockItem(tx.kysely, itemId);
  const before = await findItem(tx.kysely, itemId);
  if (before?.state !== "PENDING") return undefined;
  if (mayHaveJob(before)) {
    const asked = await changeItem(
      tx,
      { id: itemId, states: ["PENDING"], stopRequested: false },
      { stopRequestedBy: end.by, phase: "queued", notBefore: 0, waitingReason: null },
      { kind: "stop_requested", actor, message: `${end.by} asked for a stop` },
    );
    if (asked) await setRunOfItem(tx.kysely, itemId, { stopped: 1 }, ["pending", "running"]);
    return asked ?? before;
  }
  const item = await changeItem(
    tx,
    { id: itemId, states: ["PENDING"] },
    { ...settled("STOPPED", { cause: end.cause, message: end.message }), stopRequestedBy: end.by },
    { kind: "settled", actor, message: end.message },
  );
  if (item) await afterSettle(tx, item);
  return item;
}

/** PENDING: stopped (see endPending), cause deleted, and kept. Settled: forgotten with its timeline and logs. */
export async function deleteItem(context: ServiceContext, principal: Principal, itemId: string): Promise<void> {
  const { database, clock, files } = context;
  const item = await changeableItem(database.kysely, principal, itemId, "delete items");
  const by = principal.username;
  const forgotten = await database.transaction(clock, async (tx) => {
    if (await endPending(tx, item.id, { cause: "deleted", message: `Deleted by ${by}`, by })) return false;
    if (!(await deleteSettledItem(tx.kysely, item.id)))
      throw new SlipwayError("ITEM_IN_FLIGHT", { values: { item: item.runId }, hint: "Stop it first." });
    await deleteApiKeysOfItem(tx.kysely, item.id);
    const data = { runId: item.runId, change: "forgotten" };
    tx.event({ entityId: item.queueEntityId, kind: "item", subject: item.id, queueId: item.queueId, data });
    return true;
  });
  if (forgotten) await files.remove(logDirectory(item.id));
}
