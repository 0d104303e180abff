import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { isSettled } from "../../core/item-states.ts";
import type { Tx } from "../../store/database.ts";
import { findEntity } from "../../store/entities.ts";
import { findItem } from "../../store/item-queries.ts";
import { findProject } from "../../store/projects.ts";
import type { EntityRecord, RunRecord } from "../../store/records.ts";
import { findRun, insertRun, type RunValues, updateRun } from "../../store/runs.ts";
import { maySee, requireRole } from "./authorize.ts";
import type { ServiceContext } from "./context.ts";
import { visibleEntity } from "./entity-lookup.ts";
import { concludePlain } from "./items/plain.ts";
import { ensureProject } from "./items/push.ts";
import { stopInside } from "./items/stop.ts";
import type { Principal } from "./principal.ts";
import { checkProjectName } from "./projects.ts";

export interface RunRef {
  readonly entityName: string;
  readonly projectName: string;
  readonly name: string;
}

export interface UpsertRunInput {
  /** base64 of `Run:v1:NAME:PROJECT:ENTITY`; wins over name, project and entity. */
  readonly id?: string | null;
  readonly name?: string | null;
  readonly projectName?: string | null;
  readonly entityName?: string | null;
  readonly groupName?: string | null;
  readonly description?: string | null;
  readonly displayName?: string | null;
  readonly notes?: string | null;
  readonly commit?: string | null;
  readonly config?: string | null;
  readonly host?: string | null;
  readonly program?: string | null;
  readonly repo?: string | null;
  readonly jobType?: string | null;
  readonly state?: string | null;
  readonly sweep?: string | null;
  readonly tags?: readonly string[] | null;
  readonly summaryMetrics?: string | null;
}

export interface RunsService {
  get(principal: Principal, ref: RunRef): Promise<RunRecord | undefined>;
  /** A pending run becomes running: its code has spoken. Makes the project if there is none. */
  upsert(principal: Principal, input: UpsertRunInput): Promise<{ run: RunRecord; inserted: boolean }>;
  /**
   * The run's file stream was heard; `exitCode` once it has ended, which also settles the item of a plain agent.
   * `stopped` in the answer is what the training code obeys.
   */
  heartbeat(
    principal: Principal,
    ref: RunRef,
    input?: { readonly exitCode?: number | null },
  ): Promise<{ stopped: boolean }>;
  /** Stops the run's item too, if it has one. */
  stop(principal: Principal, ref: RunRef): Promise<RunRecord>;
}

