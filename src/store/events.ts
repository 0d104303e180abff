import type { Kysely } from "kysely";
import type { JsonObject } from "../core/json.ts";
import type { EventRecord } from "./records.ts";
import type { Tables } from "./tables.ts";

export async function latestEvent(db: Kysely<Tables>): Promise<number> {
  const row = await db.selectFrom("events").select("seq").orderBy("seq", "desc").limit(1).executeTakeFirst();
  return row?.seq ?? 0;
}

export async function oldestEvent(db: Kysely<Tables>): Promise<number | undefined> {
  return (await db.selectFrom("events").select("seq").orderBy("seq").limit(1).executeTakeFirst())?.seq;
}

/** Events of these entities (null: of all), oldest first. */
export async function listEvents(
  db: Kysely<Tables>,
  filter: { after: number; upTo: number; entityIds: readonly string[] | null; limit: number },
): Promise<readonly EventRecord[]> {
  let query = db
    .selectFrom("events")
    .selectAll()
    .where("seq", ">", filter.after)
    .where("seq", "<=", filter.upTo)
    .orderBy("seq")
    .limit(filter.limit);
  if (filter.entityIds !== null) query = query.where("entityId", "in", filter.entityIds);
  const rows = await query.execute();
  return rows.map((row) => ({ ...row, data: JSON.parse(row.data) as JsonObject }));
}

/** Forgets what is older, but never the newest: its number tells later readers where they stand. */
export async function forgetEvents(db: Kysely<Tables>, before: number): Promise<void> {
  const newest = await latestEvent(db);
  await db.deleteFrom("events").where("at", "<", before).where("seq", "<", newest).execute();
}
