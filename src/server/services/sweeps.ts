import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { isSettled } from "../../core/items/item-states.ts";
import { mintRunId, RUN_ID_BYTES } from "../../core/runs/run-id.ts";
import { argumentsOf, runCount } from "../../core/sweeps/next-point.ts";
import { parseSweepConfig, type SweepConfig } from "../../core/sweeps/sweep-config.ts";
import type { Tx } from "../../store/database.ts";
import { findItem } from "../../store/item-queries.ts";
import { findProject } from "../../store/projects.ts";
import type { ProjectRecord } from "../../store/records.ts";
import { insertRun } from "../../store/runs.ts";
import { stoppedAmong } from "../../store/sweep-rungs.ts";
import {
  countSweepRuns,
  countSweeps,
  findSweep,
  findSweepOfAgent,
  hasLiveRuns,
  insertSweep,
  insertSweepAgent,
  insertSweepRun,
  listSweeps,
  type SweepRecord,
  takePosition,
  touchSweepAgent,
  updateSweep,
} from "../../store/sweeps.ts";
import { maySee, requireRole } from "./authorize.ts";
import type { ServiceContext } from "./context.ts";
import { visibleEntity } from "./entity-lookup.ts";
import { ensureProject } from "./items/push.ts";
import { type Page, pageSize } from "./page.ts";
import type { Principal } from "./principal.ts";
import { checkProjectName } from "./projects.ts";
import { createSweepAgentsService, type SweepAgentsService } from "./sweeps/agents.ts";
import { pushScheduler, stopLaunched } from "./sweeps/on-launch.ts";
import { learntFrom, observationsOf, pointAt } from "./sweeps/points.ts";

export interface UpsertSweepInput {
  /** Of a sweep that is there: its config's text, names or state change. */
  readonly id?: string | null | undefined;
  readonly entityName?: string | null | undefined;
  readonly projectName?: string | null | undefined;
  readonly config?: string | null | undefined;
  readonly displayName?: string | null | undefined;
  readonly description?: string | null | undefined;
  readonly controller?: string | null | undefined;
  readonly scheduler?: string | null | undefined;
  /** JSON text; the sweep's runs go through a launch queue, and this is the item that pushes them. */
  readonly launchScheduler?: string | null | undefined;
  readonly templateVariableValues?: string | null | undefined;
  readonly priorRunsFilters?: string | null | undefined;
  readonly state?: string | null | undefined;
}

/** What an agent of a sweep is told to do. */
export type SweepCommand =
  | { readonly type: "run"; readonly run_id: string; readonly args: Readonly<Record<string, unknown>> }
  | { readonly type: "stop"; readonly run_id: string }
  | { readonly type: "exit" };

export interface SweepsService extends SweepAgentsService {
  get(principal: Principal, project: ProjectRecord, name: string): Promise<SweepRecord | undefined>;
  /** Newest first. */
  page(
    principal: Principal,
    project: ProjectRecord,
    query: { readonly first: number | null; readonly after: string | null },
  ): Promise<Page<SweepRecord>>;
  count(principal: Principal, project: ProjectRecord): Promise<number>;
  runCount(principal: Principal, sweep: SweepRecord): Promise<number>;
  /** The best value of the metric among finished runs; null without one. */
  bestLoss(principal: Principal, sweep: SweepRecord): Promise<number | null>;
  /** SWEEP_CONFIG_INVALID, SWEEP_STATE_REFUSED, SWEEP_SCHEDULER_INVALID, SWEEP_SCHEDULER_JOB, SWEEP_GOES_ON, and what a push refuses. */
  upsert(principal: Principal, input: UpsertSweepInput): Promise<SweepRecord>;
  /** Registers an agent and starts the sweep if it waits; answers the agent's id. */
  createAgent(
    principal: Principal,
    input: { entityName?: string | null; projectName?: string | null; sweep: string; host: string },
  ): Promise<string>;
  /** `running`: names of the runs that the agent has going. An agent with none gets the next run. */
  heartbeat(principal: Principal, agentId: string, running: readonly string[]): Promise<readonly SweepCommand[]>;
}

const OPEN = ["PENDING", "RUNNING", "PAUSED"];
/** What a caller may set: CRASHED alone is the server's own finding, when a scheduler has failed. */
const SETTABLE = [...OPEN, "FINISHED", "CANCELED"];
const STATES = [...SETTABLE, "CRASHED"];
const RESUMABLE = ["PENDING", "PAUSED", "FINISHED", "CANCELED", "CRASHED"];
const MAX_PAGE = 1000;

