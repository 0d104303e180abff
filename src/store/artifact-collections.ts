import type { Kysely } from "kysely";
import type { Tables } from "./tables.ts";

/** A name under which versions are kept: SEQUENCE for those that runs log, PORTFOLIO for those that are linked to it. */
export interface ArtifactCollectionRecord {
  readonly id: string;
  readonly projectId: string;
  readonly name: string;
  readonly kind: "SEQUENCE" | "PORTFOLIO";
  readonly typeName: string;
  readonly description: string | null;
  readonly tags: readonly string[];
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface ArtifactAliasRecord {
  readonly id: string;
  readonly collectionId: string;
  readonly alias: string;
  readonly artifactId: string;
}

export interface ArtifactMemberRecord {
  readonly id: string;
  readonly collectionId: string;
  readonly artifactId: string;
  readonly versionIndex: number;
  readonly createdAt: number;
}

type Row = Omit<ArtifactCollectionRecord, "kind" | "tags"> & { kind: string; tags: string };

const toCollection = (row: Row): ArtifactCollectionRecord => ({
  ...row,
  kind: row.kind as ArtifactCollectionRecord["kind"],
  tags: JSON.parse(row.tags) as string[],
});

export async function findCollection(
  db: Kysely<Tables>,
  by: { readonly id: string } | { readonly projectId: string; readonly name: string },
): Promise<ArtifactCollectionRecord | undefined> {
  const query = db.selectFrom("artifactCollections").selectAll();
  const row =
    "id" in by
      ? await query.where("id", "=", by.id).executeTakeFirst()
      : await query.where("projectId", "=", by.projectId).where("name", "=", by.name).executeTakeFirst();
  return row && toCollection(row);
}

/** Makes the collection unless the project has one of the name. */
export async function insertCollection(
  db: Kysely<Tables>,
  collection: Pick<ArtifactCollectionRecord, "id" | "projectId" | "name" | "kind" | "typeName" | "createdAt">,
): Promise<void> {
  await db
    .insertInto("artifactCollections")
    .values({ ...collection, description: null, tags: "[]", nextVersion: 0, updatedAt: collection.createdAt })
    .onConflict((conflict) => conflict.columns(["projectId", "name"]).doNothing())
    .execute();
}

export async function updateCollection(
  db: Kysely<Tables>,
  id: string,
  values: {
    readonly name?: string;
    readonly description?: string | null;
    readonly tags?: string;
    readonly typeName?: string;
    readonly updatedAt: number;
  },
): Promise<void> {
  await db.updateTable("artifactCollections").set(values).where("id", "=", id).execute();
  const { name, typeName } = values;
  if (name === undefined && typeName === undefined) return;
  await db
    .updateTable("artifacts")
    .set({
      ...(name === undefined ? {} : { collectionName: name }),
      ...(typeName === undefined ? {} : { typeName }),
    })
    .where("collectionId", "=", id)
    .execute();
}

/** Does the collection hold one of these versions, or one that the run has begun or made? */
export async function holdsOneOf(
  db: Kysely<Tables>,
  collectionId: string,
  of: { readonly artifactIds: readonly string[]; readonly runId: string },
): Promise<boolean> {
  const { artifactIds, runId } = of;
  const begun = db.selectFrom("artifacts").select("id").where("collectionId", "=", collectionId);
  if (await begun.where("runId", "=", runId).limit(1).executeTakeFirst()) return true;
  const row = await db
    .selectFrom("artifactMembers as m")
    .select("m.id")
    .where("m.collectionId", "=", collectionId)
    .where((e) =>
      e.or([
        e("m.artifactId", "in", artifactIds.length === 0 ? [""] : artifactIds),
        e(
          "m.artifactId",
          "in",
          e
            .selectFrom("artifactRuns as r")
            .select("r.artifactId")
            .where("r.runId", "=", runId)
            .where("r.direction", "=", "output"),
        ),
      ]),
    )
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** The next version's number. The collection's row stays locked until the transaction ends. */
export async function takeVersion(db: Kysely<Tables>, collectionId: string, now: number): Promise<number> {
  const row = await db
    .updateTable("artifactCollections")
    .set((e) => ({ nextVersion: e("nextVersion", "+", 1), updatedAt: now }))
    .where("id", "=", collectionId)
    .returning("nextVersion")
    .executeTakeFirstOrThrow();
  return row.nextVersion - 1;
}

export async function deleteCollection(db: Kysely<Tables>, id: string): Promise<void> {
  await db.deleteFrom("artifactAliases").where("collectionId", "=", id).execute();
  await db.deleteFrom("artifactMembers").where("collectionId", "=", id).execute();
  await db.deleteFrom("artifactCollections").where("id", "=", id).execute();
}

/** By name, those behind `after`, with how many there are in all. */
export async function listCollections(
  db: Kysely<Tables>,
  query: {
    readonly projectId: string;
    readonly typeName: string | null;
    readonly after: string | null;
    readonly limit: number;
  },
): Promise<{ readonly collections: readonly ArtifactCollectionRecord[]; readonly total: number }> {
  const { projectId, typeName, after, limit } = query;
  let of = db.selectFrom("artifactCollections").where("projectId", "=", projectId);
  if (typeName !== null) of = of.where("typeName", "=", typeName);
  const count = await of.select((e) => e.fn.countAll<number>().as("total")).executeTakeFirstOrThrow();
  let page = of.selectAll().orderBy("name").limit(limit);
  if (after !== null) page = page.where("name", ">", after);
  return { collections: (await page.execute()).map(toCollection), total: Number(count.total) };
}

export interface ArtifactTypeRecord {
  readonly name: string;
  readonly description: string | null;
  readonly createdAt: number;
}

/** The types of a project, by name: those of its collections, with the time of the first of each, and those made by themselves. */
export async function listTypes(db: Kysely<Tables>, projectId: string): Promise<readonly ArtifactTypeRecord[]> {
  const made = await db
    .selectFrom("artifactTypes")
    .select(["name", "description", "createdAt"])
    .where("projectId", "=", projectId)
    .execute();
  const named = await db
    .selectFrom("artifactCollections")
    .select((e) => ["typeName as name", e.fn.min("createdAt").as("createdAt")])
    .where("projectId", "=", projectId)
    .groupBy("typeName")
    .execute();
  const types = new Map(
    named.map((type) => [type.name, { ...type, description: null, createdAt: Number(type.createdAt) }]),
  );
  const all = new Map<string, ArtifactTypeRecord>(types);
  for (const type of made) all.set(type.name, type);
  return [...all.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Makes the type unless the project has one of the name; a description that is given counts. */
export async function insertType(
  db: Kysely<Tables>,
  type: ArtifactTypeRecord & { readonly projectId: string },
): Promise<void> {
  const { description } = type;
  await db
    .insertInto("artifactTypes")
    .values(type)
    .onConflict((conflict) =>
      description === null
        ? conflict.columns(["projectId", "name"]).doNothing()
        : conflict.columns(["projectId", "name"]).doUpdateSet({ description }),
    )
    .execute();
}

/** Gives the alias to the version, and takes it from whichever had it. */
export async function setAlias(db: Kysely<Tables>, alias: ArtifactAliasRecord): Promise<void> {
  await db
    .insertInto("artifactAliases")
    .values(alias)
    .onConflict((conflict) => conflict.columns(["collectionId", "alias"]).doUpdateSet({ artifactId: alias.artifactId }))
    .execute();
}

export async function deleteAliases(
  db: Kysely<Tables>,
  of: { readonly artifactId: string; readonly collectionId?: string; readonly aliases?: readonly string[] },
): Promise<void> {
  let query = db.deleteFrom("artifactAliases").where("artifactId", "=", of.artifactId);
  if (of.collectionId !== undefined) query = query.where("collectionId", "=", of.collectionId);
  if (of.aliases !== undefined) query = query.where("alias", "in", of.aliases);
  await query.execute();
}

export async function listAliases(
  db: Kysely<Tables>,
  of: { readonly artifactId?: string; readonly collectionId?: string },
): Promise<readonly ArtifactAliasRecord[]> {
  let query = db.selectFrom("artifactAliases").selectAll();
  if (of.artifactId !== undefined) query = query.where("artifactId", "=", of.artifactId);
  if (of.collectionId !== undefined) query = query.where("collectionId", "=", of.collectionId);
  return query.orderBy("alias").execute();
}

/** Makes the version a member of the collection; false if it is one already. */
export async function insertMember(db: Kysely<Tables>, member: ArtifactMemberRecord): Promise<boolean> {
  const made = await db
    .insertInto("artifactMembers")
    .values(member)
    .onConflict((conflict) => conflict.columns(["collectionId", "artifactId"]).doNothing())
    .returning("id")
    .executeTakeFirst();
  return made !== undefined;
}

export async function deleteMembers(
  db: Kysely<Tables>,
  of: { readonly artifactId: string; readonly collectionId?: string },
): Promise<void> {
  let query = db.deleteFrom("artifactMembers").where("artifactId", "=", of.artifactId);
  if (of.collectionId !== undefined) query = query.where("collectionId", "=", of.collectionId);
  await query.execute();
}

export async function listMembers(
  db: Kysely<Tables>,
  of: { readonly artifactId: string; readonly collectionId?: string },
): Promise<readonly ArtifactMemberRecord[]> {
  let query = db.selectFrom("artifactMembers").selectAll().where("artifactId", "=", of.artifactId);
  if (of.collectionId !== undefined) query = query.where("collectionId", "=", of.collectionId);
  return query.orderBy("createdAt").orderBy("id").execute();
}

/** Versions of a collection, newest first, those below version `before`. */
export async function listCollectionMembers(
  db: Kysely<Tables>,
  query: { readonly collectionId: string; readonly before: number | null; readonly limit: number },
): Promise<{ readonly members: readonly ArtifactMemberRecord[]; readonly total: number }> {
  const of = db.selectFrom("artifactMembers").where("collectionId", "=", query.collectionId);
  const count = await of.select((e) => e.fn.countAll<number>().as("total")).executeTakeFirstOrThrow();
  let page = of.selectAll().orderBy("versionIndex", "desc").limit(query.limit);
  if (query.before !== null) page = page.where("versionIndex", "<", query.before);
  return { members: await page.execute(), total: Number(count.total) };
}

/** The member of an alias, of a version's number, or (both null) the newest. */
export async function findMember(
  db: Kysely<Tables>,
  collectionId: string,
  by: { readonly alias: string } | { readonly versionIndex: number } | { readonly digest: string } | "newest",
): Promise<ArtifactMemberRecord | undefined> {
  const query = db.selectFrom("artifactMembers as m").selectAll("m").where("m.collectionId", "=", collectionId);
  if (by === "newest") return query.orderBy("m.versionIndex", "desc").limit(1).executeTakeFirst();
  if ("versionIndex" in by) return query.where("m.versionIndex", "=", by.versionIndex).executeTakeFirst();
  if ("digest" in by) {
    return query
      .innerJoin("artifacts as a", "a.id", "m.artifactId")
      .where("a.digest", "=", by.digest)
      .orderBy("m.versionIndex", "desc")
      .limit(1)
      .executeTakeFirst();
  }
  return query
    .innerJoin("artifactAliases as l", (join) =>
      join.onRef("l.collectionId", "=", "m.collectionId").onRef("l.artifactId", "=", "m.artifactId"),
    )
    .where("l.alias", "=", by.alias)
    .executeTakeFirst();
}
