import { type Kysely, sql } from "kysely";
import type { JsonObject, JsonValue } from "../core/json.ts";
import type {
  DefaultResourceConfigRecord,
  QueueRecord,
  QueueVersionRecord,
  TemplateVariableRecord,
} from "./records.ts";
import type { Tables } from "./tables.ts";

function selectAll(db: Kysely<Tables>) {
  return db
    .selectFrom("queues as q")
    .innerJoin("entities as e", "e.id", "q.entityId")
    .selectAll("q")
    .select("e.name as entityName");
}

function select(db: Kysely<Tables>) {
  return selectAll(db).where("q.deletedAt", "is", null);
}

type Row = Awaited<ReturnType<ReturnType<typeof select>["executeTakeFirstOrThrow"]>>;

function toRecord(row: Row): QueueRecord {
  const { served, deletedAt, ...rest } = row;
  return {
    ...rest,
    access: row.access as QueueRecord["access"],
    prioritizationMode: row.prioritizationMode as QueueRecord["prioritizationMode"],
    config: JSON.parse(row.config) as JsonObject,
    templateVariables: JSON.parse(row.templateVariables) as TemplateVariableRecord[],
    externalLinks: row.externalLinks === null ? null : (JSON.parse(row.externalLinks) as JsonValue),
  };
}

export async function findQueue(
  db: Kysely<Tables>,
  by: { id: string } | { entityId: string; name: string },
): Promise<QueueRecord | undefined> {
  const query = select(db);
  const row = await ("id" in by
    ? query.where("q.id", "=", by.id)
    : query.where("q.entityId", "=", by.entityId).where("q.name", "=", by.name)
  ).executeTakeFirst();
  return row && toRecord(row);
}

/** Also one that has been deleted: its items are still shown. */
export async function findQueueOfItem(db: Kysely<Tables>, id: string): Promise<QueueRecord | undefined> {
  const row = await selectAll(db).where("q.id", "=", id).executeTakeFirst();
  return row && toRecord(row);
}

export async function listQueues(
  db: Kysely<Tables>,
  by: { entityId: string } | { ids: readonly string[] },
): Promise<readonly QueueRecord[]> {
  if ("ids" in by && by.ids.length === 0) return [];
  const query = select(db).orderBy("q.name");
  const rows = await ("ids" in by
    ? query.where("q.id", "in", by.ids)
    : query.where("q.entityId", "=", by.entityId)
  ).execute();
  return rows.map(toRecord);
}

export interface QueueContent {
  readonly access: string;
  readonly prioritizationMode: string;
  readonly resource: string;
  readonly config: JsonObject;
  readonly configText: string | null;
  readonly templateVariables: readonly TemplateVariableRecord[];
  readonly externalLinks: JsonValue | null;
  readonly defaultResourceConfigId: string | null;
}

function columns(content: QueueContent) {
  return {
    access: content.access,
    prioritizationMode: content.prioritizationMode,
    resource: content.resource,
    config: JSON.stringify(content.config),
    configText: content.configText,
    templateVariables: JSON.stringify(content.templateVariables),
    externalLinks: content.externalLinks === null ? null : JSON.stringify(content.externalLinks),
    defaultResourceConfigId: content.defaultResourceConfigId,
  };
}

async function insertVersion(
  db: Kysely<Tables>,
  queueId: string,
  version: number,
  content: QueueContent,
  createdBy: string | null,
  now: number,
): Promise<void> {
  const { resource, config, configText, templateVariables } = columns(content);
  await db
    .insertInto("queueVersions")
    .values({ queueId, version, resource, config, configText, templateVariables, createdBy, createdAt: now })
    .execute();
}

/** Fails with a unique violation if the entity has a queue of the name. */
export async function insertQueue(
  db: Kysely<Tables>,
  queue: { id: string; name: string; entityId: string; createdBy: string | null; now: number },
  content: QueueContent,
): Promise<void> {
  await db
    .insertInto("queues")
    .values({
      id: queue.id,
      name: queue.name,
      entityId: queue.entityId,
      ...columns(content),
      version: 1,
      served: 0,
      createdBy: queue.createdBy,
      createdAt: queue.now,
      updatedAt: queue.now,
      deletedAt: null,
    })
    .execute();
  await insertVersion(db, queue.id, 1, content, queue.createdBy, queue.now);
}

export async function updateQueue(
  db: Kysely<Tables>,
  id: string,
  content: QueueContent,
  by: string | null,
  now: number,
): Promise<void> {
  const changed = await db
    .updateTable("queues")
    .set({ ...columns(content), version: sql<number>`version + 1`, updatedAt: now })
    .where("id", "=", id)
    .where("deletedAt", "is", null)
    .returning("version")
    .executeTakeFirst();
  if (changed) await insertVersion(db, id, changed.version, content, by, now);
}

/** Only a queue of which no agent holds an item. */
export async function markQueueDeleted(db: Kysely<Tables>, id: string, now: number): Promise<boolean> {
  const done = await db
    .updateTable("queues")
    .set({ deletedAt: now })
    .where("id", "=", id)
    .where("deletedAt", "is", null)
    .where(
      sql<boolean>`NOT EXISTS (SELECT 1 FROM items WHERE queue_id = ${id} AND state IN ('PENDING', 'LEASED', 'CLAIMED'))`,
    )
    .executeTakeFirst();
  return done.numUpdatedRows === 1n;
}

export async function listQueueVersions(db: Kysely<Tables>, queueId: string): Promise<readonly QueueVersionRecord[]> {
  const rows = await db
    .selectFrom("queueVersions")
    .selectAll()
    .where("queueId", "=", queueId)
    .orderBy("version", "desc")
    .execute();
  return rows.map((row) => ({
    ...row,
    config: JSON.parse(row.config) as JsonObject,
    templateVariables: JSON.parse(row.templateVariables) as TemplateVariableRecord[],
  }));
}

export async function insertDefaultResourceConfig(
  db: Kysely<Tables>,
  record: DefaultResourceConfigRecord,
): Promise<void> {
  await db
    .insertInto("defaultResourceConfigs")
    .values({
      ...record,
      config: JSON.stringify(record.config),
      templateVariables: JSON.stringify(record.templateVariables),
    })
    .execute();
}

export async function findDefaultResourceConfig(
  db: Kysely<Tables>,
  entityId: string,
  id: string,
): Promise<DefaultResourceConfigRecord | undefined> {
  const row = await db
    .selectFrom("defaultResourceConfigs")
    .selectAll()
    .where("id", "=", id)
    .where("entityId", "=", entityId)
    .executeTakeFirst();
  return (
    row && {
      ...row,
      config: JSON.parse(row.config) as JsonObject,
      templateVariables: JSON.parse(row.templateVariables) as TemplateVariableRecord[],
    }
  );
}
