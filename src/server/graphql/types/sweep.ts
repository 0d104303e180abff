import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import { runCount } from "../../../core/sweeps/next-point.ts";
import { parseSweepConfig } from "../../../core/sweeps/sweep-config.ts";
import type { SweepRecord } from "../../../store/sweeps.ts";
import type { Page } from "../../services/page.ts";
import type { SweepAgent } from "../../services/sweeps/agents.ts";
import { builder } from "../builder.ts";
import type { GraphqlContext } from "../context.ts";
import { globalId, keyOf, requireKey } from "../ids.ts";
import { Project, RunConnection } from "../refs.ts";
import { parseJson } from "../scalars.ts";
import { PageInfo } from "./page-info.ts";

const Agent = builder.objectRef<SweepAgent>("Agent").implement({
  description: "A program that runs a sweep's runs.",
  fields: (t) => ({
    id: t.id({ resolve: ({ id }) => globalId("Agent", id) }),
    name: t.exposeString("id", { description: "What `sweep(...) { agent(agentName) }` takes." }),
    host: t.exposeString("host"),
    state: t.exposeString("state", {
      description: "RUNNING, FINISHED when its sweep is over, CRASHED when it fell silent before.",
    }),
    totalRuns: t.exposeInt("totalRuns", { description: "How many runs it was given." }),
    createdAt: t.expose("createdAt", { type: "DateTime" }),
    heartbeatAt: t.expose("heartbeatAt", { type: "DateTime" }),
    runs: t.field({
      type: RunConnection,
      args: {
        first: t.arg.int(),
        after: t.arg.string(),
        last: t.arg.int(),
        before: t.arg.string(),
        order: t.arg.string({ description: "Only +created_at: they come in the order in which they were given." }),
      },
      resolve: (agent, { first, after, last, before, order }, { services, viewer }) => {
        if (last != null || before != null || (order != null && order !== "+created_at")) {
          const problem = "An agent's runs are listed by first and after, in the order +created_at";
          throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "order" });
        }
        return services.sweeps.agentRuns(viewer, agent, { first: first ?? null, after: after ?? null });
      },
    }),
  }),
});

const AgentEdge = builder.objectRef<SweepAgent>("AgentEdge").implement({
  fields: (t) => ({ node: t.field({ type: Agent, resolve: (agent) => agent }) }),
});

const AgentConnection = builder.objectRef<readonly SweepAgent[]>("AgentConnection").implement({
  fields: (t) => ({ edges: t.field({ type: [AgentEdge], resolve: (agents) => [...agents] }) }),
});

const Sweep = builder.objectRef<SweepRecord>("Sweep").implement({
  fields: (t) => ({
    id: t.id({ resolve: (sweep) => globalId("Sweep", sweep.id) }),
    name: t.exposeString("id"),
    displayName: t.exposeString("displayName", { nullable: true }),
    description: t.exposeString("description", { nullable: true }),
    method: t.string({ resolve: (sweep) => parseSweepConfig(sweep.config).method }),
    state: t.exposeString("state", {
      description: "PENDING, RUNNING, PAUSED, FINISHED, CANCELED, or CRASHED when its scheduler has failed.",
    }),
    config: t.exposeString("config", { description: "The config's YAML text." }),
    controller: t.expose("controller", { type: "JSONString", nullable: true }),
    scheduler: t.expose("scheduler", { type: "JSONString", nullable: true }),
    createdAt: t.expose("createdAt", { type: "DateTime" }),
    updatedAt: t.expose("updatedAt", { type: "DateTime", nullable: true }),
    heartbeatAt: t.expose("heartbeatAt", { type: "DateTime", nullable: true }),
    earlyStopJobRunning: t.boolean({
      description: "Whether runs that fall behind are stopped now.",
      resolve: (sweep) => sweep.state === "RUNNING" && parseSweepConfig(sweep.config).earlyStop !== null,
    }),
    bestLoss: t.float({
      nullable: true,
      description: "The best value of the config's metric among the finished runs.",
      resolve: (sweep, _args, { services, viewer }) => services.sweeps.bestLoss(viewer, sweep),
    }),
    runCount: t.int({ resolve: (sweep, _args, { services, viewer }) => services.sweeps.runCount(viewer, sweep) }),
    runCountExpected: t.int({
      nullable: true,
      description: "How many runs there will be; null: no end.",
      resolve: (sweep) => runCount(parseSweepConfig(sweep.config)),
    }),
    project: t.field({
      type: Project,
      nullable: true,
      resolve: (sweep, _args, { services, viewer }) => services.projects.byId(viewer, sweep.projectId),
    }),
    agents: t.field({
      type: AgentConnection,
      resolve: (sweep, _args, { services, viewer }) => services.sweeps.agents(viewer, sweep),
    }),
    agent: t.field({
      type: Agent,
      nullable: true,
      args: { agentName: t.arg.string({ required: true, description: "Its name, or its id." }) },
      resolve: (sweep, { agentName }, { services, viewer }) =>
        services.sweeps.agent(viewer, sweep, keyOf("Agent", agentName) ?? agentName),
    }),
    runs: t.field({
      type: RunConnection,
      nullable: true,
      args: { first: t.arg.int(), after: t.arg.string() },
      resolve: async (sweep, { first, after }, { services, viewer }) => {
        const project = await services.projects.byId(viewer, sweep.projectId);
        if (!project) return null;
        const filters = JSON.stringify({ sweep: sweep.id });
        return services.runQueries.list(viewer, project, { filters, first: first ?? 1000, after: after ?? null });
      },
    }),
  }),
});

