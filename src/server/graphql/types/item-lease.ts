import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import type { JsonValue } from "../../../core/json.ts";
import type { TrainingRecord } from "../../../store/records.ts";
import type { Lease, LeaseRef, RenewedLease as Renewed, ReportResult } from "../../services/items.ts";
import { builder } from "../builder.ts";
import { ItemCause, ItemPhase, RunQueueItemState } from "../enums.ts";
import { globalId, requireKey } from "../ids.ts";
import { SuccessPayload } from "../refs.ts";
import { parseJson } from "../scalars.ts";
import { LogCursor } from "./item-logs.ts";
import { LeaseRefInput, leaseRef } from "./lease-ref.ts";

/* What our own agents tell of the items they hold. */

const RunQueueItemLease = builder.objectRef<Lease>("RunQueueItemLease").implement({
  fields: (t) => ({
    runQueueItemId: t.id({ resolve: ({ item }) => globalId("RunQueueItem", item.id) }),
    attempt: t.int({ resolve: ({ item }) => item.attempt }),
    fencingToken: t.int({ resolve: ({ item }) => item.fencingToken }),
    expiresAt: t.field({ type: "DateTime", resolve: ({ item }) => item.leaseExpiresAt ?? 0 }),
    state: t.field({
      type: RunQueueItemState,
      description: "LEASED: new. CLAIMED: adopted, its training job may be running.",
      resolve: ({ item }) => item.state,
    }),
    phase: t.field({ type: ItemPhase, resolve: ({ item }) => item.phase }),
    runId: t.string({ resolve: ({ item }) => item.runId }),
    runSpec: t.expose("runSpec", { type: "JSON", description: "Not masked: only the lease holder sees it." }),
    queueId: t.id({ resolve: ({ item }) => globalId("RunQueue", item.queueId) }),
    queueName: t.string({ resolve: ({ item }) => item.queueName }),
    queueEntityName: t.string({ resolve: ({ item }) => item.queueEntityName }),
    stopRequested: t.boolean({ resolve: ({ item }) => item.stopRequestedAt !== null }),
    trainingJobName: t.string({ nullable: true, resolve: ({ item }) => item.training?.name ?? null }),
    logCursors: t.field({
      type: [LogCursor],
      description: "Where each node's log stands, for an adopted item.",
      resolve: (lease) => lease.logCursors,
    }),
  }),
});

const LeaseRunQueueItemsInput = builder.inputType("LeaseRunQueueItemsInput", {
  fields: (t) => ({
    launchAgentId: t.id({ required: true }),
    max: t.int({ required: true }),
    waitSeconds: t.int({ required: true }),
  }),
});

const LeaseRunQueueItemsPayload = builder
  .objectRef<{ readonly leases: readonly Lease[]; readonly stopPolling: boolean }>("LeaseRunQueueItemsPayload")
  .implement({
    fields: (t) => ({
      leases: t.field({ type: [RunQueueItemLease], resolve: ({ leases }) => leases }),
      stopPolling: t.exposeBoolean("stopPolling"),
    }),
  });

const RenewRunQueueItemLeasesInput = builder.inputType("RenewRunQueueItemLeasesInput", {
  fields: (t) => ({
    launchAgentId: t.id({ required: true }),
    agentStatus: t.string(),
    leases: t.field({ type: [LeaseRefInput], required: true }),
  }),
});

const RenewedLease = builder.objectRef<Renewed>("RenewedLease").implement({
  fields: (t) => ({
    runQueueItemId: t.id({ resolve: (lease) => globalId("RunQueueItem", lease.itemId) }),
    held: t.exposeBoolean("held", {
      description: "false: the lease is no longer this agent's; drop the job without touching it.",
    }),
    expiresAt: t.expose("expiresAt", { type: "DateTime", nullable: true }),
    stopRequested: t.exposeBoolean("stopRequested"),
    stopRequestedBy: t.exposeString("stopRequestedBy", { nullable: true }),
  }),
});

const RenewRunQueueItemLeasesPayload = builder
  .objectRef<{ readonly leases: readonly Renewed[]; readonly stopPolling: boolean }>("RenewRunQueueItemLeasesPayload")
  .implement({
    fields: (t) => ({
      leases: t.field({ type: [RenewedLease], resolve: ({ leases }) => leases }),
      stopPolling: t.exposeBoolean("stopPolling"),
    }),
  });

const TrainingJobInput = builder.inputType("TrainingJobInput", {
  fields: (t) => ({
    name: t.string({ required: true }),
    arn: t.string(),
    status: t.string(),
    secondaryStatus: t.string(),
    statusMessage: t.string(),
    failureReason: t.string(),
    exitCode: t.int(),
    billableSeconds: t.int(),
    trainingSeconds: t.int(),
    modelArtifacts: t.string(),
    finalMetrics: t.field({ type: "JSONString" }),
    request: t.field({ type: "JSONString" }),
    imageUri: t.string(),
    transitions: t.field({ type: "JSONString" }),
  }),
});

const ReportRunQueueItemInput = builder.inputType("ReportRunQueueItemInput", {
  fields: (t) => ({
    lease: t.field({ type: LeaseRefInput, required: true }),
    phase: t.field({ type: ItemPhase }),
    message: t.string({ description: "A sentence for the timeline." }),
    kind: t.string(),
    detail: t.field({ type: "JSONString" }),
    training: t.field({ type: TrainingJobInput }),
    at: t.field({
      type: "DateTime",
      description: "When it happened, where that is known better than the time of the call.",
    }),
  }),
});

const ReportRunQueueItemPayload = builder.objectRef<ReportResult>("ReportRunQueueItemPayload").implement({
  fields: (t) => ({
    success: t.boolean({ resolve: () => true }),
    stopRequested: t.exposeBoolean("stopRequested"),
    stopRequestedBy: t.exposeString("stopRequestedBy", { nullable: true }),
  }),
});

