import { type Kysely, type Selectable, sql, type UpdateObject } from "kysely";
import { type ItemCause, type ItemPhase, type ItemState, isSettled } from "../core/items/item-states.ts";
import type { RunSpec } from "../core/items/run-spec.ts";
import type { Tx } from "./database.ts";
import type { ItemErrorRecord, ItemRecord, TrainingRecord } from "./records.ts";
import type { ItemsTable, Tables } from "./tables.ts";
import { insertTimeline, type TimelineEntry } from "./timeline.ts";

type Row = Selectable<ItemsTable>;

export function toItem(row: Row): ItemRecord {
  const { authorUserId, notBefore, refusedAcks, projectId, ...rest } = row;
  return {
    ...rest,
    state: row.state as ItemState,
    phase: row.phase as ItemPhase,
    cause: row.cause as ItemCause | null,
    plain: row.plain === 1,
    waitUntil: row.state === "PENDING" && notBefore > 0 ? notBefore : null,
    runSpec: JSON.parse(row.runSpec) as RunSpec,
    training: row.training === null ? null : (JSON.parse(row.training) as TrainingRecord),
    error: row.error === null ? null : (JSON.parse(row.error) as ItemErrorRecord),
    warnings: JSON.parse(row.warnings) as string[],
  };
}

export interface NewItem {
  readonly id: string;
  readonly queue: {
    readonly id: string;
    readonly name: string;
    readonly entityId: string;
    readonly entityName: string;
  };
  readonly project: {
    readonly id: string;
    readonly name: string;
    readonly entityId: string;
    readonly entityName: string;
  };
  readonly runId: string;
  readonly name: string | null;
  readonly author: string | null;
  readonly authorUserId: string | null;
  readonly priority: number;
  readonly runSpec: RunSpec;
  readonly retryOf: string | null;
}

