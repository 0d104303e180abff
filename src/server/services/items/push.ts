import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import { completeRunSpec } from "../../../core/items/complete-run-spec.ts";
import { isSettled } from "../../../core/items/item-states.ts";
import { parseRunSpec, type RunSpec } from "../../../core/items/run-spec.ts";
import type { JsonValue } from "../../../core/json.ts";
import type { TemplateVariableDefinition } from "../../../core/queues/template-variables.ts";
import { mintRunId, RUN_ID_BYTES } from "../../../core/runs/run-id.ts";
import { isSchedulerSpec } from "../../../core/sweeps/launch-scheduler.ts";
import { findCodeArchive } from "../../../store/code-archives.ts";
import type { Tx } from "../../../store/database.ts";
import { insertItem, noteRetriedAs } from "../../../store/items.ts";
import { findProject, insertProject } from "../../../store/projects.ts";
import type { EntityRecord, ItemRecord, QueueRecord } from "../../../store/records.ts";
import { findRun, giveRunToItem, insertRun } from "../../../store/runs.ts";
import { requireRole } from "../authorize.ts";
import type { ServiceContext } from "../context.ts";
import { queueById, queueNamed, visibleEntity } from "../entity-lookup.ts";
import type { PushInput } from "../items.ts";
import type { Principal } from "../principal.ts";
import { checkProjectName } from "../projects.ts";
import { checkJob } from "./job-check.ts";
import { changeableItem } from "./shared.ts";

const DEFAULT_PRIORITY = 2;
const LOWEST_PRIORITY = 3;

/** Step 1 of the way of one job: complete the spec, check it now, and keep it. */
export async function push(context: ServiceContext, principal: Principal, input: PushInput): Promise<ItemRecord> {
  const { queue, ...rest } = await readPush(context, principal, input);
  return pushSpec(context, principal, queue, { ...rest, retryOf: null });
}

/** A new item with the spec of one that has ended: another run, and the queue's config as it was then. */
export async function retry(context: ServiceContext, principal: Principal, itemId: string): Promise<ItemRecord> {
  const item = await changeableItem(context.database.kysely, principal, itemId, "retry items");
  if (!isSettled(item.state)) throw new SlipwayError("ITEM_NOT_SETTLED", { values: { item: itemId } });
  if (isSchedulerSpec(item.runSpec)) {
    const problem = `The scheduler of a sweep is not retried: resume the sweep (\`slipway sweep resume ${item.runId}\`, or \`wandb launch-sweep --resume_id\`)`;
    throw new SlipwayError("INPUT_INVALID", { values: { problem } });
  }
  const queue = await queueById(context.database.kysely, principal, item.queueId);
  const { run_id: _, author: __, ...spec } = item.runSpec;
  // The completed resource_args win over the queue's config key by key, and its template places are filled in them already.
  const whole: QueueRecord = { ...queue, config: {}, templateVariables: [] };
  return pushSpec(context, principal, whole, { spec, priority: item.priority, values: {}, retryOf: item.id });
}

/** Pushes what else has to come about with it, in the same transaction. `takesOver`: whose run it may go on with. */
export async function pushWith(
  context: ServiceContext,
  principal: Principal,
  input: PushInput,
  more: { readonly takesOver: string | null; readonly also: (tx: Tx, item: ItemRecord) => Promise<void> },
): Promise<ItemRecord> {
  const { queue, ...rest } = await readPush(context, principal, input);
  return pushSpec(context, principal, queue, { ...rest, retryOf: null, ...more });
}

async function readPush(context: ServiceContext, principal: Principal, input: PushInput) {
  const { kysely } = context.database;
  const queue =
    "id" in input.queue
      ? await queueById(kysely, principal, input.queue.id)
      : await queueNamed(kysely, principal, input.queue.entityName, input.queue.name);
  const spec = parseRunSpec(input.runSpec, { entity: queue.entityName });
  return { queue, spec, priority: input.priority ?? null, values: readValues(input.templateVariableValues) };
}

