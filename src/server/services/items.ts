import type { ItemCause, ItemPhase, ItemState } from "../../core/item-states.ts";
import type { JsonValue } from "../../core/json.ts";
import type { RunSpec } from "../../core/run-spec.ts";
import type { ItemRecord, LogCursorRecord, TimelineRecord, TrainingRecord } from "../../store/records.ts";
import type { Principal } from "./principal.ts";

/** Names a lease: what an agent must hold to speak for an item. */
export interface LeaseRef {
  readonly itemId: string;
  readonly attempt: number;
  readonly fencingToken: number;
}

export interface PushInput {
  /** Either the queue's id, or the owner's name and the queue's. */
  readonly queue: { readonly id: string } | { readonly entityName: string; readonly name: string };
  /** JSON text of a run spec. */
  readonly runSpec: string;
  readonly priority?: number | null;
  /** JSON text of an object; "null" and absent are the same. */
  readonly templateVariableValues?: string | null;
}

export interface Lease {
  /** LEASED: new. CLAIMED: adopted. */
  readonly item: ItemRecord;
  /** Complete, not masked; with the job's own API key. */
  readonly runSpec: RunSpec;
  /** For an adopted item, where each node's log stands. */
  readonly logCursors: readonly LogCursorRecord[];
}

export interface RenewedLease {
  readonly itemId: string;
  readonly held: boolean;
  readonly expiresAt: number | null;
  readonly stopRequested: boolean;
  readonly stopRequestedBy: string | null;
}

export interface ReportInput {
  readonly lease: LeaseRef;
  readonly phase?: ItemPhase | null;
  readonly message?: string | null;
  /** The timeline's kind; `phase` where absent. */
  readonly kind?: string | null;
  readonly detail?: JsonValue;
  readonly training?: TrainingRecord | null;
  /** When it happened, where that is known better than the time of the call. */
  readonly at?: number | null;
}

export interface ReportResult {
  readonly stopRequested: boolean;
  readonly stopRequestedBy: string | null;
}

export interface SettleInput {
  readonly lease: LeaseRef;
  readonly state: "FINISHED" | "FAILED" | "STOPPED";
  readonly cause: ItemCause;
  readonly message?: string | null;
  /** Begin the next attempt instead, if attempts are left and no stop was asked for. */
  readonly retry?: boolean | null;
  readonly retryAt?: number | null;
  readonly training?: TrainingRecord | null;
  readonly stage?: string | null;
  readonly code?: string | null;
  readonly hint?: string | null;
}

export interface ItemErrorInput {
  readonly itemId: string;
  readonly message: string;
  readonly stage: string;
  readonly filePaths?: readonly string[] | null;
}

export interface ItemExplanation {
  readonly summary: string;
  readonly next: string | null;
}

export interface Page<T> {
  readonly nodes: readonly T[];
  /** Pass as `after` to go on; null when the page is empty. */
  readonly endCursor: string | null;
  readonly hasNextPage: boolean;
}

/**
 * The life of an item. Every refusal of a lease that is not (or no longer) held is STALE_LEASE.
 */
export interface ItemsService {
  /** By id, or by a run id or a prefix of one that fits a single item; undefined when there is none to see. */
  get(principal: Principal, idOrRunId: string): Promise<ItemRecord | undefined>;
  byRun(principal: Principal, entityName: string, projectName: string, runId: string): Promise<ItemRecord | undefined>;
  /** Newest first. */
  list(
    principal: Principal,
    filter: {
      readonly entityName?: string;
      readonly queueId?: string;
      readonly states?: readonly ItemState[] | null;
      readonly first?: number | null;
      readonly after?: string | null;
    },
  ): Promise<Page<ItemRecord>>;
  /** What an agent holds now. */
  heldBy(principal: Principal, agentId: string): Promise<readonly ItemRecord[]>;
  /** How many claimable items of the queue come first; null unless PENDING. */
  position(principal: Principal, item: ItemRecord): Promise<number | null>;
  explanation(principal: Principal, item: ItemRecord): Promise<ItemExplanation>;
  timeline(
    principal: Principal,
    itemId: string,
    page: { readonly after?: number | null; readonly first?: number | null },
  ): Promise<readonly TimelineRecord[]>;
  /** The spec with secret values masked, for people to see. */
  maskedRunSpec(item: ItemRecord): RunSpec;

  push(principal: Principal, input: PushInput): Promise<ItemRecord>;
  /** Plain protocol: null when nothing waits. The lease ends after 60 s unless acknowledged. */
  pop(
    principal: Principal,
    input: { readonly entityName: string; readonly queueName: string; readonly launchAgentId?: string | null },
  ): Promise<{ item: ItemRecord; runSpec: RunSpec } | null>;
  /** Long poll: waits up to waitSeconds (0 to 25) for the first item; a push wakes it at once. */
  lease(
    principal: Principal,
    input: {
      readonly launchAgentId: string;
      readonly max: number;
      readonly waitSeconds: number;
      readonly signal?: AbortSignal;
    },
  ): Promise<{ leases: readonly Lease[]; stopPolling: boolean }>;
  /**
   * With attempt and fencing token (ours): LEASED to CLAIMED, or nothing if that has happened already; STALE_LEASE
   * otherwise. Without (plain): success is false when another agent has the item or the lease has run out.
   */
  ack(
    principal: Principal,
    input: {
      readonly itemId: string;
      readonly runName: string;
      readonly attempt?: number | null;
      readonly fencingToken?: number | null;
    },
  ): Promise<{ success: boolean; stopRequested: boolean }>;
  /** Plain protocol: false (and nothing changes) when the caller lost the item to another agent. */
  fail(principal: Principal, input: ItemErrorInput): Promise<boolean>;
  warning(principal: Principal, input: ItemErrorInput): Promise<boolean>;
  /** Also the agent's heartbeat. */
  renew(
    principal: Principal,
    input: {
      readonly launchAgentId: string;
      readonly agentStatus?: string | null;
      readonly leases: readonly LeaseRef[];
    },
  ): Promise<{ leases: readonly RenewedLease[]; stopPolling: boolean }>;
  report(principal: Principal, input: ReportInput): Promise<ReportResult>;
  /** A LEASED item goes back as PENDING (phase waiting) until an instant; same attempt. */
  wait(
    principal: Principal,
    input: {
      readonly lease: LeaseRef;
      readonly reason: string;
      readonly cause?: ItemCause | null;
      readonly until: number;
    },
  ): Promise<ReportResult>;
  settle(principal: Principal, input: SettleInput): Promise<ReportResult>;
  release(
    principal: Principal,
    input: { readonly launchAgentId: string; readonly leases: readonly LeaseRef[] },
  ): Promise<void>;
  stop(principal: Principal, itemId: string): Promise<ItemRecord>;
  /** Pushes a new item with the run spec of a settled one. */
  retry(principal: Principal, itemId: string): Promise<ItemRecord>;
  /** PENDING: stopped, cause deleted. Settled: forgotten with its logs. ITEM_IN_FLIGHT otherwise. */
  delete(principal: Principal, itemId: string): Promise<void>;
}
