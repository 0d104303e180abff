import type { Generated } from "kysely";
import type { ArtifactTables } from "./artifact-tables.ts";

/*
 * The tables, as kysely sees them (camelCase here, snake_case in SQL). Only types that both dialects have: text,
 * 64-bit integers, 0 or 1 for flags, milliseconds for times, and JSON as text, which is never searched by SQL.
 */

export interface Tables extends ArtifactTables {
  migrations: { id: number; name: string; breaking: number; appliedAt: number };
  entities: { id: string; name: string; isTeam: number; createdAt: number };
  users: {
    id: string;
    name: string;
    email: string | null;
    admin: number;
    entityId: string;
    createdAt: number;
    deletedAt: number | null;
    /** 1: a program's account, made for a team. */
    service: Generated<number>;
  };
  memberships: { entityId: string; userId: string; role: string; joinedAt: Generated<number> };
  apiKeys: {
    id: string;
    userId: string;
    hash: string;
    prefix: string;
    description: string | null;
    createdAt: number;
    lastUsedAt: number | null;
    itemId: string | null;
    runEntityId: string | null;
    runProject: string | null;
    runName: string | null;
    /** When the item of a job's key settled. */
    endedAt: number | null;
  };
  projects: {
    internalId: Generated<number>;
    id: string;
    name: string;
    entityId: string;
    description: string | null;
    access: string;
    createdAt: number;
    /** Who made it; null for those that the server makes itself. */
    userId: string | null;
  };
  defaultResourceConfigs: {
    id: string;
    entityId: string;
    resource: string;
    config: string;
    templateVariables: string;
    createdAt: number;
  };
  queues: {
    id: string;
    name: string;
    entityId: string;
    access: string;
    prioritizationMode: string;
    resource: string;
    config: string;
    configText: string | null;
    templateVariables: string;
    externalLinks: string | null;
    defaultResourceConfigId: string | null;
    version: number;
    /** Counts up over all queues with every claim: the smallest was served longest ago. */
    served: number;
    createdBy: string | null;
    createdAt: number;
    updatedAt: number;
    deletedAt: number | null;
  };
  queueVersions: {
    queueId: string;
    version: number;
    resource: string;
    config: string;
    configText: string | null;
    templateVariables: string;
    createdBy: string | null;
    createdAt: number;
  };
  items: ItemsTable;
  timeline: {
    seq: Generated<number>;
    itemId: string;
    at: number;
    attempt: number;
    kind: string;
    state: string | null;
    phase: string | null;
    actor: string | null;
    message: string | null;
    detail: string | null;
  };
  agents: {
    id: string;
    name: string;
    entityId: string;
    hostname: string | null;
    version: string | null;
    status: string;
    stopPolling: number;
    /** Its silence has been told already. */
    silent: number;
    heartbeatAt: number;
    createdAt: number;
    createdBy: string | null;
    agentConfig: string | null;
  };
  agentQueues: { agentId: string; queueId: string };
  runs: {
    id: string;
    name: string;
    projectId: string;
    displayName: string | null;
    description: string | null;
    notes: string | null;
    config: string;
    summaryMetrics: string;
    state: string;
    stopped: number;
    tags: string;
    groupName: string | null;
    jobType: string | null;
    commit: string | null;
    host: string | null;
    program: string | null;
    repo: string | null;
    sweepName: string | null;
    exitCode: number | null;
    createdAt: number;
    heartbeatAt: number | null;
    userId: string | null;
    itemId: string | null;
    historyLines: Generated<number>;
    eventsLines: Generated<number>;
    outputLines: Generated<number>;
    historyKeys: Generated<string>;
    systemMetrics: Generated<string>;
    preempting: Generated<number>;
    /** Config and summary as strict JSON, for filters: the texts themselves may hold NaN. */
    configSearch: Generated<string>;
    summarySearch: Generated<string>;
  };
  runChunks: {
    id: Generated<number>;
    runId: string;
    stream: string;
    firstLine: number;
    lineCount: number;
    minStep: number | null;
    maxStep: number | null;
    file: string;
    byteOffset: number;
    byteLength: number;
  };
  runFiles: {
    runId: string;
    name: string;
    /** NULL until the file has arrived. */
    size: number | null;
    md5: string | null;
    askedAt: number;
    /** 0 while an address to send it to may still be good. */
    final: number;
    updatedAt: number;
  };
  runAlerts: { id: string; runId: string; at: number; title: string; text: string; severity: string };
  sweeps: {
    /** In the order of creation. */
    serial: Generated<number>;
    /** The sweep's name for people too. */
    id: string;
    projectId: string;
    config: string;
    state: string;
    displayName: string | null;
    description: string | null;
    controller: string | null;
    /** JSON text of the launch scheduler that the client gave. */
    scheduler: string | null;
    /** The queue item that is its scheduler. */
    schedulerItemId: Generated<string | null>;
    /** JSON text of a filter: runs that bayes learns from besides the sweep's own. */
    priorRuns: Generated<string | null>;
    /** How many runs were handed out. */
    handed: Generated<number>;
    userId: string | null;
    createdAt: number;
    updatedAt: number;
    heartbeatAt: number | null;
  };
  sweepRuns: {
    sweepId: string;
    runId: string;
    position: number;
    /** A list of numbers; empty for a run that a person put in. */
    point: string;
    /** How much of its history was looked at for the metric, and what came of it. */
    seenLines: Generated<number>;
    seenStep: Generated<number | null>;
    logged: Generated<number>;
    best: Generated<number | null>;
    stoppedEarly: Generated<number>;
    agentId: Generated<string | null>;
  };
  /** A run's best value when it came to a rung; less is better. */
  sweepRungs: { sweepId: string; runId: string; rung: number; value: number };
  /** Runs that a person put into a sweep and that no agent has yet. */
  sweepWaiting: { serial: Generated<number>; sweepId: string; runId: string; arguments: string };
  sweepAgents: { id: string; sweepId: string; host: string; createdAt: number; heartbeatAt: number };
  events: {
    seq: Generated<number>;
    at: number;
    entityId: string;
    kind: string;
    subject: string;
    queueId: string | null;
    data: string;
  };
  logCursors: { itemId: string; attempt: number; node: string; stream: string; cursor: string };
  logChunks: {
    id: Generated<number>;
    itemId: string;
    attempt: number;
    node: string;
    firstIndex: number;
    lineCount: number;
    file: string;
    byteOffset: number;
    byteLength: number;
  };
  codeArchives: { entityId: string; digest: string; size: number; createdAt: number };
}

/** The names of queue and owners are kept in the row: they never change, and UPDATE ... RETURNING gives the whole record. */
export interface ItemsTable {
  id: string;
  queueId: string;
  queueName: string;
  queueEntityId: string;
  queueEntityName: string;
  entityId: string;
  entityName: string;
  projectId: string;
  projectName: string;
  runId: string;
  name: string | null;
  author: string | null;
  authorUserId: string | null;
  state: string;
  phase: string;
  phaseSince: number;
  priority: number;
  attempt: number;
  fencingToken: number;
  plain: number;
  agentId: string | null;
  leaseExpiresAt: number | null;
  /** A PENDING item is not handed out before; 0: at once. */
  notBefore: number;
  waitingReason: string | null;
  cause: string | null;
  message: string | null;
  runSpec: string;
  stopRequestedAt: number | null;
  stopRequestedBy: string | null;
  training: string | null;
  error: string | null;
  warnings: string;
  associatedRunId: string | null;
  logLines: number;
  /** Plain acknowledges that were refused and whose agents have yet to report the failure (which is none of this item). */
  refusedAcks: number;
  createdAt: number;
  leasedAt: number | null;
  claimedAt: number | null;
  settledAt: number | null;
  retryOf: string | null;
  retriedAs: string | null;
}
