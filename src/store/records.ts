import type { ItemCause, ItemPhase, ItemState } from "../core/items/item-states.ts";
import type { RunSpec } from "../core/items/run-spec.ts";
import type { JsonObject, JsonValue } from "../core/json.ts";

/*
 * What the store hands out: one plain object per noun. Times are milliseconds since 1970-01-01T00:00:00Z; what is not
 * there is null, never undefined, so that every record has the same shape on both dialects.
 */

export type MemberRole = "VIEWER" | "MEMBER" | "ADMIN";

export interface EntityRecord {
  readonly id: string;
  readonly name: string;
  readonly isTeam: boolean;
  readonly createdAt: number;
}

export interface UserRecord {
  readonly id: string;
  readonly name: string;
  readonly email: string | null;
  readonly admin: boolean;
  /** The user's own entity; it bears the user's name. */
  readonly entityId: string;
  readonly createdAt: number;
  readonly deletedAt: number | null;
  /** A program's account, made for a team. */
  readonly service: boolean;
}

export interface MembershipRecord {
  readonly entityId: string;
  readonly entityName: string;
  readonly userId: string;
  readonly username: string;
  readonly email: string | null;
  readonly service: boolean;
  readonly role: MemberRole;
}

export interface ApiKeyRecord {
  readonly id: string;
  readonly userId: string;
  /** The first characters of the key and an ellipsis: enough to recognise it, not to use it. */
  readonly name: string;
  readonly description: string | null;
  readonly createdAt: number;
  readonly lastUsedAt: number | null;
}

export interface ProjectRecord {
  readonly id: string;
  /** A small growing number, which the wire wants beside the id. */
  readonly internalId: number;
  readonly name: string;
  readonly entityId: string;
  readonly entityName: string;
  readonly description: string | null;
  readonly access: string;
  readonly createdAt: number;
  /** Who made it; null for those that the server makes itself. */
  readonly userId: string | null;
}

export interface TemplateVariableRecord {
  readonly name: string;
  readonly schema: JsonObject;
  readonly description: string | null;
}

export interface DefaultResourceConfigRecord {
  readonly id: string;
  readonly entityId: string;
  readonly resource: string;
  /** As the wire has it: `{resource_args: {sagemaker: {...}}}`. */
  readonly config: JsonObject;
  readonly templateVariables: readonly TemplateVariableRecord[];
  readonly createdAt: number;
}

