import type { AgentRecord } from "../../../store/records.ts";
import { builder } from "../builder.ts";
import { globalId, keyOf, requireKey } from "../ids.ts";
import { LaunchAgent, RunQueueItem, SuccessPayload } from "../refs.ts";

LaunchAgent.implement({
  fields: (t) => ({
    id: t.id({ resolve: (agent) => globalId("LaunchAgent", agent.id) }),
    name: t.exposeString("name"),
    hostname: t.exposeString("hostname", { nullable: true }),
    version: t.exposeString("version", { nullable: true }),
    runQueues: t.field({
      type: "JSON",
      nullable: true,
      description: "Ids of the queues it serves.",
      resolve: (agent) => agent.queueIds.map((id) => globalId("RunQueue", id)),
    }),
    agentStatus: t.exposeString("status", { nullable: true }),
    stopPolling: t.exposeBoolean("stopPolling"),
    heartbeatAt: t.expose("heartbeatAt", { type: "DateTime", nullable: true }),
    createdAt: t.expose("createdAt", { type: "DateTime" }),
    createdBy: t.exposeString("createdBy", { nullable: true }),
    agentConfig: t.expose("agentConfig", { type: "JSONString", nullable: true }),
    alive: t.boolean({
      description: "Slipway: heard of in the last 90 s and not KILLED.",
      resolve: (agent, _args, { services }) => services.agents.alive(agent),
    }),
    queueNames: t.stringList({
      description: "Slipway: the names of the queues it serves.",
      resolve: async (agent, _args, { loaders }) => {
        const queues = await Promise.all(agent.queueIds.map((id) => loaders.queue(id)));
        return queues.flatMap((queue) => (queue ? [queue.name] : []));
      },
    }),
    items: t.field({
      type: [RunQueueItem],
      description: "Slipway: what it holds now.",
      resolve: (agent, _args, { services, viewer }) => services.items.heldBy(viewer, agent.id),
    }),
  }),
});

builder.queryFields((t) => ({
  launchAgent: t.field({
    type: LaunchAgent,
    nullable: true,
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, { id }, { services, viewer }) => {
      const key = keyOf("LaunchAgent", id);
      return key === undefined ? null : services.agents.get(viewer, key);
    },
  }),
  launchAgents: t.field({
    type: [LaunchAgent],
    description: "Slipway: agents that serve an entity's queues, newest first.",
    args: { entityName: t.arg.string({ required: true }), all: t.arg.boolean() },
    resolve: (_root, { entityName, all }, { services, viewer }) =>
      services.agents.list(viewer, entityName, { all: all ?? null }),
  }),
}));

const CreateLaunchAgentInput = builder.inputType("CreateLaunchAgentInput", {
  fields: (t) => ({
    entityName: t.string({ required: true }),
    projectName: t.string({ required: true }),
    runQueues: t.idList({ required: true }),
    hostname: t.string({ required: true }),
    agentConfig: t.field({ type: "JSONString" }),
    version: t.string(),
    clientMutationId: t.string(),
    replaces: t.id({
      description: "Slipway: the id this agent had before it died; its leases are let go at once.",
    }),
  }),
});

const CreateLaunchAgentPayload = builder.objectRef<AgentRecord>("CreateLaunchAgentPayload").implement({
  fields: (t) => ({
    launchAgentId: t.id({ resolve: (agent) => globalId("LaunchAgent", agent.id) }),
    success: t.boolean({ resolve: () => true }),
    launchAgent: t.field({ type: LaunchAgent, resolve: (agent) => agent }),
  }),
});

const UpdateLaunchAgentInput = builder.inputType("UpdateLaunchAgentInput", {
  fields: (t) => ({
    launchAgentId: t.id({ required: true }),
    agentStatus: t.string(),
    clientMutationId: t.string(),
  }),
});

const StopLaunchAgentInput = builder.inputType("StopLaunchAgentInput", {
  fields: (t) => ({ launchAgentId: t.id({ required: true }) }),
});

builder.mutationFields((t) => ({
  createLaunchAgent: t.field({
    type: CreateLaunchAgentPayload,
    nullable: true,
    args: { input: t.arg({ type: CreateLaunchAgentInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.agents.create(viewer, {
        entityName: input.entityName,
        queueIds: input.runQueues.map((id) => requireKey("RunQueue", id, "runQueues")),
        hostname: input.hostname,
        agentConfig: input.agentConfig ?? null,
        version: input.version ?? null,
        replaces: input.replaces ? requireKey("LaunchAgent", input.replaces, "replaces") : null,
      }),
  }),
  updateLaunchAgent: t.field({
    type: SuccessPayload,
    nullable: true,
    args: { input: t.arg({ type: UpdateLaunchAgentInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      const id = requireKey("LaunchAgent", input.launchAgentId, "launchAgentId");
      await services.agents.update(viewer, { id, status: input.agentStatus ?? null });
      return { success: true };
    },
  }),
  stopLaunchAgent: t.field({
    type: SuccessPayload,
    description: "Slipway: ask an agent to stop polling and exit (its jobs run on).",
    args: { input: t.arg({ type: StopLaunchAgentInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      await services.agents.stopPolling(viewer, requireKey("LaunchAgent", input.launchAgentId, "launchAgentId"));
      return { success: true };
    },
  }),
}));
