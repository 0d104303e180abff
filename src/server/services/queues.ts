import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";
import { requireValidQueue } from "../../core/queues/check-queue.ts";
import { DEFAULT_RESOURCE } from "../../core/training/resources.ts";
import type { Tx } from "../../store/database.ts";
import { countItems, pendingItemIds } from "../../store/item-queries.ts";
import {
  findDefaultResourceConfig,
  findQueue,
  findQueueOfItem,
  insertDefaultResourceConfig,
  insertQueue,
  listQueues,
  listQueueVersions,
  markQueueDeleted,
  type QueueContent,
  updateQueue,
} from "../../store/queues.ts";
import type {
  DefaultResourceConfigRecord,
  EntityRecord,
  QueueCounts,
  QueueRecord,
  QueueVersionRecord,
} from "../../store/records.ts";
import { maySee, requireRole } from "./authorize.ts";
import type { ServiceContext } from "./context.ts";
import { queueById, visibleEntity } from "./entity-lookup.ts";
import { ensureProject } from "./items/push.ts";
import { endPending } from "./items/stop.ts";
import type { Principal } from "./principal.ts";

export type PrioritizationMode = "DISABLED" | "V0";
export type QueueAccess = "PROJECT" | "USER";

export interface UpsertQueueInput {
  readonly entityName: string;
  readonly queueName: string;
  /** `sagemaker` */
  readonly resourceType: string;
  /** JSON text: `{resource_args: {sagemaker: {...}}}` or the bare CreateTrainingJob body. */
  readonly resourceConfig: string;
  /** JSON text: `{name: {schema, description?}}`. */
  readonly templateVariables?: string | null;
  readonly prioritizationMode?: PrioritizationMode | null;
  /** JSON text. */
  readonly externalLinks?: string | null;
  readonly configText?: string | null;
  readonly createOnly?: boolean | null;
}

/**
 * Queues and their configs. A config is checked when it is saved: CreateTrainingJob rules, template variables,
 * macros, an own TrainingJobName (RESOURCE_CONFIG_INVALID with a problem for each place).
 */
export interface QueuesService {
  get(principal: Principal, entityName: string, name: string): Promise<QueueRecord | undefined>;
  /** Also one that has been deleted: its items and agents still name it. */
  byId(principal: Principal, id: string): Promise<QueueRecord | undefined>;
  list(principal: Principal, entityName: string): Promise<readonly QueueRecord[]>;
  counts(principal: Principal, queueIds: readonly string[]): Promise<ReadonlyMap<string, QueueCounts>>;
  versions(principal: Principal, queueId: string): Promise<readonly QueueVersionRecord[]>;
  createDefaultResourceConfig(
    principal: Principal,
    input: {
      readonly entityName: string;
      readonly resource: string;
      readonly config: string;
      readonly templateVariables?: string | null;
    },
  ): Promise<DefaultResourceConfigRecord>;
  defaultResourceConfig(
    principal: Principal,
    entityName: string,
    id: string,
  ): Promise<DefaultResourceConfigRecord | undefined>;
  create(
    principal: Principal,
    input: {
      readonly entityName: string;
      readonly queueName: string;
      readonly access?: QueueAccess | null;
      readonly prioritizationMode?: PrioritizationMode | null;
      readonly defaultResourceConfigId?: string | null;
    },
  ): Promise<QueueRecord>;
  upsert(principal: Principal, input: UpsertQueueInput): Promise<QueueRecord>;
  /** PENDING items are stopped (cause deleted); QUEUE_BUSY while an agent holds an item. All or none. */
  delete(principal: Principal, queueIds: readonly string[]): Promise<void>;
}

const NO_CONFIG: Pick<DefaultResourceConfigRecord, "resource" | "config" | "templateVariables"> = {
  resource: DEFAULT_RESOURCE,
  config: {},
  templateVariables: [],
};

/** What the client's own URLs can carry. */
const QUEUE_NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,127}$/u;