export function createSweepsService(context: ServiceContext): SweepsService {
  const { database, clock, newId, random, limits } = context;
  const { kysely } = database;

  /** `what`: how the caller names it. */
  function mayChange(principal: Principal, sweep: SweepRecord | undefined, what: string): SweepRecord {
    if (!sweep || !maySee(principal, sweep.entityId))
      throw new SlipwayError("SWEEP_NOT_FOUND", { values: { sweep: what } });
    requireRole(principal, { id: sweep.entityId, name: sweep.entityName }, "MEMBER", "change sweeps");
    return sweep;
  }

  async function again(tx: Tx, id: string): Promise<SweepRecord> {
    const sweep = await findSweep(tx.kysely, { id });
    if (!sweep) throw new Error("a sweep that was just written is gone");
    return sweep;
  }

  /** Its scheduler, a program of the wandb client, takes an exit for a cancel: it finds by itself that the sweep has finished. */
  async function hasScheduler({ schedulerItemId }: SweepRecord): Promise<boolean> {
    const item = schedulerItemId === null ? undefined : await findItem(kysely, schedulerItemId);
    return item !== undefined && !isSettled(item.state);
  }

  async function change(principal: Principal, id: string, input: UpsertSweepInput) {
    const sweep = mayChange(principal, await findSweep(kysely, { id }), id);
    const { state } = input;
    if (input.config != null) parseSweepConfig(input.config);
    const from = state === "FINISHED" || state === "CANCELED" ? STATES : OPEN;
    return database.transaction(clock, async (tx) => {
      const changed = await updateSweep(tx.kysely, sweep.id, state == null ? STATES : from, {
        updatedAt: tx.now,
        ...(state == null ? {} : { state }),
        ...(input.config == null ? {} : { config: input.config }),
        ...(input.displayName == null ? {} : { displayName: input.displayName }),
        ...(input.description == null ? {} : { description: input.description }),
      });
      const now = await again(tx, sweep.id);
      if (!changed) throw new SlipwayError("SWEEP_STATE_REFUSED", { values: { from: now.state, to: state ?? "" } });
      if (state === "CANCELED" && now.schedulerItemId !== null) await stopLaunched(tx, now, principal.username);
      return now;
    });
  }

  /** Another scheduler for a sweep whose scheduler has ended; while it goes on, the sweep goes on with it. */
  async function resumeOnLaunch(principal: Principal, id: string, input: UpsertSweepInput): Promise<SweepRecord> {
    const sweep = mayChange(principal, await findSweep(kysely, { id }), id);
    const before = sweep.schedulerItemId === null ? undefined : await findItem(kysely, sweep.schedulerItemId);
    if (before && !isSettled(before.state)) {
      if (sweep.state === "PAUSED") return change(principal, id, { state: "RUNNING" });
      throw new SlipwayError("SWEEP_GOES_ON", { values: { sweep: id, state: sweep.state } });
    }
    const config = input.config ?? sweep.config;
    const scheduler = { ...input, config, sweepId: id, entityName: sweep.entityName, takesOver: before?.id ?? null };
    await pushScheduler(context, principal, scheduler, async (tx, item) => {
      const values = {
        state: "PENDING",
        updatedAt: tx.now,
        scheduler: input.launchScheduler ?? null,
        schedulerItemId: item.id,
      };
      if (!(await updateSweep(tx.kysely, id, RESUMABLE, values)))
        throw new SlipwayError("SWEEP_GOES_ON", { values: { sweep: id, state: "RUNNING" } });
    });
    return database.transaction(clock, (tx) => again(tx, id));
  }

  async function next(sweep: SweepRecord, config: SweepConfig, agentId: string): Promise<SweepCommand | undefined> {
    const seen = await learntFrom(context, sweep, config);
    return database.transaction(clock, async (tx) => {
      const position = await takePosition(tx.kysely, sweep.id, runCount(config));
      if (position === undefined) return undefined;
      const point = pointAt(context, config, position, seen);
      const run = { id: newId(), name: mintRunId(random(RUN_ID_BYTES)) };
      await insertRun(tx.kysely, {
        ...run,
        projectId: sweep.projectId,
        state: "pending",
        userId: sweep.userId,
        itemId: null,
        createdAt: tx.now,
        sweepName: sweep.id,
      });
      await insertSweepRun(tx.kysely, {
        sweepId: sweep.id,
        runId: run.id,
        agentId,
        position,
        point: JSON.stringify(point),
      });
      return { type: "run", run_id: run.name, args: argumentsOf(config, point) };
    });
  }

  return {
    ...createSweepAgentsService(context),
    get: async (principal, project, name) =>
      maySee(principal, project.entityId) ? findSweep(kysely, { id: name, projectId: project.id }) : undefined,

    async page(principal, project, { first, after }) {
      if (!maySee(principal, project.entityId)) return { nodes: [], endCursor: null, hasNextPage: false };
      const limit = pageSize(first, MAX_PAGE);
      const serial = after === null || after === "" ? null : Number(after);
      if (serial !== null && !Number.isSafeInteger(serial))
        throw new SlipwayError("REQUEST_INVALID", {
          values: { problem: `${after} is not the cursor of a list of sweeps` },
          where: "after",
        });
      const found = await listSweeps(kysely, { projectId: project.id, after: serial, limit: limit + 1 });
      const nodes = found.slice(0, limit);
      const last = nodes.at(-1);
      return { nodes, endCursor: last ? String(last.serial) : null, hasNextPage: found.length > limit };
    },

    count: async (principal, project) => (maySee(principal, project.entityId) ? countSweeps(kysely, project.id) : 0),
    runCount: async (principal, sweep) => (maySee(principal, sweep.entityId) ? countSweepRuns(kysely, sweep.id) : 0),

    async bestLoss(principal, sweep) {
      if (!maySee(principal, sweep.entityId)) return null;
      const config = parseSweepConfig(sweep.config);
      const values = (await observationsOf(context, sweep, config)).map(({ metric }) => metric);
      if (values.length === 0) return null;
      return config.metric?.goal === "maximize" ? Math.max(...values) : Math.min(...values);
    },

    async upsert(principal, input) {
      if (input.state != null && !SETTABLE.includes(input.state)) {
        const problem = `A sweep's state is ${SETTABLE.join(", ")}, not ${input.state}`;
        throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "state" });
      }
      if (given(input.priorRunsFilters)) {
        const problem = "This server's bayes learns from a sweep's own runs alone: leave prior runs out";
        throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "priorRunsFilters" });
      }
      if (input.id && given(input.launchScheduler)) return resumeOnLaunch(principal, input.id, input);
      if (input.id) return change(principal, input.id, input);
      const entity = await visibleEntity(kysely, principal, input.entityName);
      requireRole(principal, entity, "MEMBER", "make sweeps");
      const config = parseSweepConfig(input.config ?? "");
      const projectName = input.projectName || "uncategorized";
      checkProjectName(projectName);
      const id = mintRunId(random(RUN_ID_BYTES));
      const insert = async (tx: Tx, schedulerItemId: string | null) => {
        const project = await ensureProject(tx, newId(), entity, projectName, principal.userId);
        await insertSweep(tx.kysely, {
          id,
          projectId: project.id,
          config: input.config ?? "",
          state: input.state ?? "PENDING",
          displayName: input.displayName ?? config.name,
          description: input.description ?? config.description,
          controller: input.controller ?? null,
          scheduler: input.launchScheduler ?? input.scheduler ?? null,
          schedulerItemId,
          userId: principal.userId,
          createdAt: tx.now,
          updatedAt: tx.now,
          heartbeatAt: null,
        });
        return again(tx, id);
      };
      if (!given(input.launchScheduler)) return database.transaction(clock, (tx) => insert(tx, null));
      let made: SweepRecord | undefined;
      await pushScheduler(
        context,
        principal,
        { ...input, sweepId: id, entityName: entity.name, takesOver: null },
        async (tx, item) => {
          made = await insert(tx, item.id);
        },
      );
      if (!made) throw new Error("a sweep's scheduler was pushed without the sweep");
      return made;
    },

    async createAgent(principal, { entityName, projectName, sweep: name, host }) {
      const entity = await visibleEntity(kysely, principal, entityName);
      requireRole(principal, entity, "MEMBER", "serve sweeps");
      const project = await findProject(kysely, { entityId: entity.id, name: projectName || "uncategorized" });
      const sweep = project && (await findSweep(kysely, { id: name, projectId: project.id }));
      if (!sweep) throw new SlipwayError("SWEEP_NOT_FOUND", { values: { sweep: name } });
      return database.transaction(clock, async (tx) => {
        const id = newId();
        await insertSweepAgent(tx.kysely, { id, sweepId: sweep.id, host, createdAt: tx.now, heartbeatAt: tx.now });
        await updateSweep(tx.kysely, sweep.id, ["PENDING"], { state: "RUNNING", updatedAt: tx.now });
        return id;
      });
    },

    async heartbeat(principal, agentId, running) {
      const sweep = mayChange(principal, await findSweepOfAgent(kysely, agentId), `of agent ${agentId}`);
      const now = clock.now();
      await touchSweepAgent(kysely, agentId, now);
      await updateSweep(kysely, sweep.id, OPEN, { heartbeatAt: now });
      if (sweep.state === "CANCELED") return [...running.map((run_id) => ({ type: "stop", run_id }) as const), EXIT];
      // Code that `wandb.agent` runs does not hear of a stop by its file stream.
      const stopped = await stoppedAmong(kysely, sweep.projectId, running);
      if (running.length > 0) return stopped.map((run_id) => ({ type: "stop", run_id }));
      if (sweep.state === "FINISHED") return (await hasScheduler(sweep)) ? [] : [EXIT];
      if (sweep.state !== "RUNNING") return [];
      const command = await next(sweep, parseSweepConfig(sweep.config), agentId);
      if (command) return [command];
      // All are handed out: it ends with the last of them.
      if (await hasLiveRuns(kysely, sweep.id, now - limits.runSilenceMs)) return [];
      await updateSweep(kysely, sweep.id, ["RUNNING"], { state: "FINISHED", updatedAt: now });
      return (await hasScheduler(sweep)) ? [] : [EXIT];
    },
  };
}

const EXIT = { type: "exit" } as const;
const given = (text: string | null | undefined) => text != null && text !== "" && text !== "null";
