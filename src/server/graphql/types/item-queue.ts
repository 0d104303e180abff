import type { RunSpec } from "../../../core/items/run-spec.ts";
import type { ItemRecord } from "../../../store/records.ts";
import { builder } from "../builder.ts";
import { globalId, requireKey } from "../ids.ts";
import { RunQueueItem, SuccessPayload } from "../refs.ts";

/* Items in and out of queues, by the wandb client's protocol. */

const PushToRunQueueInput = builder.inputType("PushToRunQueueInput", {
  fields: (t) => ({
    queueID: t.id({ required: true }),
    runSpec: t.field({ type: "JSONString", required: true }),
    priority: t.int(),
    templateVariableValues: t.field({ type: "JSONString" }),
    clientMutationId: t.string(),
  }),
});

const PushToRunQueueByNameInput = builder.inputType("PushToRunQueueByNameInput", {
  fields: (t) => ({
    entityName: t.string({ required: true }),
    projectName: t.string({ required: true }),
    queueName: t.string({ required: true }),
    runSpec: t.field({ type: "JSONString", required: true }),
    priority: t.int(),
    templateVariableValues: t.field({ type: "JSONString" }),
    clientMutationId: t.string(),
  }),
});

export const PushToRunQueuePayload = builder.objectRef<ItemRecord>("PushToRunQueuePayload").implement({
  fields: (t) => ({
    runQueueItemId: t.id({ resolve: (item) => globalId("RunQueueItem", item.id) }),
    runSpec: t.field({
      type: "JSONString",
      nullable: true,
      description: "The completed run spec, as text.",
      resolve: (item, _args, { services }) => services.items.maskedRunSpec(item),
    }),
    runQueueItem: t.field({ type: RunQueueItem, nullable: true, resolve: (item) => item }),
  }),
});

const PopFromRunQueueInput = builder.inputType("PopFromRunQueueInput", {
  fields: (t) => ({
    entityName: t.string({ required: true }),
    projectName: t.string({ required: true }),
    queueName: t.string({ required: true }),
    launchAgentId: t.id(),
    clientMutationId: t.string(),
  }),
});

const PopFromRunQueuePayload = builder
  .objectRef<{ readonly item: ItemRecord; readonly runSpec: RunSpec }>("PopFromRunQueuePayload")
  .implement({
    fields: (t) => ({
      runQueueItemId: t.id({ resolve: ({ item }) => globalId("RunQueueItem", item.id) }),
      runSpec: t.expose("runSpec", { type: "JSON" }),
    }),
  });

const AckRunQueueItemInput = builder.inputType("AckRunQueueItemInput", {
  fields: (t) => ({
    runQueueItemId: t.id({ required: true }),
    runName: t.string({ required: true }),
    attempt: t.int({ description: "Slipway agents name both." }),
    fencingToken: t.int(),
    clientMutationId: t.string(),
  }),
});

const AckRunQueueItemPayload = builder
  .objectRef<{ readonly success: boolean; readonly stopRequested: boolean }>("AckRunQueueItemPayload")
  .implement({
    fields: (t) => ({
      success: t.exposeBoolean("success"),
      stopRequested: t.exposeBoolean("stopRequested", { description: "Slipway." }),
    }),
  });

const FailRunQueueItemInput = builder.inputType("FailRunQueueItemInput", {
  fields: (t) => ({
    runQueueItemId: t.id({ required: true }),
    message: t.string({ description: "Older clients know none." }),
    stage: t.string({ description: "agent, build or run; agent if absent." }),
    filePaths: t.stringList(),
    clientMutationId: t.string(),
  }),
});

const UpdateRunQueueItemWarningInput = builder.inputType("UpdateRunQueueItemWarningInput", {
  fields: (t) => ({
    runQueueItemId: t.id({ required: true }),
    message: t.string({ required: true }),
    stage: t.string({ required: true }),
    filePaths: t.stringList(),
    clientMutationId: t.string(),
  }),
});

const DeleteFromRunQueueInput = builder.inputType("DeleteFromRunQueueInput", {
  fields: (t) => ({
    queueID: t.id({ required: true }),
    runQueueItemId: t.id({ required: true }),
    clientMutationId: t.string(),
  }),
});

const DeleteFromRunQueuePayload = builder
  .objectRef<{ readonly clientMutationId: string | null }>("DeleteFromRunQueuePayload")
  .implement({
    fields: (t) => ({
      success: t.boolean({ resolve: () => true }),
      clientMutationId: t.exposeString("clientMutationId", { nullable: true }),
    }),
  });

const itemKey = (id: string) => requireKey("RunQueueItem", id, "runQueueItemId");

builder.mutationFields((t) => ({
  pushToRunQueue: t.field({
    type: PushToRunQueuePayload,
    nullable: true,
    args: { input: t.arg({ type: PushToRunQueueInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.items.push(viewer, {
        queue: { id: requireKey("RunQueue", input.queueID, "queueID") },
        runSpec: input.runSpec,
        priority: input.priority ?? null,
        templateVariableValues: input.templateVariableValues ?? null,
      }),
  }),
  pushToRunQueueByName: t.field({
    type: PushToRunQueuePayload,
    nullable: true,
    args: { input: t.arg({ type: PushToRunQueueByNameInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.items.push(viewer, {
        queue: { entityName: input.entityName, name: input.queueName },
        runSpec: input.runSpec,
        priority: input.priority ?? null,
        templateVariableValues: input.templateVariableValues ?? null,
      }),
  }),
  popFromRunQueue: t.field({
    type: PopFromRunQueuePayload,
    nullable: true,
    args: { input: t.arg({ type: PopFromRunQueueInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.items.pop(viewer, {
        entityName: input.entityName,
        queueName: input.queueName,
        launchAgentId: input.launchAgentId ? requireKey("LaunchAgent", input.launchAgentId, "launchAgentId") : null,
      }),
  }),
  ackRunQueueItem: t.field({
    type: AckRunQueueItemPayload,
    nullable: true,
    args: { input: t.arg({ type: AckRunQueueItemInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.items.ack(viewer, {
        itemId: itemKey(input.runQueueItemId),
        runName: input.runName,
        attempt: input.attempt ?? null,
        fencingToken: input.fencingToken ?? null,
      }),
  }),
  failRunQueueItem: t.field({
    type: SuccessPayload,
    nullable: true,
    args: { input: t.arg({ type: FailRunQueueItemInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      const told = {
        itemId: itemKey(input.runQueueItemId),
        message: input.message ?? "The agent has failed the item and given no reason",
        stage: input.stage ?? "agent",
        filePaths: input.filePaths ?? null,
      };
      return { success: await services.items.fail(viewer, told) };
    },
  }),
  updateRunQueueItemWarning: t.field({
    type: SuccessPayload,
    nullable: true,
    args: { input: t.arg({ type: UpdateRunQueueItemWarningInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      const { message, stage, filePaths } = input;
      const itemId = itemKey(input.runQueueItemId);
      const told = { itemId, message, stage, filePaths: filePaths ?? null };
      return { success: await services.items.warning(viewer, told) };
    },
  }),
  deleteFromRunQueue: t.field({
    type: DeleteFromRunQueuePayload,
    nullable: true,
    args: { input: t.arg({ type: DeleteFromRunQueueInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      await services.items.delete(viewer, itemKey(input.runQueueItemId));
      return { clientMutationId: input.clientMutationId ?? null };
    },
  }),
}));