export async function insertItem(tx: Tx, item: NewItem, entry: TimelineEntry): Promise<ItemRecord> {
  const row = await tx.kysely
    .insertInto("items")
    .values({
      id: item.id,
      queueId: item.queue.id,
      queueName: item.queue.name,
      queueEntityId: item.queue.entityId,
      queueEntityName: item.queue.entityName,
      entityId: item.project.entityId,
      entityName: item.project.entityName,
      projectId: item.project.id,
      projectName: item.project.name,
      runId: item.runId,
      name: item.name,
      author: item.author,
      authorUserId: item.authorUserId,
      state: "PENDING",
      phase: "queued",
      phaseSince: tx.now,
      priority: item.priority,
      attempt: 1,
      fencingToken: 0,
      plain: 0,
      agentId: null,
      leaseExpiresAt: null,
      notBefore: 0,
      waitingReason: null,
      cause: null,
      message: null,
      runSpec: JSON.stringify(item.runSpec),
      stopRequestedAt: null,
      stopRequestedBy: null,
      training: null,
      error: null,
      warnings: "[]",
      associatedRunId: null,
      logLines: 0,
      refusedAcks: 0,
      createdAt: tx.now,
      leasedAt: null,
      claimedAt: null,
      settledAt: null,
      retryOf: item.retryOf,
      retriedAs: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  return recordChange(tx, row, entry);
}

/** What the statement must find; a row that differs is not changed. */
export interface ItemGuard {
  readonly id: string;
  readonly states: readonly ItemState[];
  readonly attempt?: number;
  readonly fencingToken?: number;
  readonly plain?: boolean;
  readonly agentId?: string;
  /** The lease has run out at this instant, and an agent still has it. */
  readonly leaseOverAt?: number;
  readonly stopRequested?: boolean;
  /** Some refused acknowledge is still to be answered for. */
  readonly refusedAck?: boolean;
}

export interface ItemChange {
  readonly state?: ItemState;
  readonly phase?: ItemPhase;
  readonly raiseToken?: boolean;
  readonly raiseAttempt?: boolean;
  readonly plain?: boolean;
  readonly agentId?: string | null;
  readonly leaseExpiresAt?: number | null;
  readonly notBefore?: number;
  readonly waitingReason?: string | null;
  readonly cause?: ItemCause | null;
  readonly message?: string | null;
  readonly stopRequestedBy?: string;
  readonly training?: TrainingRecord | null;
  readonly error?: ItemErrorRecord | null;
  readonly warnings?: readonly string[];
  readonly associatedRunId?: string | null;
  readonly retriedAs?: string;
  /** When the phase began, if that is known better than the time of the call. */
  readonly at?: number;
}

/**
 * Changes an item by one statement that names what it expects, with its timeline row and its event. Answers the item as it is
 * then; undefined when the row was not as expected, and then nothing has changed.
 */
export async function changeItem(
  tx: Tx,
  guard: ItemGuard,
  change: ItemChange,
  entry: TimelineEntry,
): Promise<ItemRecord | undefined> {
  let query = tx.kysely
    .updateTable("items")
    .set(toColumns(tx, change))
    .where("id", "=", guard.id)
    .where("state", "in", guard.states);
  if (guard.attempt !== undefined) query = query.where("attempt", "=", guard.attempt);
  if (guard.fencingToken !== undefined) query = query.where("fencingToken", "=", guard.fencingToken);
  if (guard.plain !== undefined) query = query.where("plain", "=", guard.plain ? 1 : 0);
  if (guard.agentId !== undefined) query = query.where("agentId", "=", guard.agentId);
  if (guard.leaseOverAt !== undefined)
    query = query.where("leaseExpiresAt", "<=", guard.leaseOverAt).where(holdsLease());
  if (guard.stopRequested !== undefined)
    query = query.where("stopRequestedAt", guard.stopRequested ? "is not" : "is", null);
  if (guard.refusedAck) query = query.where("refusedAcks", ">", 0);
  const row = await query.returningAll().executeTakeFirst();
  return row && recordChange(tx, row, entry);
}

/** LEASED, or CLAIMED by an agent that has not been declared lost. */
function holdsLease() {
  return sql<boolean>`(state = 'LEASED' OR agent_id IS NOT NULL)`;
}

function toColumns(tx: Tx, change: ItemChange): UpdateObject<Tables, "items"> {
  const set: Record<string, unknown> = {};
  const copy = ["state", "agentId", "leaseExpiresAt", "notBefore", "waitingReason", "cause", "message"] as const;
  for (const key of copy) if (change[key] !== undefined) set[key] = change[key];
  if (change.associatedRunId !== undefined) set.associatedRunId = change.associatedRunId;
  if (change.retriedAs !== undefined) set.retriedAs = change.retriedAs;
  if (change.plain !== undefined) set.plain = change.plain ? 1 : 0;
  if (change.training !== undefined) set.training = toText(change.training);
  if (change.error !== undefined) set.error = toText(change.error);
  if (change.warnings !== undefined) set.warnings = JSON.stringify(change.warnings);
  if (change.raiseToken) set.fencingToken = sql`fencing_token + 1`;
  if (change.raiseAttempt) set.attempt = sql`attempt + 1`;
  if (change.phase !== undefined) {
    set.phase = change.phase;
    set.phaseSince = sql`CASE WHEN phase = ${change.phase} THEN phase_since ELSE ${change.at ?? tx.now} END`;
  }
  if (change.stopRequestedBy !== undefined) {
    set.stopRequestedAt = sql`COALESCE(stop_requested_at, ${tx.now})`;
    set.stopRequestedBy = sql`COALESCE(stop_requested_by, ${change.stopRequestedBy})`;
  }
  if (change.state === "LEASED") set.leasedAt = tx.now;
  if (change.state === "CLAIMED") set.claimedAt = tx.now;
  if (change.state !== undefined && isSettled(change.state)) set.settledAt = tx.now;
  return set as UpdateObject<Tables, "items">;
}

function toText(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}

async function recordChange(tx: Tx, row: Row, entry: TimelineEntry): Promise<ItemRecord> {
  const item = toItem(row);
  await insertTimeline(tx, item, entry);
  const data = {
    state: item.state,
    phase: item.phase,
    attempt: item.attempt,
    runId: item.runId,
    project: item.projectName,
    change: entry.kind,
    stopRequested: item.stopRequestedAt !== null,
    agentId: item.agentId,
  };
  const owners = new Set([item.queueEntityId, item.entityId]);
  for (const entityId of owners) tx.event({ entityId, kind: "item", subject: item.id, queueId: item.queueId, data });
  if (item.state === "PENDING") tx.wakeQueue(item.queueId);
  return item;
}

/** Puts off the end of a lease; nothing else changes, so neither timeline nor event. Answers the item if it is still held. */
export async function extendLease(
  db: Kysely<Tables>,
  guard: { id: string; agentId: string; attempt: number; fencingToken: number },
  expiresAt: number,
): Promise<ItemRecord | undefined> {
  const row = await db
    .updateTable("items")
    .set({ leaseExpiresAt: expiresAt })
    .where("id", "=", guard.id)
    .where("agentId", "=", guard.agentId)
    .where("attempt", "=", guard.attempt)
    .where("fencingToken", "=", guard.fencingToken)
    .where("state", "in", ["LEASED", "CLAIMED"])
    .where("plain", "=", 0)
    .returningAll()
    .executeTakeFirst();
  return row && toItem(row);
}

/** Counts log lines in, for the holder of the lease alone; answers the index of the first, or undefined. */
export async function reserveLogLines(
  db: Kysely<Tables>,
  guard: { id: string; attempt: number; fencingToken: number },
  lines: number,
): Promise<{ first: number; item: ItemRecord } | undefined> {
  const row = await db
    .updateTable("items")
    .set({ logLines: sql<number>`log_lines + ${lines}` })
    .where("id", "=", guard.id)
    .where("attempt", "=", guard.attempt)
    .where("fencingToken", "=", guard.fencingToken)
    .where("state", "in", ["LEASED", "CLAIMED"])
    .returningAll()
    .executeTakeFirst();
  return row && { first: row.logLines - lines, item: toItem(row) };
}

/** Notes that a plain acknowledge was refused (1), or that its agent's failure report has come (-1). */
export async function countRefusedAck(db: Kysely<Tables>, id: string, by: 1 | -1): Promise<boolean> {
  let query = db
    .updateTable("items")
    .set({ refusedAcks: sql<number>`refused_acks + ${by}` })
    .where("id", "=", id);
  if (by < 0) query = query.where("refusedAcks", ">", 0);
  return (await query.executeTakeFirst()).numUpdatedRows === 1n;
}

export async function noteRetriedAs(db: Kysely<Tables>, id: string, retriedAs: string): Promise<void> {
  await db.updateTable("items").set({ retriedAs }).where("id", "=", id).execute();
}

/** Takes its timeline, cursors and log index with it. */
export async function deleteSettledItem(db: Kysely<Tables>, id: string): Promise<boolean> {
  const done = await db
    .deleteFrom("items")
    .where("id", "=", id)
    .where("state", "in", ["FINISHED", "FAILED", "STOPPED"])
    .executeTakeFirst();
  return done.numDeletedRows === 1n;
}
