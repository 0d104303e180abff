import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { explainItem } from "../../core/items/causes.ts";
import type { ItemCause, ItemPhase, ItemState } from "../../core/items/item-states.ts";
import { maskSecrets, type RunSpec } from "../../core/items/run-spec.ts";
import type { JsonValue } from "../../core/json.ts";
import { findAgent, listAgents } from "../../store/agents.ts";
import {
  countBefore,
  findItem,
  findItemOfRun,
  findItemsByRunPrefix,
  itemsHeldBy,
  listItems,
} from "../../store/item-queries.ts";
import type { ItemRecord, LogCursorRecord, TimelineRecord, TrainingRecord } from "../../store/records.ts";
import { listTimeline } from "../../store/timeline.ts";
import { maySeeItem, visibleEntities } from "./authorize.ts";
import type { ServiceContext } from "./context.ts";
import { visibleEntity } from "./entity-lookup.ts";
import { lease, pop, release, renew } from "./items/lease.ts";
import { acknowledgePlain, failPlain, warnPlain } from "./items/plain.ts";
import { push, retry } from "./items/push.ts";
import { acknowledge, report, settle, wait } from "./items/report.ts";
import { visibleAgent, visibleItem } from "./items/shared.ts";
import { deleteItem, stop } from "./items/stop.ts";
import { logTail } from "./logs.ts";
import { type Page, pageSize } from "./page.ts";
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

/** Enough for a traceback. */
const EXPLAINED_LINES = 60;
const MAX_PAGE = 500;
const TIMELINE_PAGE = 200;
const MAX_TIMELINE_PAGE = 1_000;

export function createItemsService(context: ServiceContext): ItemsService {
  const { database, clock, limits } = context;
  const { kysely } = database;

  async function position(item: ItemRecord): Promise<number | null> {
    return item.state === "PENDING" ? countBefore(kysely, item) : null;
  }

  /** What the code of the last attempt said before it ended; the build's words are in the message already. */
  async function lastLines(item: ItemRecord): Promise<readonly string[]> {
    const lines = await logTail(context, { itemId: item.id, attempt: item.attempt }, EXPLAINED_LINES);
    return lines.filter((line) => line.node !== "build").map((line) => line.text);
  }

  return {
    async get(principal, idOrRunId) {
      const item = await findItem(kysely, idOrRunId);
      if (item) return maySeeItem(principal, item) ? item : undefined;
      const [found, second] = await findItemsByRunPrefix(kysely, visibleEntities(principal), idOrRunId);
      if (second) throw new SlipwayError("ITEM_AMBIGUOUS", { values: { item: idOrRunId } });
      return found;
    },

    async byRun(principal, entityName, projectName, runId) {
      const entity = await visibleEntity(kysely, principal, entityName);
      return findItemOfRun(kysely, entity.id, projectName, runId);
    },

    async list(principal, filter) {
      const entityIds =
        filter.entityName === undefined
          ? visibleEntities(principal)
          : [(await visibleEntity(kysely, principal, filter.entityName)).id];
      const first = pageSize(filter.first, MAX_PAGE);
      const found = await listItems(kysely, {
        entityIds,
        queueId: filter.queueId,
        states: filter.states,
        before: filter.after ?? undefined,
        limit: first + 1,
      });
      const nodes = found.slice(0, first);
      return { nodes, endCursor: nodes.at(-1)?.id ?? null, hasNextPage: found.length > first };
    },

    async heldBy(principal, agentId) {
      await visibleAgent(kysely, principal, agentId);
      return (await itemsHeldBy(kysely, agentId)).filter((item) => maySeeItem(principal, item));
    },

    position: (_principal, item) => position(item),

    async explanation(_principal, item) {
      const agent = item.agentId === null ? undefined : await findAgent(kysely, item.agentId);
      const { training } = item;
      const waiting = item.state === "PENDING" ? await listAgents(kysely, { queueId: item.queueId }) : [];
      const alive = waiting.filter(
        (one) => one.status !== "KILLED" && clock.now() - one.heartbeatAt < limits.agentAliveMs,
      );
      return explainItem({
        state: item.state,
        phase: item.phase,
        cause: item.cause,
        message: item.message,
        hint: item.error?.hint ?? null,
        attempt: item.attempt,
        waitingReason: item.waitingReason,
        waitUntil: item.waitUntil,
        now: clock.now(),
        position: await position(item),
        queueName: item.queueName,
        agentsAlive: item.state === "PENDING" ? alive.length : null,
        agentName: agent?.name ?? null,
        stopRequested: item.stopRequestedAt !== null,
        stopRequestedBy: item.stopRequestedBy,
        trainingJobName: training?.name ?? null,
        failureReason: training?.failureReason ?? null,
        statusMessage: training?.statusMessage ?? null,
        exitCode: training?.exitCode ?? null,
        billableSeconds: training?.billableSeconds ?? null,
        modelArtifacts: training?.modelArtifacts ?? null,
        ...(item.state === "FAILED" ? { lastLogLines: await lastLines(item) } : {}),
      });
    },

    async timeline(principal, itemId, page) {
      const item = await visibleItem(kysely, principal, itemId);
      const limit = Math.min(Math.max(page.first ?? TIMELINE_PAGE, 1), MAX_TIMELINE_PAGE);
      return listTimeline(kysely, item.id, { after: page.after ?? 0, first: limit });
    },

    maskedRunSpec: (item) => maskSecrets(item.runSpec),

    push: (principal, input) => push(context, principal, input),
    pop: (principal, input) => pop(context, principal, input),
    lease: (principal, input) => lease(context, principal, input),
    ack: (principal, input) =>
      input.attempt == null || input.fencingToken == null
        ? acknowledgePlain(context, principal, input.itemId, input.runName)
        : acknowledge(
            context,
            principal,
            { itemId: input.itemId, attempt: input.attempt, fencingToken: input.fencingToken },
            input.runName,
          ),
    fail: (principal, input) => failPlain(context, principal, input),
    warning: (principal, input) => warnPlain(context, principal, input),
    renew: (principal, input) => renew(context, principal, input),
    report: (principal, input) => report(context, principal, input),
    wait: (principal, input) => wait(context, principal, input),
    settle: (principal, input) => settle(context, principal, input),
    release: (principal, input) => release(context, principal, input),
    stop: (principal, itemId) => stop(context, principal, itemId),
    retry: (principal, itemId) => retry(context, principal, itemId),
    delete: (principal, itemId) => deleteItem(context, principal, itemId),
  };
}
