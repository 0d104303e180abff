import { globalId } from "../../graphql/ids.ts";
import { type AccessTables, type AccessWorld, AT, input, SWEEP } from "./access-world.ts";

/** Hyperparameter sweeps. */
export function sweepRows(world: AccessWorld): AccessTables {
  const { newSweep, newSweepAgent } = world;
  return {
    queries: {},
    mutations: {
      agentHeartbeat: { least: "member", args: input(async () => ({ id: globalId("Agent", await newSweepAgent()) })) },
      createAgent: { least: "member", args: input(async () => ({ ...AT, host: "h", sweep: await newSweep() })) },
      upsertSweep: { least: "member", args: input(() => ({ ...AT, config: SWEEP })) },
    },
  };
}
