import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { askAgentToStop, findAgent, insertAgent, listAgents, touchAgent } from "../../store/agents.ts";
import type { Tx } from "../../store/database.ts";
import { randomText } from "../../store/ids.ts";
import { itemsHeldBy } from "../../store/item-queries.ts";
import type { AgentRecord } from "../../store/records.ts";
import { requireRole } from "./authorize.ts";
import type { ServiceContext } from "./context.ts";
import { queueById, visibleEntity } from "./entity-lookup.ts";
import { letGo } from "./items/lease.ts";
import { visibleAgent } from "./items/shared.ts";
import type { Principal } from "./principal.ts";

export interface AgentsService {
  /** `replaces`: the id the agent had before it died; its leases are let go at once. */
  create(
    principal: Principal,
    input: {
      readonly entityName: string;
      readonly queueIds: readonly string[];
      readonly hostname: string;
      readonly agentConfig?: string | null;
      readonly version?: string | null;
      readonly replaces?: string | null;
    },
  ): Promise<AgentRecord>;
  get(principal: Principal, id: string): Promise<AgentRecord | undefined>;
  /** Newest first; without `all` only those alive. */
  list(
    principal: Principal,
    entityName: string,
    options?: { readonly all?: boolean | null },
  ): Promise<readonly AgentRecord[]>;
  /** Those alive that serve a queue. */
  serving(principal: Principal, queueId: string): Promise<readonly AgentRecord[]>;
  /** Status (POLLING, RUNNING, KILLED) and heartbeat; KILLED lets go of what it has not acknowledged. */
  update(principal: Principal, input: { readonly id: string; readonly status?: string | null }): Promise<void>;
  stopPolling(principal: Principal, id: string): Promise<void>;
  /** Heard of in the last 90 s and not KILLED. */
  alive(agent: AgentRecord): boolean;
}

/** What a plain agent and ours report of themselves. */
const STATUSES = ["POLLING", "RUNNING", "KILLED"];

export function createAgentsService(context: ServiceContext): AgentsService {
  const { database, clock, limits, newId, random } = context;
  const { kysely } = database;
  const alive = (agent: AgentRecord) =>
    agent.status !== "KILLED" && clock.now() - agent.heartbeatAt < limits.agentAliveMs;

  async function mine(principal: Principal, id: string, what: string): Promise<AgentRecord> {
    const agent = await visibleAgent(kysely, principal, id);
    requireRole(principal, { id: agent.entityId, name: agent.entityName }, "MEMBER", what);
    return agent;
  }

  return {
    alive,

    async create(principal, input) {
      const entity = await visibleEntity(kysely, principal, input.entityName);
      requireRole(principal, entity, "MEMBER", "run agents");
      for (const id of input.queueIds) {
        const queue = await queueById(kysely, principal, id);
        requireRole(principal, { id: queue.entityId, name: queue.entityName }, "MEMBER", "serve its queues");
      }
      const before = input.replaces ? await mine(principal, input.replaces, "replace its agents") : undefined;
      const agent = {
        id: newId(),
        name: `agent-${randomText(random, 6)}`,
        entityId: entity.id,
        hostname: input.hostname,
        version: input.version ?? null,
        agentConfig: input.agentConfig ?? null,
        createdBy: principal.username,
        queueIds: [...new Set(input.queueIds)],
      };
      return database.transaction(clock, async (tx) => {
        if (before) await retire(tx, before);
        await insertAgent(tx.kysely, { ...agent, now: tx.now });
        tx.event({
          entityId: entity.id,
          kind: "agent",
          subject: agent.id,
          data: { name: agent.name, status: "POLLING" },
        });
        const made = await findAgent(tx.kysely, agent.id);
        if (!made) throw new Error("an agent that was just made is gone");
        return made;
      });
    },

    async get(principal, id) {
      const agent = await findAgent(kysely, id);
      const seen = agent && (principal.admin || principal.roles.has(agent.entityId)) && principal.run === null;
      return seen ? agent : undefined;
    },

    async list(principal, entityName, options) {
      const entity = await visibleEntity(kysely, principal, entityName);
      const agents = await listAgents(kysely, { entityId: entity.id });
      return options?.all ? agents : agents.filter(alive);
    },

    async serving(principal, queueId) {
      const queue = await queueById(kysely, principal, queueId);
      return (await listAgents(kysely, { queueId: queue.id })).filter(alive);
    },

    async update(principal, { id, status }) {
      const agent = await mine(principal, id, "run agents");
      if (status != null && !STATUSES.includes(status)) {
        const problem = `an agent's status is ${STATUSES.join(", ")}, not ${JSON.stringify(status)}`;
        throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "agentStatus" });
      }
      await database.transaction(clock, async (tx) => {
        if (status === "KILLED") return retire(tx, agent);
        await touchAgent(tx.kysely, id, tx.now, status ?? undefined);
      });
    },

    async stopPolling(principal, id) {
      const agent = await mine(principal, id, "stop its agents");
      await database.transaction(clock, async (tx) => {
        await askAgentToStop(tx.kysely, id);
        const data = { name: agent.name, stopPolling: true };
        tx.event({ entityId: agent.entityId, kind: "agent", subject: id, data });
        // An agent that waits for items hears of it by the same wake.
        for (const queueId of agent.queueIds) tx.wakeQueue(queueId);
      });
    },
  };

  /** It works no more: what it held goes back or waits to be adopted. Plain agents' acknowledged items run on without it. */
  async function retire(tx: Tx, agent: AgentRecord): Promise<void> {
    await touchAgent(tx.kysely, agent.id, tx.now, "KILLED");
    for (const item of await itemsHeldBy(tx.kysely, agent.id)) await letGo(tx, agent, { id: item.id }, "released");
    tx.event({
      entityId: agent.entityId,
      kind: "agent",
      subject: agent.id,
      data: { name: agent.name, status: "KILLED" },
    });
  }
}