const SweepEdge = builder.objectRef<SweepRecord>("SweepEdge").implement({
  fields: (t) => ({
    node: t.field({ type: Sweep, resolve: (sweep) => sweep }),
    cursor: t.string({ resolve: (sweep) => String(sweep.serial) }),
  }),
});

const SweepConnection = builder.objectRef<Page<SweepRecord>>("SweepConnection").implement({
  fields: (t) => ({
    edges: t.field({ type: [SweepEdge], resolve: (page) => page.nodes }),
    pageInfo: t.field({ type: PageInfo, resolve: (page) => page }),
  }),
});

builder.objectFields(Project, (t) => ({
  sweep: t.field({
    type: Sweep,
    nullable: true,
    args: { sweepName: t.arg.string({ required: true }) },
    resolve: (project, { sweepName }, { services, viewer }) => services.sweeps.get(viewer, project, sweepName),
  }),
  totalSweeps: t.int({ resolve: (project, _args, { services, viewer }) => services.sweeps.count(viewer, project) }),
  sweeps: t.field({
    type: SweepConnection,
    nullable: true,
    args: { first: t.arg.int(), after: t.arg.string() },
    resolve: (project, { first, after }, { services, viewer }) =>
      services.sweeps.page(viewer, project, { first: first ?? null, after: after ?? null }),
  }),
}));

const UpsertSweepInput = builder.inputType("UpsertSweepInput", {
  fields: (t) => ({
    id: t.id(),
    config: t.string(),
    description: t.string(),
    displayName: t.string(),
    entityName: t.string(),
    projectName: t.string(),
    controller: t.field({ type: "JSONString" }),
    scheduler: t.field({ type: "JSONString" }),
    launchScheduler: t.field({ type: "JSONString" }),
    templateVariableValues: t.field({ type: "JSONString" }),
    priorRunsFilters: t.field({ type: "JSONString" }),
    state: t.string(),
    clientMutationId: t.string(),
  }),
});

const UpsertSweepPayload = builder.objectRef<{ readonly sweep: SweepRecord }>("UpsertSweepPayload").implement({
  fields: (t) => ({
    sweep: t.field({ type: Sweep, resolve: ({ sweep }) => sweep }),
    configValidationWarnings: t.stringList({
      description: "Always empty: whatever this server does not do is an error.",
      resolve: () => [],
    }),
  }),
});

const CreateAgentInput = builder.inputType("CreateAgentInput", {
  fields: (t) => ({
    host: t.string({ required: true }),
    projectName: t.string(),
    entityName: t.string(),
    sweep: t.string({ required: true }),
    clientMutationId: t.string(),
  }),
});

const agentOf = ({ id }: { readonly id: string }, _args: unknown, { services, viewer }: GraphqlContext) =>
  services.sweeps.agentById(viewer, id);

const CreateAgentPayload = builder.objectRef<{ readonly id: string }>("CreateAgentPayload").implement({
  fields: (t) => ({ agent: t.field({ type: Agent, nullable: true, resolve: agentOf }) }),
});

const AgentHeartbeatInput = builder.inputType("AgentHeartbeatInput", {
  fields: (t) => ({
    id: t.id({ required: true }),
    metrics: t.field({ type: "JSONString" }),
    runState: t.field({ type: "JSONString", description: "Names of runs and whether they are going on." }),
    clientMutationId: t.string(),
  }),
});

const AgentHeartbeatPayload = builder
  .objectRef<{ readonly id: string; readonly commands: string }>("AgentHeartbeatPayload")
  .implement({
    fields: (t) => ({
      agent: t.field({ type: Agent, nullable: true, resolve: agentOf }),
      commands: t.expose("commands", { type: "JSONString", description: "A list of what to do: run, stop, exit." }),
    }),
  });

builder.mutationFields((t) => ({
  upsertSweep: t.field({
    type: UpsertSweepPayload,
    nullable: true,
    args: { input: t.arg({ type: UpsertSweepInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => ({
      sweep: await services.sweeps.upsert(viewer, {
        ...input,
        id: input.id ? requireKey("Sweep", input.id, "id") : null,
      }),
    }),
  }),
  createAgent: t.field({
    type: CreateAgentPayload,
    nullable: true,
    args: { input: t.arg({ type: CreateAgentInput, required: true }) },
    resolve: async (_root, { input: { host, sweep, entityName, projectName } }, { services, viewer }) => ({
      id: await services.sweeps.createAgent(viewer, {
        host,
        sweep,
        entityName: entityName ?? null,
        projectName: projectName ?? null,
      }),
    }),
  }),
  agentHeartbeat: t.field({
    type: AgentHeartbeatPayload,
    nullable: true,
    args: { input: t.arg({ type: AgentHeartbeatInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      const id = requireKey("Agent", input.id, "id");
      const states = parseJson(input.runState, "runState") ?? {};
      if (typeof states !== "object" || Array.isArray(states)) {
        const problem = "runState is a mapping of runs' names";
        throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "runState" });
      }
      const running = Object.entries(states).flatMap(([name, alive]) => (alive ? [name] : []));
      return { id, commands: JSON.stringify(await services.sweeps.heartbeat(viewer, id, running)) };
    },
  }),
}));