const WaitRunQueueItemInput = builder.inputType("WaitRunQueueItemInput", {
  fields: (t) => ({
    lease: t.field({ type: LeaseRefInput, required: true }),
    reason: t.string({ required: true }),
    cause: t.field({ type: ItemCause }),
    until: t.field({ type: "DateTime", required: true }),
  }),
});

const SettleRunQueueItemInput = builder.inputType("SettleRunQueueItemInput", {
  fields: (t) => ({
    lease: t.field({ type: LeaseRefInput, required: true }),
    state: t.field({ type: RunQueueItemState, required: true, description: "FINISHED, FAILED or STOPPED." }),
    cause: t.field({ type: ItemCause, required: true }),
    message: t.string(),
    retry: t.boolean({
      description: "Begin the next attempt instead (capacity): the server decides whether attempts are left.",
    }),
    retryAt: t.field({ type: "DateTime" }),
    training: t.field({ type: TrainingJobInput }),
    stage: t.string({ description: "For FAILED: agent, build or run." }),
    code: t.string({ description: "Our error code, where there is one." }),
    hint: t.string(),
  }),
});

const ReleaseRunQueueItemsInput = builder.inputType("ReleaseRunQueueItemsInput", {
  fields: (t) => ({
    launchAgentId: t.id({ required: true }),
    leases: t.field({ type: [LeaseRefInput], required: true }),
  }),
});

const agentKey = (id: string) => requireKey("LaunchAgent", id, "launchAgentId");

builder.mutationFields((t) => ({
  leaseRunQueueItems: t.field({
    type: LeaseRunQueueItemsPayload,
    description:
      "Slipway: lease up to max items of the agent's queues. Waits up to waitSeconds (0 to 25) for the first; a push wakes it at once. Items that an agent left behind (CLAIMED, lease run out) come first.",
    args: { input: t.arg({ type: LeaseRunQueueItemsInput, required: true }) },
    resolve: (_root, { input }, { services, viewer, signal }) =>
      services.items.lease(viewer, {
        launchAgentId: agentKey(input.launchAgentId),
        max: input.max,
        waitSeconds: input.waitSeconds,
        signal,
      }),
  }),
  renewRunQueueItemLeases: t.field({
    type: RenewRunQueueItemLeasesPayload,
    description: "Slipway: renew every lease the agent holds, in one call. Also the agent's heartbeat.",
    args: { input: t.arg({ type: RenewRunQueueItemLeasesInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.items.renew(viewer, {
        launchAgentId: agentKey(input.launchAgentId),
        agentStatus: input.agentStatus ?? null,
        leases: input.leases.map(leaseRef),
      }),
  }),
  reportRunQueueItem: t.field({
    type: ReportRunQueueItemPayload,
    description:
      "Slipway: tell where an item stands. Refused (STALE_LEASE) if the attempt or fencing token is not the current one.",
    args: { input: t.arg({ type: ReportRunQueueItemInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.items.report(viewer, {
        lease: leaseRef(input.lease),
        phase: input.phase ?? null,
        message: input.message ?? null,
        kind: input.kind ?? null,
        detail: parseJson(input.detail, "detail"),
        training: training(input.training),
        at: input.at ?? null,
      }),
  }),
  waitRunQueueItem: t.field({
    type: ReportRunQueueItemPayload,
    description:
      "Slipway: put a LEASED item back as PENDING until an instant, with the reason (quota, throttling, capacity). The attempt stays.",
    args: { input: t.arg({ type: WaitRunQueueItemInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.items.wait(viewer, {
        lease: leaseRef(input.lease),
        reason: input.reason,
        cause: input.cause ?? null,
        until: input.until,
      }),
  }),
  settleRunQueueItem: t.field({
    type: ReportRunQueueItemPayload,
    description: "Slipway: end an item, or (retry: true) begin its next attempt.",
    args: { input: t.arg({ type: SettleRunQueueItemInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) => {
      const { state } = input;
      if (state !== "FINISHED" && state !== "FAILED" && state !== "STOPPED") {
        const problem = `An item ends as FINISHED, FAILED or STOPPED, not as ${state}`;
        throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "state" });
      }
      return services.items.settle(viewer, {
        lease: leaseRef(input.lease),
        state,
        cause: input.cause,
        message: input.message ?? null,
        retry: input.retry ?? null,
        retryAt: input.retryAt ?? null,
        training: training(input.training),
        stage: input.stage ?? null,
        code: input.code ?? null,
        hint: input.hint ?? null,
      });
    },
  }),
  releaseRunQueueItems: t.field({
    type: SuccessPayload,
    description:
      "Slipway: let go of leases now (a clean shutdown): LEASED goes back to PENDING, CLAIMED waits for the next agent to adopt it.",
    args: { input: t.arg({ type: ReleaseRunQueueItemsInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      const leases: readonly LeaseRef[] = input.leases.map(leaseRef);
      await services.items.release(viewer, { launchAgentId: agentKey(input.launchAgentId), leases });
      return { success: true };
    },
  }),
}));

const JSON_PARTS = ["finalMetrics", "request", "transitions"] as const;

type TrainingInput = typeof TrainingJobInput.$inferInput;

/** Only what the agent told: what it left out keeps its last value. */
function training(input: TrainingInput | null | undefined): TrainingRecord | null {
  if (!input) return null;
  const told: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(input)) {
    if (value === undefined) continue;
    const isJson = (JSON_PARTS as readonly string[]).includes(name);
    told[name] = isJson ? parseJson(value as string | null, `training.${name}`) : value;
  }
  return told as unknown as TrainingRecord;
}
