import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import { findRunsByIds } from "../../../store/runs.ts";
import {
  findSweepAgent,
  findSweepOfAgent,
  listSweepAgents,
  runsOfSweepAgent,
  type SweepAgentRecord,
  type SweepRecord,
} from "../../../store/sweeps.ts";
import { maySee } from "../authorize.ts";
import type { ServiceContext } from "../context.ts";
import { pageSize } from "../page.ts";
import type { Principal } from "../principal.ts";
import type { RunList } from "../run-queries.ts";

/** A program that runs a sweep's runs: RUNNING, FINISHED with its sweep, or CRASHED if it fell silent before. */
export interface SweepAgent extends SweepAgentRecord {
  readonly state: "RUNNING" | "FINISHED" | "CRASHED";
  readonly sweep: SweepRecord;
}

/** The wandb client asks for all agents of a sweep in one page. */
const MOST_AGENTS = 1000;
const MAX_PAGE = 1000;

export interface SweepAgentsService {
  /** In the order of their registration, 1000 at most. */
  agents(principal: Principal, sweep: SweepRecord): Promise<readonly SweepAgent[]>;
  agent(principal: Principal, sweep: SweepRecord, id: string): Promise<SweepAgent | undefined>;
  /** Of whichever sweep. */
  agentById(principal: Principal, id: string): Promise<SweepAgent | undefined>;
  /** The runs it was given, in that order. */
  agentRuns(
    principal: Principal,
    agent: SweepAgent,
    page: { readonly first: number | null; readonly after: string | null },
  ): Promise<RunList>;
}

export function createSweepAgentsService({ database, clock, limits }: ServiceContext): SweepAgentsService {
  const { kysely } = database;
  const withState =
    (sweep: SweepRecord) =>
    (agent: SweepAgentRecord): SweepAgent => {
      const over = !["PENDING", "RUNNING", "PAUSED"].includes(sweep.state);
      const silent = agent.heartbeatAt < clock.now() - limits.agentAliveMs;
      return { ...agent, sweep, state: !silent && !over ? "RUNNING" : over ? "FINISHED" : "CRASHED" };
    };
  async function agent(principal: Principal, sweep: SweepRecord | undefined, id: string) {
    if (!sweep || !maySee(principal, sweep.entityId)) return undefined;
    const found = await findSweepAgent(kysely, sweep.id, id);
    return found && withState(sweep)(found);
  }
  return {
    agent,
    agentById: async (principal, id) => agent(principal, await findSweepOfAgent(kysely, id), id),
    async agents(principal, sweep) {
      if (!maySee(principal, sweep.entityId)) return [];
      const found = await listSweepAgents(kysely, sweep.id, MOST_AGENTS);
      return found.map(withState(sweep));
    },
    async agentRuns(principal, agent, { first, after }) {
      const none = { nodes: [], endCursor: null, hasNextPage: false };
      if (!maySee(principal, agent.sweep.entityId)) return none;
      const limit = pageSize(first, MAX_PAGE);
      const position = after === null || after === "" ? null : Number(after);
      if (position !== null && !Number.isSafeInteger(position)) {
        const problem = `${after} is not the cursor of a list of an agent's runs`;
        throw new SlipwayError("REQUEST_INVALID", { values: { problem }, where: "after" });
      }
      const found = await runsOfSweepAgent(kysely, agent, { after: position, limit: limit + 1 });
      const page = found.slice(0, limit);
      const runs = new Map(
        (
          await findRunsByIds(
            kysely,
            page.map(({ runId }) => runId),
          )
        ).map((run) => [run.id, run]),
      );
      const nodes = page.flatMap(({ runId, position: at }) => {
        const run = runs.get(runId);
        return run ? [{ run, cursor: String(at) }] : [];
      });
      return { nodes, endCursor: nodes.at(-1)?.cursor ?? null, hasNextPage: found.length > limit };
    },
  };
}
