import { type AccessTables, type AccessWorld, AT, CONFIG, input } from "./access-world.ts";

/** Queues and the agents that serve them. */
export function queueRows(world: AccessWorld): AccessTables {
  const { queueId, agentId, newConfigId, fresh, emptied } = world;
  return {
    queries: {
      launchAgent: { least: "viewer", args: (t) => ({ id: agentId(t) }) },
      launchAgents: { least: "viewer", args: () => ({ entityName: "team" }) },
    },
    mutations: {
      createDefaultResourceConfig: {
        least: "member",
        args: input(() => ({ entityName: "team", resource: "sagemaker", config: CONFIG })),
      },
      createLaunchAgent: {
        least: "member",
        args: input((t) => ({ ...AT, hostname: "h", runQueues: [queueId(t)] })),
      },
      createRunQueue: {
        least: "lead",
        args: input(async () => ({
          ...AT,
          queueName: fresh(),
          access: "PROJECT",
          defaultResourceConfigID: await newConfigId(),
        })),
      },
      deleteRunQueues: { least: "lead", args: input(async (t) => ({ queueIDs: [queueId(await emptied(t))] })) },
      stopLaunchAgent: { least: "member", args: input((t) => ({ launchAgentId: agentId(t) })) },
      updateLaunchAgent: {
        least: "member",
        args: input((t) => ({ launchAgentId: agentId(t), agentStatus: "RUNNING" })),
      },
      upsertRunQueue: {
        least: "lead",
        args: input(() => ({ ...AT, queueName: fresh(), resourceType: "sagemaker", resourceConfig: CONFIG })),
      },
    },
  };
}
