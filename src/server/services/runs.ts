import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { isSettled } from "../../core/items/item-states.ts";
import { toStrictJson } from "../../core/loose-json.ts";
import type { Tx } from "../../store/database.ts";
import { findItem } from "../../store/item-queries.ts";
import type { RunRecord } from "../../store/records.ts";
import { hasAlertSince, insertAlert, listAlerts, type RunAlertRecord } from "../../store/run-alerts.ts";
import { deleteRun, findRun, insertRun, type RunValues, updateRun } from "../../store/runs.ts";
import { insertTimeline } from "../../store/timeline.ts";
import { refuseRunKey } from "./authorize.ts";
import type { ServiceContext } from "./context.ts";
import { visibleEntity } from "./entity-lookup.ts";
import { concludePlain } from "./items/plain.ts";
import { ensureProject } from "./items/push.ts";
import { stopInside } from "./items/stop.ts";
import type { Principal } from "./principal.ts";
import { checkProjectName } from "./projects.ts";
import { createRunAccess, type RunRef } from "./runs/access.ts";
import { branchPointOf } from "./runs/branch.ts";
import { runDirectory } from "./runs/lines.ts";
import { createRunStreamWriter, hasHistory, type StreamMessage, summaryValues } from "./runs/stream.ts";
import { stopEarly } from "./sweeps/early-stop.ts";

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

export interface RunAlert {
  readonly title: string;
  readonly text: string;
  readonly severity: "INFO" | "WARN" | "ERROR";
  /** Milliseconds for which another alert of the same title is not kept. */
  readonly waitMs: number;
}

export interface RunsService {
  get(principal: Principal, ref: RunRef): Promise<RunRecord | undefined>;
  /** A pending run becomes running: its code has spoken. Makes the project if there is none. */
  upsert(principal: Principal, input: UpsertRunInput): Promise<{ run: RunRecord; inserted: boolean }>;
  /**
   * A message of the run's file stream: its lines are kept, a run that was thought lost runs again, and `exitCode` ends it,
   * which also settles the item of a plain agent. `stopped` in the answer is what the training code obeys.
   */
  stream(principal: Principal, ref: RunRef, message: RunMessage): Promise<{ stopped: boolean }>;
  /** Stops the run's item too, if it has one. A run that has ended stays as it is. */
  stop(principal: Principal, ref: RunRef): Promise<RunRecord>;
  /** Forgets a run with all it has reported. RUN_IN_FLIGHT while its item has not ended. */
  remove(principal: Principal, ref: RunRef): Promise<void>;
  /** What a person may make of a state: pending of a run that is to run again, failed of one that is lost. RUN_STATE_REFUSED. */
  setState(principal: Principal, ref: RunRef, state: string): Promise<RunRecord>;
  /** Forgets the history above a step, so that the code can go on from there. */
  rewind(principal: Principal, ref: RunRef, step: number): Promise<RunRecord>;
  /** Keeps it, and tells whoever watches. False: the same title came less than `waitMs` ago. */
  alert(principal: Principal, ref: RunRef, alert: RunAlert): Promise<boolean>;
  /** Newest first. */
  alerts(principal: Principal, run: RunRecord): Promise<readonly RunAlertRecord[]>;
}

export interface RunMessage extends StreamMessage {
  readonly exitCode?: number | null;
  readonly preempting?: boolean;
}

