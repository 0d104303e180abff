import type { Kysely, Selectable } from "kysely";
import type { EntityRecord } from "./records.ts";
import type { Tables } from "./tables.ts";

type Row = Selectable<Tables["entities"]>;

function toRecord(row: Row): EntityRecord {
  return { id: row.id, name: row.name, isTeam: row.isTeam === 1, createdAt: row.createdAt };
}

export async function insertEntity(
  db: Kysely<Tables>,
  entity: { id: string; name: string; isTeam: boolean; now: number },
): Promise<EntityRecord> {
  const row: Row = { id: entity.id, name: entity.name, isTeam: entity.isTeam ? 1 : 0, createdAt: entity.now };
  await db.insertInto("entities").values(row).execute();
  return toRecord(row);
}

export async function findEntity(
  db: Kysely<Tables>,
  by: { name: string } | { id: string },
): Promise<EntityRecord | undefined> {
  const query = db.selectFrom("entities").selectAll();
  const row = await ("name" in by
    ? query.where("name", "=", by.name)
    : query.where("id", "=", by.id)
  ).executeTakeFirst();
  return row && toRecord(row);
}

export async function listEntities(db: Kysely<Tables>, ids: readonly string[]): Promise<readonly EntityRecord[]> {
  if (ids.length === 0) return [];
  return (await db.selectFrom("entities").selectAll().where("id", "in", ids).orderBy("name").execute()).map(toRecord);
}
