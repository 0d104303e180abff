import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import type { ItemErrorRecord, ItemRecord, TrainingRecord } from "../../../store/records.ts";
import type { ItemExplanation as Explanation } from "../../services/items.ts";
import { builder } from "../builder.ts";
import { ItemCause, ItemPhase, RunQueueItemState } from "../enums.ts";
import { globalId, itemCursor, keyOf } from "../ids.ts";
import { LaunchAgent, RunQueue, RunQueueItem, RunQueueItemConnection } from "../refs.ts";
import { LogPage } from "./logs.ts";
import { PageInfo } from "./page-info.ts";
import { TimelineEntry } from "./timeline.ts";

const ItemExplanation = builder.objectRef<Explanation>("ItemExplanation").implement({
  description: "What happened and what to do about it, in sentences.",
  fields: (t) => ({ summary: t.exposeString("summary"), next: t.exposeString("next", { nullable: true }) }),
});

const TrainingJob = builder.objectRef<TrainingRecord>("TrainingJob").implement({
  description: "What SageMaker says of the current attempt's training job.",
  fields: (t) => ({
    name: t.exposeString("name"),
    arn: t.exposeString("arn", { nullable: true }),
    status: t.exposeString("status", { nullable: true }),
    secondaryStatus: t.exposeString("secondaryStatus", { nullable: true }),
    statusMessage: t.exposeString("statusMessage", { nullable: true }),
    failureReason: t.exposeString("failureReason", { nullable: true }),
    exitCode: t.exposeInt("exitCode", { nullable: true }),
    billableSeconds: t.exposeInt("billableSeconds", { nullable: true }),
    trainingSeconds: t.exposeInt("trainingSeconds", { nullable: true }),
    modelArtifacts: t.exposeString("modelArtifacts", { nullable: true }),
    finalMetrics: t.field({ type: "JSON", nullable: true, resolve: (job) => job.finalMetrics ?? null }),
    request: t.field({
      type: "JSON",
      nullable: true,
      description: "The exact CreateTrainingJob request.",
      resolve: (job) => job.request ?? null,
    }),
    imageUri: t.exposeString("imageUri", { nullable: true }),
    transitions: t.field({ type: "JSON", nullable: true, resolve: (job) => job.transitions ?? null }),
  }),
});

const ItemFile = builder
  .objectRef<{ readonly name: string; readonly size: number; readonly url: string }>("ItemFile")
  .implement({
    fields: (t) => ({
      name: t.exposeString("name"),
      sizeBytes: t.expose("size", { type: "Int64" }),
      url: t.exposeString("url"),
    }),
  });

const RunQueueItemError = builder.objectRef<ItemErrorRecord>("RunQueueItemError").implement({
  fields: (t) => ({
    message: t.exposeString("message"),
    stage: t.exposeString("stage", { nullable: true }),
    filePaths: t.stringList({ resolve: (error) => [...error.filePaths] }),
    code: t.exposeString("code", { nullable: true, description: "Slipway: the error's code, where there is one." }),
    hint: t.exposeString("hint", { nullable: true, description: "Slipway: what to do about it." }),
  }),
});

const itemId = (id: string | null) => (id === null ? null : globalId("RunQueueItem", id));

