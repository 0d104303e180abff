import type { Kysely } from "kysely";
import type { ProjectRecord } from "./records.ts";
import type { Tables } from "./tables.ts";

function select(db: Kysely<Tables>) {
  return db
    .selectFrom("projects as p")
    .innerJoin("entities as e", "e.id", "p.entityId")
    .select([
      "p.id",
      "p.internalId",
      "p.name",
      "p.entityId",
      "e.name as entityName",
      "p.description",
      "p.access",
      "p.createdAt",
      "p.userId",
    ]);
}

export async function findProject(
  db: Kysely<Tables>,
  by: { id: string } | { entityId: string; name: string },
): Promise<ProjectRecord | undefined> {
  const query = select(db);
  return "id" in by
    ? query.where("p.id", "=", by.id).executeTakeFirst()
    : query.where("p.entityId", "=", by.entityId).where("p.name", "=", by.name).executeTakeFirst();
}

/** By name, those behind `after`. */
export async function listProjects(
  db: Kysely<Tables>,
  query: { readonly entityId: string; readonly after: string | null; readonly limit: number },
): Promise<readonly ProjectRecord[]> {
  const of = select(db).where("p.entityId", "=", query.entityId).orderBy("p.name").limit(query.limit);
  return (query.after === null ? of : of.where("p.name", ">", query.after)).execute();
}

/** Makes the project unless there is one of its name; answers whether it did. Safe beside others that do the same. */
export async function insertProject(
  db: Kysely<Tables>,
  project: {
    id: string;
    name: string;
    entityId: string;
    description: string | null;
    access: string;
    userId: string | null;
    now: number;
  },
): Promise<boolean> {
  const { now, ...values } = project;
  const made = await db
    .insertInto("projects")
    .values({ ...values, createdAt: now })
    .onConflict((conflict) => conflict.columns(["entityId", "name"]).doNothing())
    .returning("id")
    .executeTakeFirst();
  return made !== undefined;
}

export async function updateProject(
  db: Kysely<Tables>,
  id: string,
  values: { description?: string; access?: string },
): Promise<void> {
  if (Object.keys(values).length === 0) return;
  await db.updateTable("projects").set(values).where("id", "=", id).execute();
}
