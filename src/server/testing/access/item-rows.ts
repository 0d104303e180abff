import { type AccessTables, type AccessWorld, AT, input, SPEC } from "./access-world.ts";

/** Items: by those who push them, and by agents. */
export function itemRows(world: AccessWorld): AccessTables {
  const { item, queueId, agentId, leaseOf } = world;
  return {
    queries: {
      runQueueItem: { least: "viewer", args: (t) => ({ id: item(t) }) },
      runQueueItems: { least: "viewer", args: () => ({ entityName: "team" }), select: "edges { node { id } }" },
    },
    mutations: {
      ackRunQueueItem: { least: "member", args: input((t) => ({ ...leaseOf(t), runName: "r" })) },
      appendRunQueueItemLogs: {
        least: "member",
        args: input((t) => ({
          lease: leaseOf(t),
          streams: [{ node: "n", stream: "s", from: "", to: "1", lines: [{ at: 1, text: "x" }] }],
        })),
      },
      deleteFromRunQueue: { least: "member", args: input((t) => ({ queueID: queueId(t), runQueueItemId: item(t) })) },
      failRunQueueItem: {
        least: "member",
        args: input((t) => ({ runQueueItemId: item(t), message: "m", stage: "run" })),
      },
      leaseRunQueueItems: {
        least: "member",
        args: input((t) => ({ launchAgentId: agentId(t), max: 1, waitSeconds: 0 })),
      },
      popFromRunQueue: { least: "member", args: input(({ queue }) => ({ ...AT, queueName: queue.name })) },
      pushToRunQueue: { least: "member", args: input((t) => ({ queueID: queueId(t), runSpec: SPEC })) },
      pushToRunQueueByName: {
        least: "member",
        args: input(({ queue }) => ({ ...AT, queueName: queue.name, runSpec: SPEC })),
      },
      releaseRunQueueItems: {
        least: "member",
        args: input((t) => ({ launchAgentId: agentId(t), leases: [leaseOf(t)] })),
      },
      renewRunQueueItemLeases: {
        least: "member",
        args: input((t) => ({ launchAgentId: agentId(t), leases: [leaseOf(t)] })),
      },
      reportRunQueueItem: { least: "member", args: input((t) => ({ lease: leaseOf(t), message: "m" })) },
      retryRunQueueItem: {
        least: "member",
        args: input(async (t) => {
          await world.app.services.items.stop(world.admin, t.waiting.id);
          return { runQueueItemId: item(t) };
        }),
      },
      settleRunQueueItem: {
        least: "member",
        args: input((t) => ({ lease: leaseOf(t), state: "FAILED", cause: "build" })),
      },
      stopRunQueueItem: { least: "member", args: input((t) => ({ runQueueItemId: item(t) })) },
      updateRunQueueItemWarning: {
        least: "member",
        args: input((t) => ({ runQueueItemId: item(t), message: "m", stage: "run" })),
      },
      waitRunQueueItem: {
        least: "member",
        args: input((t) => ({ lease: leaseOf(t), reason: "r", until: "2030-01-01T00:00:00.000Z" })),
      },
    },
  };
}