export interface QueueRecord {
  readonly id: string;
  readonly name: string;
  readonly entityId: string;
  readonly entityName: string;
  readonly access: "PROJECT" | "USER";
  readonly prioritizationMode: "DISABLED" | "V0";
  readonly resource: string;
  /** The resource config; for sagemaker the CreateTrainingJob body. */
  readonly config: JsonObject;
  readonly configText: string | null;
  readonly templateVariables: readonly TemplateVariableRecord[];
  readonly externalLinks: JsonValue | null;
  readonly defaultResourceConfigId: string | null;
  /** Counts up from 1 with every change of the config. */
  readonly version: number;
  readonly createdBy: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface QueueVersionRecord {
  readonly queueId: string;
  readonly version: number;
  readonly resource: string;
  readonly config: JsonObject;
  readonly configText: string | null;
  readonly templateVariables: readonly TemplateVariableRecord[];
  readonly createdBy: string | null;
  readonly createdAt: number;
}

export interface QueueCounts {
  readonly pending: number;
  readonly leased: number;
  readonly claimed: number;
  readonly finished: number;
  readonly failed: number;
  readonly stopped: number;
  readonly oldestPendingAt: number | null;
}

/** What SageMaker says of the current attempt's training job; only what the agent has told so far. */
export interface TrainingRecord {
  readonly name: string;
  /** The item's attempt that it was told of; set by the server. */
  readonly attempt?: number;
  readonly arn?: string | null;
  readonly status?: string | null;
  readonly secondaryStatus?: string | null;
  readonly statusMessage?: string | null;
  readonly failureReason?: string | null;
  readonly exitCode?: number | null;
  readonly billableSeconds?: number | null;
  readonly trainingSeconds?: number | null;
  readonly modelArtifacts?: string | null;
  readonly finalMetrics?: JsonValue;
  readonly request?: JsonValue;
  readonly imageUri?: string | null;
  readonly transitions?: JsonValue;
}

export interface ItemErrorRecord {
  readonly message: string;
  readonly stage: string | null;
  readonly filePaths: readonly string[];
  readonly code: string | null;
  readonly hint: string | null;
}

export interface ItemRecord {
  readonly id: string;
  readonly queueId: string;
  readonly queueName: string;
  readonly queueEntityId: string;
  readonly queueEntityName: string;
  /** Whose project the run belongs to. */
  readonly entityId: string;
  readonly entityName: string;
  readonly projectName: string;
  readonly runId: string;
  readonly name: string | null;
  readonly author: string | null;
  readonly state: ItemState;
  readonly phase: ItemPhase;
  readonly phaseSince: number;
  /** 0 critical to 3 low. */
  readonly priority: number;
  /** From 1; raised by a settle with a retry. */
  readonly attempt: number;
  /** Raised by every lease and pop. */
  readonly fencingToken: number;
  /** Taken by pop: its agent never renews and never tells the end. */
  readonly plain: boolean;
  readonly agentId: string | null;
  readonly leaseExpiresAt: number | null;
  readonly waitingReason: string | null;
  readonly waitUntil: number | null;
  readonly cause: ItemCause | null;
  readonly message: string | null;
  /** Complete, not masked. */
  readonly runSpec: RunSpec;
  readonly stopRequestedAt: number | null;
  readonly stopRequestedBy: string | null;
  readonly training: TrainingRecord | null;
  readonly error: ItemErrorRecord | null;
  readonly warnings: readonly string[];
  /** The run's id once an agent has acknowledged the item. */
  readonly associatedRunId: string | null;
  readonly logLines: number;
  readonly createdAt: number;
  readonly leasedAt: number | null;
  readonly claimedAt: number | null;
  readonly settledAt: number | null;
  readonly retryOf: string | null;
  readonly retriedAs: string | null;
}

export interface TimelineRecord {
  readonly seq: number;
  readonly itemId: string;
  readonly at: number;
  readonly attempt: number;
  readonly kind: string;
  readonly state: ItemState | null;
  readonly phase: ItemPhase | null;
  /** `user:NAME`, `agent:NAME` or `server`. */
  readonly actor: string | null;
  readonly message: string | null;
  readonly detail: JsonValue;
}

export interface AgentRecord {
  readonly id: string;
  readonly name: string;
  readonly entityId: string;
  readonly entityName: string;
  readonly hostname: string | null;
  readonly version: string | null;
  readonly queueIds: readonly string[];
  readonly status: string;
  readonly stopPolling: boolean;
  readonly heartbeatAt: number;
  readonly createdAt: number;
  readonly createdBy: string | null;
  /** The text of its config as it sent it. */
  readonly agentConfig: string | null;
}

export interface RunRecord {
  readonly id: string;
  readonly name: string;
  readonly projectId: string;
  readonly projectInternalId: number;
  readonly projectName: string;
  readonly entityId: string;
  readonly entityName: string;
  readonly displayName: string | null;
  readonly description: string | null;
  readonly notes: string | null;
  /** JSON texts, as the client sent them. */
  readonly config: string;
  readonly summaryMetrics: string;
  /** The same as strict JSON: NaN and the infinities as texts. */
  readonly configSearch: string;
  readonly summarySearch: string;
  /** pending, running, finished, failed, crashed, preempted. */
  readonly state: string;
  readonly stopped: boolean;
  readonly tags: readonly string[];
  readonly groupName: string | null;
  readonly jobType: string | null;
  readonly commit: string | null;
  readonly host: string | null;
  readonly program: string | null;
  readonly repo: string | null;
  readonly sweepName: string | null;
  readonly exitCode: number | null;
  readonly createdAt: number;
  /** When the training code was last heard of; null: never. */
  readonly heartbeatAt: number | null;
  readonly userId: string | null;
  readonly username: string | null;
  readonly itemId: string | null;
  /** How many lines of each stream count. */
  readonly historyLines: number;
  readonly eventsLines: number;
  readonly outputLines: number;
  /** JSON text of a HistoryKeys (core/history-keys.ts). */
  readonly historyKeys: string;
  /** JSON text: the last value of each system metric. */
  readonly systemMetrics: string;
  /** The machine said that it is about to be taken away. */
  readonly preempting: boolean;
}

export interface EventRecord {
  /** Grows; a reader that has seen `seq` never gets a smaller one later. */
  readonly seq: number;
  readonly at: number;
  readonly entityId: string;
  /** item, logs, agent, queue, run */
  readonly kind: string;
  /** The id of the item, agent, queue or run. */
  readonly subject: string;
  readonly queueId: string | null;
  /** What changed, small: for an item `{state, phase, attempt, runId}`. */
  readonly data: JsonObject;
}

export interface LogLineRecord {
  /** Counts from 0 over the item's life, in order of arrival. */
  readonly index: number;
  readonly node: string;
  readonly attempt: number;
  readonly at: number;
  readonly text: string;
}

export interface LogCursorRecord {
  readonly node: string;
  readonly stream: string;
  readonly cursor: string;
}