const RUN_NAME = /^[^/\\#?%:\p{Cc}]{1,128}$/u;
const ENDED = ["finished", "failed", "crashed", "killed"];

export function createRunsService(context: ServiceContext): RunsService {
  const { database, clock, newId } = context;
  const { kysely } = database;

  /** The key of one job is good for its own run; everybody else's for the entities they may see (or, to write, belong to). */
  async function entityFor(
    principal: Principal,
    ref: Pick<RunRef, "entityName" | "projectName" | "name">,
    write: boolean,
  ): Promise<EntityRecord | undefined> {
    const entity = await findEntity(kysely, { name: ref.entityName });
    const { run } = principal;
    if (run !== null) {
      const own = run.entityId === entity?.id && run.projectName === ref.projectName && run.runName === ref.name;
      return own ? entity : undefined;
    }
    if (!entity || !maySee(principal, entity.id)) return undefined;
    if (write) requireRole(principal, entity, "MEMBER", "write runs");
    return entity;
  }

  async function find(principal: Principal, ref: RunRef, write: boolean): Promise<RunRecord | undefined> {
    const entity = await entityFor(principal, ref, write);
    const project = entity && (await findProject(kysely, { entityId: entity.id, name: ref.projectName }));
    return project && findRun(kysely, { projectId: project.id, name: ref.name });
  }

  async function mustFind(principal: Principal, ref: RunRef): Promise<RunRecord> {
    const run = await find(principal, ref, true);
    if (run) return run;
    const values = { run: ref.name, project: ref.projectName, entity: ref.entityName };
    throw new SlipwayError("RUN_NOT_FOUND", { values });
  }

  async function again(tx: Tx, run: RunRecord): Promise<RunRecord> {
    return (await findRun(tx.kysely, { projectId: run.projectId, name: run.name })) ?? run;
  }

  return {
    get: (principal, ref) => find(principal, ref, false),

    async upsert(principal, input) {
      const ref = refOf(input, principal);
      if (!RUN_NAME.test(ref.name)) {
        const problem = `a run's name has 1 to 128 characters and none of / \\ # ? % :, unlike ${JSON.stringify(ref.name)}`;
        throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "name" });
      }
      checkProjectName(ref.projectName);
      const entity = await entityFor(principal, ref, true);
      if (!entity) {
        if (principal.run !== null) throw new SlipwayError("KEY_SCOPE");
        // Refuses with the nearest name.
        await visibleEntity(kysely, principal, ref.entityName);
        throw new SlipwayError("ENTITY_NOT_FOUND", { values: { name: ref.entityName } });
      }
      return database.transaction(clock, async (tx) => {
        const project = await ensureProject(tx, newId(), entity, ref.projectName);
        const inserted = await insertRun(tx.kysely, {
          id: newId(),
          name: ref.name,
          projectId: project.id,
          state: input.state ?? "running",
          userId: principal.userId,
          itemId: null,
          createdAt: tx.now,
          heartbeatAt: tx.now,
        });
        const run = await findRun(tx.kysely, { projectId: project.id, name: ref.name });
        if (!run) throw new Error("a run that was just made is gone");
        const spoke = inserted || ENDED.includes(run.state) ? {} : { state: input.state ?? "running" };
        await updateRun(tx.kysely, run.id, { ...valuesOf(input), ...spoke, heartbeatAt: tx.now });
        tx.event({
          entityId: entity.id,
          kind: "run",
          subject: run.id,
          data: { name: run.name, project: run.projectName },
        });
        return { run: await again(tx, run), inserted };
      });
    },

    async heartbeat(principal, ref, input) {
      const run = await mustFind(principal, ref);
      const exitCode = input?.exitCode ?? null;
      await database.transaction(clock, async (tx) => {
        const ended = exitCode === null ? {} : { exitCode, state: exitCode === 0 ? "finished" : "failed" };
        const running = exitCode === null && run.state === "pending" ? { state: "running" } : {};
        await updateRun(tx.kysely, run.id, { heartbeatAt: tx.now, ...running, ...ended });
        if (exitCode === null || run.itemId === null) return;
        const item = await findItem(tx.kysely, run.itemId);
        if (!item?.plain || item.state !== "CLAIMED") return;
        const message = exitCode === 0 ? "The run has finished" : `The run ended with exit code ${exitCode}`;
        await concludePlain(tx, item, { ok: exitCode === 0, message });
      });
      return { stopped: run.stopped };
    },

    async stop(principal, ref) {
      const run = await mustFind(principal, ref);
      return database.transaction(clock, async (tx) => {
        await updateRun(tx.kysely, run.id, { stopped: 1 });
        const item = run.itemId === null ? undefined : await findItem(tx.kysely, run.itemId);
        if (item && !isSettled(item.state)) await stopInside(tx, item.id, principal.username);
        return again(tx, run);
      });
    },
  };
}

/** base64 of Run:v1:NAME:PROJECT:ENTITY, as the client builds it itself. */
function refOf(input: UpsertRunInput, principal: Principal): RunRef {
  const [kind, version, name, projectName, entityName] = input.id
    ? Buffer.from(input.id, "base64").toString("utf8").split(":")
    : ["Run", "v1", input.name, input.projectName, input.entityName];
  if (kind !== "Run" || version !== "v1" || !name) {
    const problem = input.id ? `${input.id} is not a run's id` : "a run needs a name";
    throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: input.id ? "id" : "name" });
  }
  return { name, projectName: projectName || "uncategorized", entityName: entityName || principal.entityName };
}

/** Null means: leave it as it is (the client sends most fields only once). */
function valuesOf(input: UpsertRunInput): RunValues {
  const given: Record<string, unknown> = {
    groupName: input.groupName,
    description: input.description,
    displayName: input.displayName,
    notes: input.notes,
    commit: input.commit,
    config: input.config,
    host: input.host,
    program: input.program,
    repo: input.repo,
    jobType: input.jobType,
    sweepName: input.sweep,
    tags: input.tags == null ? null : JSON.stringify(input.tags),
    summaryMetrics: input.summaryMetrics,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value != null)) as RunValues;
}