/** LAUNCH_DEFAULT_PROJECT of the wandb client: where it looks for queues. */
const QUEUE_PROJECT = "model-registry";

export function createQueuesService(context: ServiceContext): QueuesService {
  const { database, clock, newId } = context;
  const { kysely } = database;

  async function create(
    principal: Principal,
    entity: EntityRecord,
    name: string,
    content: QueueContent,
  ): Promise<QueueRecord> {
    checkQueueName(name);
    const id = newId();
    return database
      .transaction(clock, async (tx) => {
        const head = { id, name, entityId: entity.id, createdBy: principal.username, now: tx.now };
        await insertQueue(tx.kysely, head, content);
        // The wandb agent asks for an entity's queues by this project of it, and gives up if there is none.
        await ensureProject(tx, newId(), entity, QUEUE_PROJECT);
        return announced(tx, id, "created");
      })
      .catch((error: unknown) => {
        if (!database.dialect.isUniqueViolation(error)) throw error;
        throw new SlipwayError("QUEUE_EXISTS", { values: { name, entity: entity.name }, where: "queueName" });
      });
  }

  async function announced(tx: Tx, id: string, change: string): Promise<QueueRecord> {
    const queue = await findQueue(tx.kysely, { id });
    if (!queue) throw new Error("a queue that was just written is gone");
    const data = { name: queue.name, version: queue.version, change };
    tx.event({ entityId: queue.entityId, kind: "queue", subject: id, queueId: id, data });
    return queue;
  }

  return {
    async get(principal, entityName, name) {
      const entity = await visibleEntity(kysely, principal, entityName);
      return findQueue(kysely, { entityId: entity.id, name });
    },

    async byId(principal, id) {
      const queue = await findQueueOfItem(kysely, id);
      return queue && maySee(principal, queue.entityId) ? queue : undefined;
    },

    async list(principal, entityName) {
      return listQueues(kysely, { entityId: (await visibleEntity(kysely, principal, entityName)).id });
    },

    async counts(principal, queueIds) {
      const seen: string[] = [];
      for (const id of queueIds) {
        const queue = await findQueue(kysely, { id });
        if (queue && maySee(principal, queue.entityId)) seen.push(id);
      }
      return countItems(kysely, seen);
    },

    async versions(principal, queueId) {
      return listQueueVersions(kysely, (await queueById(kysely, principal, queueId)).id);
    },

    async createDefaultResourceConfig(principal, input) {
      const entity = await visibleEntity(kysely, principal, input.entityName);
      requireRole(principal, entity, "MEMBER", "make queues");
      const { config, templateVariables } = checked(input.resource, input.config, input.templateVariables);
      const record = {
        id: newId(),
        entityId: entity.id,
        resource: input.resource,
        config,
        templateVariables,
        createdAt: clock.now(),
      };
      await insertDefaultResourceConfig(kysely, record);
      return record;
    },

    async defaultResourceConfig(principal, entityName, id) {
      const entity = await visibleEntity(kysely, principal, entityName);
      const found = await findDefaultResourceConfig(kysely, entity.id, id);
      if (found) return found;
      // A queue that was made by upsert has its config in itself; its own id stands for it.
      const queue = await findQueue(kysely, { id });
      if (!queue || queue.entityId !== entity.id) return undefined;
      const { resource, config, templateVariables, createdAt } = queue;
      return { id, entityId: entity.id, resource, config, templateVariables, createdAt };
    },

    async create(principal, input) {
      const entity = await visibleEntity(kysely, principal, input.entityName);
      requireRole(principal, entity, "ADMIN", "make queues");
      const id = input.defaultResourceConfigId ?? null;
      // The client makes a queue named default without a config when it needs one.
      const found = id === null ? NO_CONFIG : await findDefaultResourceConfig(kysely, entity.id, id);
      if (!found)
        throw new SlipwayError("RESOURCE_CONFIG_NOT_FOUND", {
          values: { id: id ?? "" },
          where: "defaultResourceConfigID",
        });
      return create(principal, entity, input.queueName, {
        access: input.access ?? "PROJECT",
        prioritizationMode: input.prioritizationMode ?? "DISABLED",
        resource: found.resource,
        config: found.config,
        configText: null,
        templateVariables: found.templateVariables,
        externalLinks: null,
        defaultResourceConfigId: id,
      });
    },

    async upsert(principal, input) {
      const entity = await visibleEntity(kysely, principal, input.entityName);
      requireRole(principal, entity, "ADMIN", "make or change queues");
      const before = await findQueue(kysely, { entityId: entity.id, name: input.queueName });
      if (before && input.createOnly)
        throw new SlipwayError("QUEUE_EXISTS", {
          values: { name: input.queueName, entity: entity.name },
          where: "queueName",
        });
      const { config, templateVariables } = checked(input.resourceType, input.resourceConfig, input.templateVariables);
      const content: QueueContent = {
        access: before?.access ?? "PROJECT",
        prioritizationMode: input.prioritizationMode ?? before?.prioritizationMode ?? "DISABLED",
        resource: input.resourceType,
        config,
        configText: input.configText ?? null,
        templateVariables,
        externalLinks:
          input.externalLinks == null
            ? (before?.externalLinks ?? null)
            : readJson(input.externalLinks, "externalLinks"),
        defaultResourceConfigId: null,
      };
      if (!before) return create(principal, entity, input.queueName, content);
      return database.transaction(clock, async (tx) => {
        await updateQueue(tx.kysely, before.id, content, principal.username, tx.now);
        return announced(tx, before.id, "changed");
      });
    },

    async delete(principal, queueIds) {
      const queues: QueueRecord[] = [];
      for (const id of queueIds) {
        const queue = await queueById(kysely, principal, id);
        requireRole(principal, { id: queue.entityId, name: queue.entityName }, "ADMIN", "delete queues");
        queues.push(queue);
      }
      await database.transaction(clock, async (tx) => {
        for (const queue of queues) {
          for (const id of await pendingItemIds(tx.kysely, queue.id))
            await endPending(tx, id, {
              cause: "deleted",
              message: `Queue ${queue.name} was deleted`,
              by: principal.username,
            });
          if (await markQueueDeleted(tx.kysely, queue.id, tx.now)) {
            const data = { name: queue.name, change: "deleted" };
            tx.event({ entityId: queue.entityId, kind: "queue", subject: queue.id, queueId: queue.id, data });
            continue;
          }
          const counts = (await countItems(tx.kysely, [queue.id])).get(queue.id);
          // A waiting one that is left may have a training job, which an agent must end first.
          const count = (counts?.pending ?? 0) + (counts?.leased ?? 0) + (counts?.claimed ?? 0);
          throw new SlipwayError("QUEUE_BUSY", { values: { name: queue.name, count } });
        }
      });
    },
  };
}

function checked(
  resource: string,
  config: string,
  variables: string | null | undefined,
): { config: JsonObject; templateVariables: QueueRecord["templateVariables"] } {
  const found = requireValidQueue({
    resource,
    config: readJson(config, "resourceConfig"),
    templateVariables: variables == null ? undefined : readJson(variables, "templateVariables"),
  });
  const templateVariables = found.templateVariables.map(({ name, schema, description }) => ({
    name,
    schema: schema as unknown as JsonObject,
    description: description ?? null,
  }));
  return { config: found.config, templateVariables };
}

function readJson(text: string, where: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw new SlipwayError("INPUT_INVALID", { values: { problem: `${where} is not JSON` }, where, cause });
  }
}

function checkQueueName(name: string): void {
  if (QUEUE_NAME.test(name)) return;
  throw new SlipwayError("NAME_INVALID", {
    values: { name: JSON.stringify(name) },
    where: "queueName",
    hint: "A queue's name has 1 to 128 letters, digits, spaces, dots, hyphens and underscores, and begins with a letter or digit.",
  });
}
