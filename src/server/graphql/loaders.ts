import type { AgentRecord, QueueCounts, QueueRecord } from "../../store/records.ts";
import type { Principal } from "../services/principal.ts";
import type { Services } from "../services/services.ts";

/** Reads that a list of things would otherwise repeat; one set for each request, so nothing outlives it. */
export interface Loaders {
  /** Asked for one by one, read together. */
  queueCounts(queueId: string): Promise<QueueCounts>;
  queue(queueId: string): Promise<QueueRecord | undefined>;
  agent(agentId: string): Promise<AgentRecord | undefined>;
}

export function createLoaders(services: Services, viewer: Principal): Loaders {
  return {
    queueCounts: batched(async (ids) => {
      const counts = await services.queues.counts(viewer, ids);
      return ids.map((id) => counts.get(id) ?? NO_COUNTS);
    }),
    queue: once((id) => services.queues.byId(viewer, id)),
    agent: once((id) => services.agents.get(viewer, id)),
  };
}

const NO_COUNTS: QueueCounts = {
  pending: 0,
  leased: 0,
  claimed: 0,
  finished: 0,
  failed: 0,
  stopped: 0,
  oldestPendingAt: null,
};

function once<T>(read: (id: string) => Promise<T>): (id: string) => Promise<T> {
  const reads = new Map<string, Promise<T>>();
  return (id) => {
    const known = reads.get(id) ?? read(id);
    reads.set(id, known);
    return known;
  };
}

/** Gathers the keys of one turn of the event loop into one read. */
function batched<T>(read: (ids: readonly string[]) => Promise<readonly T[]>): (id: string) => Promise<T> {
  let next: { readonly ids: string[]; readonly results: Promise<readonly T[]> } | undefined;
  return async (id) => {
    if (!next) {
      const ids: string[] = [];
      const results = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
        next = undefined;
        return read(ids);
      });
      next = { ids, results };
    }
    const { ids, results } = next;
    const place = ids.push(id) - 1;
    return (await results)[place]!;
  };
}