async function pushSpec(
  context: ServiceContext,
  principal: Principal,
  queue: QueueRecord,
  input: {
    spec: RunSpec;
    priority: number | null;
    values: Readonly<Record<string, unknown>>;
    retryOf: string | null;
    takesOver?: string | null;
    also?: (tx: Tx, item: ItemRecord) => Promise<void>;
  },
): Promise<ItemRecord> {
  const { database, clock, random, newId } = context;
  requireRole(principal, { id: queue.entityId, name: queue.entityName }, "MEMBER", "push to its queues");
  const entity = await visibleEntity(database.kysely, principal, input.spec.entity);
  requireRole(principal, entity, "MEMBER", "start runs");
  checkProjectName(input.spec.project);
  const priority = input.priority ?? DEFAULT_PRIORITY;
  if (!Number.isInteger(priority) || priority < 0 || priority > LOWEST_PRIORITY)
    throw new SlipwayError("INPUT_INVALID", {
      values: { problem: `Priority ${priority} is not 0 (critical), 1 (high), 2 (medium) or 3 (low)` },
      where: "priority",
    });
  const checked = await checkJob(context, principal, input.spec);
  const completed = completeRunSpec({
    spec: checked.spec,
    queue: { ...queue, templateVariables: queue.templateVariables.map(definitionOf) },
    templateVariableValues: input.values,
    author: principal.username,
    mintedRunId: mintRunId(random(RUN_ID_BYTES)),
  });
  await checkCode(context, entity, completed.spec);
  return database.transaction(clock, async (tx) => {
    const project = await ensureProject(tx, newId(), entity, completed.spec.project, principal.userId);
    const itemId = newId();
    await makeRun(
      tx,
      newId(),
      {
        itemId,
        projectId: project.id,
        runId: completed.runId,
        userId: principal.userId,
        takesOver: input.takesOver ?? null,
      },
      completed.spec,
    );
    const item = await insertItem(
      tx,
      {
        id: itemId,
        queue,
        project,
        runId: completed.runId,
        name: completed.spec.name ?? null,
        author: completed.spec.author,
        authorUserId: principal.userId,
        priority,
        runSpec: completed.spec,
        retryOf: input.retryOf,
      },
      {
        kind: "pushed",
        actor: `user:${principal.username}`,
        detail: {
          queue: queue.name,
          queueVersion: queue.version,
          warnings: [...completed.warnings, ...checked.warnings] as unknown as JsonValue,
        },
      },
    );
    await input.also?.(tx, item);
    if (input.retryOf !== null) await noteRetriedAs(tx.kysely, input.retryOf, item.id);
    return item;
  });
}

function definitionOf(variable: QueueRecord["templateVariables"][number]): TemplateVariableDefinition {
  const { name, schema, description } = variable;
  return {
    name,
    schema: schema as unknown as TemplateVariableDefinition["schema"],
    ...(description === null ? {} : { description }),
  };
}

function readValues(text: string | null | undefined): Readonly<Record<string, unknown>> {
  if (text == null || text.trim() === "") return {};
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch (error) {
    throw new SlipwayError("INPUT_INVALID", {
      values: { problem: "The template values are not JSON" },
      where: "templateVariableValues",
      cause: error,
    });
  }
  if (values === null) return {};
  if (typeof values !== "object" || Array.isArray(values))
    throw new SlipwayError("INPUT_INVALID", {
      values: { problem: "The template values must be an object of names and values" },
      where: "templateVariableValues",
    });
  return values as Record<string, unknown>;
}

async function checkCode(context: ServiceContext, entity: EntityRecord, spec: RunSpec): Promise<void> {
  if (!spec.code) return;
  const { digest } = spec.code;
  if (!(await findCodeArchive(context.database.kysely, entity.id, digest)))
    throw new SlipwayError("CODE_MISSING", { values: { digest }, where: "code.digest" });
}

export async function ensureProject(
  tx: Tx,
  id: string,
  entity: EntityRecord,
  name: string,
  userId: string | null = null,
) {
  const values = { id, name, entityId: entity.id, description: null, access: "PRIVATE", userId, now: tx.now };
  await insertProject(tx.kysely, values);
  const project = await findProject(tx.kysely, { entityId: entity.id, name });
  if (!project) throw new Error("a project that was just made is gone");
  return project;
}

/**
 * The run is there from the push on: without it a job can't be stopped before its code speaks, and clients that look
 * for it give up. A run that is there and is no item's becomes this item's; another item's is refused.
 */
async function makeRun(
  tx: Tx,
  id: string,
  run: { itemId: string; projectId: string; runId: string; userId: string; takesOver: string | null },
  spec: RunSpec,
): Promise<void> {
  const made = await insertRun(tx.kysely, {
    id,
    name: run.runId,
    projectId: run.projectId,
    state: "pending",
    userId: run.userId,
    itemId: run.itemId,
    createdAt: tx.now,
    displayName: spec.name ?? null,
    sweepName: spec.sweep_id ?? null,
  });
  if (made) return;
  const found = await findRun(tx.kysely, { projectId: run.projectId, name: run.runId });
  if (!found || !(await giveRunToItem(tx.kysely, found.id, run)))
    throw new SlipwayError("RUN_ID_TAKEN", { values: { run: run.runId, project: spec.project }, where: "run_id" });
}
