import type { QueueCounts, QueueRecord } from "../../../store/records.ts";
import { builder } from "../builder.ts";
import { RunQueueAccessType, RunQueuePrioritizationMode } from "../enums.ts";
import { globalId, itemCursor, keyOf, requireKey } from "../ids.ts";
import { LaunchAgent, RunQueue, RunQueueItem, RunQueueItemConnection, TemplateVariable } from "../refs.ts";

const RunQueueCounts = builder.objectRef<QueueCounts>("RunQueueCounts").implement({
  fields: (t) => ({
    pending: t.exposeInt("pending"),
    leased: t.exposeInt("leased"),
    claimed: t.exposeInt("claimed"),
    finished: t.exposeInt("finished"),
    failed: t.exposeInt("failed"),
    stopped: t.exposeInt("stopped"),
    oldestPendingAt: t.expose("oldestPendingAt", { type: "DateTime", nullable: true }),
  }),
});

RunQueue.implement({
  fields: (t) => ({
    id: t.id({ resolve: (queue) => globalId("RunQueue", queue.id) }),
    name: t.exposeString("name"),
    createdBy: t.exposeString("createdBy", { nullable: true }),
    access: t.expose("access", { type: RunQueueAccessType }),
    prioritizationMode: t.expose("prioritizationMode", { type: RunQueuePrioritizationMode, nullable: true }),
    defaultResourceConfigID: t.id({
      nullable: true,
      description: "The queue's own config has the queue's key: the client can't go on without an id.",
      resolve: ({ id, defaultResourceConfigId }) => globalId("DefaultResourceConfig", defaultResourceConfigId ?? id),
    }),
    externalLinks: t.expose("externalLinks", { type: "JSON", nullable: true }),
    runQueueItem: t.field({
      type: RunQueueItem,
      nullable: true,
      args: { id: t.arg.id({ required: true }) },
      resolve: async (queue, { id }, { services, viewer }) => {
        const key = keyOf("RunQueueItem", id);
        const item = key === undefined ? undefined : await services.items.get(viewer, key);
        return item?.queueId === queue.id ? item : null;
      },
    }),
    runQueueItems: t.field({
      type: RunQueueItemConnection,
      args: { first: t.arg.int(), after: t.arg.string() },
      resolve: (queue, { first, after }, { services, viewer }) =>
        services.items.list(viewer, { queueId: queue.id, first: first ?? null, after: itemCursor(after) }),
    }),
    entityName: t.exposeString("entityName", { description: "Slipway: the owner's name." }),
    resource: t.exposeString("resource", { description: "Slipway: the kind of compute, for instance sagemaker." }),
    config: t.expose("config", {
      type: "JSON",
      description: "Slipway: the resource config, for sagemaker the CreateTrainingJob body.",
    }),
    configText: t.exposeString("configText", {
      nullable: true,
      description: "Slipway: the config's text as its author wrote it (YAML or JSON), if it was given.",
    }),
    templateVariables: t.field({ type: [TemplateVariable], resolve: (queue) => queue.templateVariables }),
    createdAt: t.expose("createdAt", { type: "DateTime" }),
    updatedAt: t.expose("updatedAt", { type: "DateTime" }),
    counts: t.field({
      type: RunQueueCounts,
      resolve: (queue, _args, { loaders }) => loaders.queueCounts(queue.id),
    }),
    agents: t.field({
      type: [LaunchAgent],
      resolve: (queue, _args, { services, viewer }) => services.agents.serving(viewer, queue.id),
    }),
  }),
});

const CreateRunQueueInput = builder.inputType("CreateRunQueueInput", {
  fields: (t) => ({
    entityName: t.string({ required: true }),
    projectName: t.string({ required: true }),
    queueName: t.string({ required: true }),
    access: t.field({ type: RunQueueAccessType, required: true }),
    prioritizationMode: t.field({ type: RunQueuePrioritizationMode }),
    defaultResourceConfigID: t.id(),
    clientMutationId: t.string(),
  }),
});

const CreateRunQueuePayload = builder.objectRef<QueueRecord>("CreateRunQueuePayload").implement({
  fields: (t) => ({
    success: t.boolean({ resolve: () => true }),
    queueID: t.id({ nullable: true, resolve: (queue) => globalId("RunQueue", queue.id) }),
  }),
});

const UpsertRunQueueInput = builder.inputType("UpsertRunQueueInput", {
  fields: (t) => ({
    entityName: t.string({ required: true }),
    projectName: t.string({ required: true }),
    queueName: t.string({ required: true }),
    resourceType: t.string({ required: true }),
    resourceConfig: t.field({ type: "JSONString", required: true }),
    templateVariables: t.field({ type: "JSONString" }),
    prioritizationMode: t.field({ type: RunQueuePrioritizationMode }),
    externalLinks: t.field({ type: "JSONString" }),
    clientMutationId: t.string(),
    configText: t.string({ description: "Slipway: the text as written (YAML or JSON), kept with its comments." }),
    createOnly: t.boolean({ description: "Slipway: refuse if the queue exists (false: create or update)." }),
  }),
});

const UpsertRunQueuePayload = builder.objectRef<QueueRecord>("UpsertRunQueuePayload").implement({
  fields: (t) => ({
    success: t.boolean({ resolve: () => true }),
    configSchemaValidationErrors: t.stringList({ nullable: true, resolve: () => [] }),
    queueID: t.id({ nullable: true, resolve: (queue) => globalId("RunQueue", queue.id) }),
    runQueue: t.field({ type: RunQueue, nullable: true, resolve: (queue) => queue }),
  }),
});

const DeleteRunQueuesInput = builder.inputType("DeleteRunQueuesInput", {
  fields: (t) => ({ queueIDs: t.idList({ required: true }), clientMutationId: t.string() }),
});

const DeleteRunQueuesPayload = builder
  .objectRef<{ readonly clientMutationId: string | null }>("DeleteRunQueuesPayload")
  .implement({
    fields: (t) => ({
      success: t.boolean({ resolve: () => true }),
      clientMutationId: t.exposeString("clientMutationId", { nullable: true }),
    }),
  });

builder.mutationFields((t) => ({
  createRunQueue: t.field({
    type: CreateRunQueuePayload,
    nullable: true,
    args: { input: t.arg({ type: CreateRunQueueInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.queues.create(viewer, {
        entityName: input.entityName,
        queueName: input.queueName,
        access: input.access,
        prioritizationMode: input.prioritizationMode ?? null,
        defaultResourceConfigId: input.defaultResourceConfigID
          ? requireKey("DefaultResourceConfig", input.defaultResourceConfigID, "defaultResourceConfigID")
          : null,
      }),
  }),
  upsertRunQueue: t.field({
    type: UpsertRunQueuePayload,
    nullable: true,
    args: { input: t.arg({ type: UpsertRunQueueInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.queues.upsert(viewer, {
        entityName: input.entityName,
        queueName: input.queueName,
        resourceType: input.resourceType,
        resourceConfig: input.resourceConfig,
        templateVariables: input.templateVariables ?? null,
        prioritizationMode: input.prioritizationMode ?? null,
        externalLinks: input.externalLinks ?? null,
        configText: input.configText ?? null,
        createOnly: input.createOnly ?? null,
      }),
  }),
  deleteRunQueues: t.field({
    type: DeleteRunQueuesPayload,
    nullable: true,
    args: { input: t.arg({ type: DeleteRunQueuesInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      const keys = input.queueIDs.map((id) => requireKey("RunQueue", id, "queueIDs"));
      await services.queues.delete(viewer, keys);
      return { clientMutationId: input.clientMutationId ?? null };
    },
  }),
}));