const RUN_NAME = /^[^/\\#?%:\p{Cc}]{1,128}$/u;
/** From which state a person may make which. */
const STATE_CHANGES: Readonly<Record<string, readonly string[]>> = {
  pending: ["running", "failed", "crashed", "preempted"],
  failed: ["pending", "running"],
};

export function createRunsService(context: ServiceContext): RunsService {
  const { database, clock, files, newId } = context;
  const { kysely } = database;
  const { entityFor, find, mustFind } = createRunAccess(kysely);
  const writer = createRunStreamWriter(context);

  async function again(tx: Tx, run: RunRecord): Promise<RunRecord> {
    return (await findRun(tx.kysely, { projectId: run.projectId, name: run.name })) ?? run;
  }

  /** The run that a new one is forked from; undefined for one that has its history. RUN_NOT_FOUND. */
  async function parentOf(principal: Principal, ref: RunRef, name: string): Promise<RunRecord | undefined> {
    const known = await find(principal, ref, true);
    if (known && hasHistory(known)) return undefined;
    const parent = await find(principal, { ...ref, name }, false);
    if (parent || known) return parent;
    const values = { run: name, project: ref.projectName, entity: ref.entityName };
    throw new SlipwayError("RUN_NOT_FOUND", { values, where: "fork_from" });
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
      const branch = branchPointOf(input.config, ref.name);
      const parent = branch && (await parentOf(principal, ref, branch.runName));
      const upserted = await database.transaction(clock, async (tx) => {
        const project = await ensureProject(tx, newId(), entity, ref.projectName, principal.userId);
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
        await updateRun(tx.kysely, run.id, {
          ...valuesOf(input),
          ...(inserted || principal.run?.ended ? {} : spokenOf(input, run, tx.now)),
        });
        const made = await again(tx, run);
        tellOfRun(tx, made, made.state);
        return { run: made, inserted };
      });
      // Not in the transaction: a history is many files. If it does not come to this, the next upsert of the run does it.
      if (branch && parent) await writer.fork(upserted.run, parent, branch.step);
      return upserted;
    },

    async stream(principal, ref, message) {
      const run = await mustFind(principal, ref);
      await writer.write(run, message);
      const stoppedEarly = message.history !== undefined && (await stopEarly(context, run));
      const exitCode = message.exitCode ?? null;
      const summary = message.summary === undefined ? {} : summaryValues(message.summary);
      await database.transaction(clock, async (tx) => {
        const now = await again(tx, run);
        const preempting = now.preempting || message.preempting === true;
        const ended = exitCode === null ? {} : { exitCode, state: endState(exitCode, preempting) };
        const late = principal.run?.ended === true;
        const alive = exitCode === null && !late && MAY_BE_ALIVE.includes(now.state) ? { state: "running" } : {};
        const values = { ...summary, ...alive, ...ended, preempting: preempting ? 1 : 0 };
        await updateRun(tx.kysely, run.id, { heartbeatAt: tx.now, ...values });
        if (Object.keys({ ...summary, ...alive, ...ended }).length > 0) tellOfRun(tx, run, values.state ?? now.state);
        if (exitCode === null || run.itemId === null) return;
        const item = await findItem(tx.kysely, run.itemId);
        if (!item?.plain || item.state !== "CLAIMED") return;
        const text = exitCode === 0 ? "The run has finished" : `The run ended with exit code ${exitCode}`;
        await concludePlain(tx, item, { ok: exitCode === 0, message: text });
      });
      return { stopped: run.stopped || stoppedEarly };
    },

    async stop(principal, ref) {
      const run = await mustFind(principal, ref);
      return database.transaction(clock, async (tx) => {
        // One that was thought lost may speak again, and is then told.
        if (isEnded(run.state) && !MAY_BE_ALIVE.includes(run.state)) return run;
        await updateRun(tx.kysely, run.id, { stopped: 1 });
        const item = run.itemId === null ? undefined : await findItem(tx.kysely, run.itemId);
        if (item && !isSettled(item.state)) await stopInside(tx, item.id, principal.username);
        return again(tx, run);
      });
    },

    async remove(principal, ref) {
      refuseRunKey(principal);
      const run = await mustFind(principal, ref);
      const item = run.itemId === null ? undefined : await findItem(kysely, run.itemId);
      if (item && !isSettled(item.state)) throw new SlipwayError("RUN_IN_FLIGHT", { values: { run: run.name } });
      await database.transaction(clock, async (tx) => {
        await deleteRun(tx.kysely, run.id);
        tellOfRun(tx, run, "deleted");
      });
      await files.remove(runDirectory(run.id));
    },

    async setState(principal, ref, state) {
      refuseRunKey(principal);
      const run = await mustFind(principal, ref);
      const from = Object.hasOwn(STATE_CHANGES, state) ? STATE_CHANGES[state] : undefined;
      const item = run.itemId === null ? undefined : await findItem(kysely, run.itemId);
      const ofItem = item !== undefined && !isSettled(item.state);
      const refused = !from?.includes(run.state) || run.sweepName !== null || ofItem;
      if (refused)
        throw new SlipwayError("RUN_STATE_REFUSED", { values: { from: run.state, to: state }, where: "state" });
      return database.transaction(clock, async (tx) => {
        await updateRun(tx.kysely, run.id, { state });
        tellOfRun(tx, run, state);
        return again(tx, run);
      });
    },

    async rewind(principal, ref, step) {
      const run = await mustFind(principal, ref);
      await writer.rewind(run, step);
      return database.transaction(clock, async (tx) => {
        await updateRun(tx.kysely, run.id, spokenOf({}, run, tx.now));
        return again(tx, run);
      });
    },

    async alert(principal, ref, alert) {
      const run = await mustFind(principal, ref);
      const { title, text, severity, waitMs } = alert;
      return database.transaction(clock, async (tx) => {
        if (await hasAlertSince(tx.kysely, { runId: run.id, title, since: tx.now - waitMs })) return false;
        await insertAlert(tx.kysely, { id: newId(), runId: run.id, at: tx.now, title, text, severity });
        const data = { name: run.name, project: run.projectName, title, text, severity };
        tx.event({ entityId: run.entityId, kind: "alert", subject: run.id, data });
        const item = run.itemId === null ? undefined : await findItem(tx.kysely, run.itemId);
        if (item) {
          const entry = { kind: "alert", actor: `run:${run.name}`, message: `${severity}: ${title}`, detail: { text } };
          await insertTimeline(tx, item, entry);
        }
        return true;
      });
    },

    alerts: (_principal, run) => listAlerts(kysely, run.id),
  };
}

const MAY_BE_ALIVE = ["pending", "crashed", "preempted"];
const isEnded = (state: string) => ["finished", "failed", "crashed", "killed", "preempted"].includes(state);

function endState(exitCode: number, preempting: boolean): string {
  if (exitCode === 0) return "finished";
  return preempting ? "preempted" : "failed";
}

/** What wandb.init means for a run that is there: it runs (again). A change by id, which a person makes, does not start it. */
function spokenOf(input: UpsertRunInput, run: RunRecord, now: number): RunValues {
  if (input.id != null) return input.state == null ? {} : { state: input.state };
  const anew = isEnded(run.state) ? { exitCode: null, stopped: 0, preempting: 0 } : {};
  return { state: input.state ?? "running", heartbeatAt: now, ...anew };
}

function tellOfRun(tx: Tx, run: RunRecord, state: string): void {
  const data = { name: run.name, project: run.projectName, state };
  tx.event({ entityId: run.entityId, kind: "run", subject: run.id, data });
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
    configSearch: input.config == null ? null : toStrictJson(input.config),
    host: input.host,
    program: input.program,
    repo: input.repo,
    jobType: input.jobType,
    sweepName: input.sweep,
    tags: input.tags == null ? null : JSON.stringify(input.tags),
    ...(input.summaryMetrics == null ? {} : summaryValues(input.summaryMetrics)),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value != null)) as RunValues;
}