RunQueueItem.implement({
  fields: (t) => ({
    id: t.id({ resolve: (item) => globalId("RunQueueItem", item.id) }),
    state: t.expose("state", { type: RunQueueItemState }),
    associatedRunId: t.exposeString("associatedRunId", {
      nullable: true,
      description: "The run's id once an agent has acknowledged the item; null before.",
    }),
    runId: t.exposeString("runId", { description: "Slipway: one identity from push to settle." }),
    name: t.exposeString("name", { nullable: true }),
    entityName: t.exposeString("entityName"),
    projectName: t.exposeString("projectName"),
    queue: t.field({
      type: RunQueue,
      resolve: async (item, _args, { loaders }) => {
        const queue = await loaders.queue(item.queueId);
        if (!queue) {
          throw new SlipwayError("QUEUE_NOT_FOUND", { values: { name: item.queueName, entity: item.queueEntityName } });
        }
        return queue;
      },
    }),
    author: t.exposeString("author", { nullable: true }),
    priority: t.exposeInt("priority"),
    position: t.int({
      nullable: true,
      description: "Slipway: how many items of the queue come before this one; null unless PENDING.",
      resolve: (item, _args, { services, viewer }) => services.items.position(viewer, item),
    }),
    attempt: t.exposeInt("attempt"),
    phase: t.expose("phase", { type: ItemPhase }),
    phaseSince: t.expose("phaseSince", { type: "DateTime" }),
    waitingReason: t.exposeString("waitingReason", { nullable: true }),
    waitUntil: t.expose("waitUntil", { type: "DateTime", nullable: true }),
    cause: t.expose("cause", { type: ItemCause, nullable: true }),
    message: t.exposeString("message", { nullable: true }),
    explanation: t.field({
      type: ItemExplanation,
      resolve: (item, _args, { services, viewer }) => services.items.explanation(viewer, item),
    }),
    runSpec: t.field({
      type: "JSON",
      description: "The run spec as completed by the server; secret values are masked.",
      resolve: (item, _args, { services }) => services.items.maskedRunSpec(item),
    }),
    createdAt: t.expose("createdAt", { type: "DateTime" }),
    leasedAt: t.expose("leasedAt", { type: "DateTime", nullable: true }),
    claimedAt: t.expose("claimedAt", { type: "DateTime", nullable: true }),
    settledAt: t.expose("settledAt", { type: "DateTime", nullable: true }),
    agent: t.field({
      type: LaunchAgent,
      nullable: true,
      resolve: (item, _args, { loaders }) => (item.agentId === null ? null : loaders.agent(item.agentId)),
    }),
    leaseExpiresAt: t.expose("leaseExpiresAt", { type: "DateTime", nullable: true }),
    stopRequested: t.boolean({ resolve: (item) => item.stopRequestedAt !== null }),
    stopRequestedBy: t.exposeString("stopRequestedBy", { nullable: true }),
    training: t.expose("training", { type: TrainingJob, nullable: true }),
    error: t.expose("error", { type: RunQueueItemError, nullable: true }),
    failureFiles: t.field({
      type: [ItemFile],
      description: "Slipway: files that the agent has kept of the failure, to be had with an API key.",
      resolve: async (item, _args, { runFiles, viewer, baseUrl }) => {
        const files = await runFiles.failureFiles(viewer, item);
        return files.map(({ name, size }) => {
          const path = name.split("/").map(encodeURIComponent).join("/");
          return { name, size, url: `${baseUrl}/items/${encodeURIComponent(item.id)}/files/${path}` };
        });
      },
    }),
    warnings: t.stringList({ resolve: (item) => [...item.warnings] }),
    retryOf: t.id({ nullable: true, resolve: (item) => itemId(item.retryOf) }),
    retriedAs: t.id({ nullable: true, resolve: (item) => itemId(item.retriedAs) }),
    timeline: t.field({
      type: [TimelineEntry],
      args: { after: t.arg({ type: "Int64" }), first: t.arg.int() },
      resolve: (item, { after, first }, { services, viewer }) =>
        services.items.timeline(viewer, item.id, { after: after ?? null, first: first ?? null }),
    }),
    logs: t.field({
      type: LogPage,
      description:
        "Lines of all nodes in order of arrival; index counts from 0 over the item's life. after is exclusive.",
      args: { after: t.arg.int(), first: t.arg.int(), node: t.arg.string(), attempt: t.arg.int() },
      resolve: (item, { after, first, node, attempt }, { services, viewer }) =>
        services.logs.read(viewer, item.id, {
          after: after ?? null,
          first: first ?? null,
          node: node ?? null,
          attempt: attempt ?? null,
        }),
    }),
    logTail: t.field({
      type: LogPage,
      description: "The last lines, oldest first.",
      args: { last: t.arg.int({ required: true }), node: t.arg.string(), attempt: t.arg.int() },
      resolve: (item, { last, node, attempt }, { services, viewer }) =>
        services.logs.tail(viewer, item.id, { last, node: node ?? null, attempt: attempt ?? null }),
    }),
  }),
});

const RunQueueItemEdge = builder.objectRef<ItemRecord>("RunQueueItemEdge").implement({
  fields: (t) => ({
    cursor: t.string({ resolve: (item) => globalId("RunQueueItem", item.id) }),
    node: t.field({ type: RunQueueItem, resolve: (item) => item }),
  }),
});

RunQueueItemConnection.implement({
  fields: (t) => ({
    edges: t.field({ type: [RunQueueItemEdge], resolve: (page) => page.nodes }),
    pageInfo: t.field({ type: PageInfo, resolve: (page) => page }),
  }),
});

builder.queryFields((t) => ({
  runQueueItem: t.field({
    type: RunQueueItem,
    nullable: true,
    description: "Slipway: an item by its id, or by a unique prefix of its run id.",
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, { id }, { services, viewer }) => {
      const item = await services.items.get(viewer, keyOf("RunQueueItem", id) ?? id);
      if (!item) throw new SlipwayError("ITEM_NOT_FOUND", { values: { item: id }, where: "id" });
      return item;
    },
  }),
  runQueueItems: t.field({
    type: RunQueueItemConnection,
    description: "Slipway: items of an entity, newest first.",
    args: {
      entityName: t.arg.string({ required: true }),
      queueName: t.arg.string(),
      states: t.arg({ type: [RunQueueItemState] }),
      first: t.arg.int(),
      after: t.arg.string(),
    },
    resolve: async (_root, { entityName, queueName, states, first, after }, { services, viewer }) => {
      const page = { states: states ?? null, first: first ?? null, after: itemCursor(after) };
      if (!queueName) return services.items.list(viewer, { entityName, ...page });
      const queue = await services.queues.get(viewer, entityName, queueName);
      if (!queue) {
        throw new SlipwayError("QUEUE_NOT_FOUND", {
          values: { name: queueName, entity: entityName },
          where: "queueName",
        });
      }
      return services.items.list(viewer, { queueId: queue.id, ...page });
    },
  }),
}));
