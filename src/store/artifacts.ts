import { type Kysely, sql } from "kysely";
import type { Tables } from "./tables.ts";

export interface ArtifactRecord {
  readonly id: string;
  readonly collectionId: string;
  readonly projectId: string;
  readonly collectionName: string;
  readonly typeName: string;
  readonly clientId: string | null;
  readonly digest: string;
  readonly digestAlgorithm: string;
  readonly state: "PENDING" | "COMMITTED" | "DELETED";
  readonly description: string | null;
  /** JSON text, as it came. */
  readonly metadata: string | null;
  readonly tags: readonly string[];
  readonly ttlSeconds: number | null;
  readonly historyStep: number | null;
  /** Bytes of all its files. */
  readonly size: number;
  readonly fileCount: number;
  readonly versionIndex: number | null;
  readonly wantedAliases: readonly WantedAlias[];
  readonly manifestId: string | null;
  readonly runId: string | null;
  /** Name of the user whose key made it; null for what was made before this was noted. */
  readonly author: string | null;
  /** The version that this one turned out to be the same as. */
  readonly sameAs: string | null;
  readonly distributedId: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface WantedAlias {
  readonly collectionName: string;
  readonly alias: string;
}

type Row = Omit<ArtifactRecord, "state" | "tags" | "wantedAliases"> & {
  state: string;
  tags: string;
  wantedAliases: string;
};

const toArtifact = (row: Row): ArtifactRecord => ({
  ...row,
  state: row.state as ArtifactRecord["state"],
  tags: JSON.parse(row.tags) as string[],
  wantedAliases: JSON.parse(row.wantedAliases) as WantedAlias[],
});

export async function findArtifact(db: Kysely<Tables>, id: string): Promise<ArtifactRecord | undefined> {
  const row = await db.selectFrom("artifacts").selectAll().where("id", "=", id).executeTakeFirst();
  return row && toArtifact(row);
}

/** In no order; those that are gone are missing. */
export async function findArtifacts(db: Kysely<Tables>, ids: readonly string[]): Promise<readonly ArtifactRecord[]> {
  if (ids.length === 0) return [];
  return (await db.selectFrom("artifacts").selectAll().where("id", "in", ids).execute()).map(toArtifact);
}

/** The artifact that a client has made under an id of its own. */
export async function findArtifactOfClient(
  db: Kysely<Tables>,
  projectId: string,
  clientId: string,
): Promise<ArtifactRecord | undefined> {
  const query = db.selectFrom("artifacts").selectAll().where("projectId", "=", projectId);
  const row = await query.where("clientId", "=", clientId).executeTakeFirst();
  if (row) return toArtifact(row);
  const same = await db
    .selectFrom("artifactClientIds as c")
    .innerJoin("artifacts as a", "a.id", "c.artifactId")
    .selectAll("a")
    .where("c.projectId", "=", projectId)
    .where("c.clientId", "=", clientId)
    .where("a.state", "!=", "DELETED")
    .executeTakeFirst();
  return same && toArtifact(same);
}

/** Ids of the artifacts, in whatever projects, that clients have called so. */
export async function artifactIdsOfClient(db: Kysely<Tables>, clientId: string): Promise<readonly string[]> {
  const own = await db.selectFrom("artifacts").select("id").where("clientId", "=", clientId).execute();
  const same = db.selectFrom("artifactClientIds").select("artifactId as id").where("clientId", "=", clientId);
  return [...own, ...(await same.execute())].map(({ id }) => id);
}

/** A client's own name for a version that was there before. */
export async function nameForClient(
  db: Kysely<Tables>,
  name: { readonly projectId: string; readonly clientId: string; readonly artifactId: string },
): Promise<void> {
  const { artifactId } = name;
  await db
    .insertInto("artifactClientIds")
    .values(name)
    .onConflict((conflict) => conflict.columns(["projectId", "clientId"]).doUpdateSet({ artifactId }))
    .execute();
}

/** The version that runs write together under this name, as long as it is not committed. */
export async function findDistributed(
  db: Kysely<Tables>,
  collectionId: string,
  distributedId: string,
): Promise<ArtifactRecord | undefined> {
  const row = await db
    .selectFrom("artifacts")
    .selectAll()
    .where("collectionId", "=", collectionId)
    .where("distributedId", "=", distributedId)
    .where("state", "=", "PENDING")
    .executeTakeFirst();
  return row && toArtifact(row);
}

/** A PENDING version is the same as a committed one: it goes, and its id leads there. False if it is not PENDING. */
export async function mergeArtifact(db: Kysely<Tables>, id: string, sameAs: string, now: number): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable("artifacts")
    .set({ state: "DELETED", sameAs, updatedAt: now })
    .where("id", "=", id)
    .where("state", "=", "PENDING")
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

export async function setWantedAliases(
  db: Kysely<Tables>,
  id: string,
  aliases: readonly WantedAlias[],
  now: number,
): Promise<void> {
  const values = { wantedAliases: JSON.stringify(aliases), updatedAt: now };
  await db.updateTable("artifacts").set(values).where("id", "=", id).execute();
}

/** Types whose versions the client makes by itself: no time to live is set for them. */
const AUTOMATIC_TYPES = ["run_table", "code", "job"];

/**
 * Committed versions whose time to live has passed, counted from when they were made, a hundred at most. One that is linked
 * to a portfolio stays; an alias does not keep a version.
 */
export async function expiredArtifacts(db: Kysely<Tables>, now: number): Promise<readonly string[]> {
  const rows = await db
    .selectFrom("artifacts as a")
    .select("a.id")
    .where("a.state", "=", "COMMITTED")
    .where("a.ttlSeconds", ">", 0)
    .where(sql<boolean>`a.created_at + a.ttl_seconds * 1000 < ${now}`)
    .where("a.typeName", "not in", AUTOMATIC_TYPES)
    .where("a.typeName", "not like", "wandb-%")
    .where((e) =>
      e.not(
        e.exists(
          e
            .selectFrom("artifactMembers as m")
            .select("m.id")
            .whereRef("m.artifactId", "=", "a.id")
            .whereRef("m.collectionId", "!=", "a.collectionId"),
        ),
      ),
    )
    .orderBy("a.createdAt")
    .limit(100)
    .execute();
  return rows.map(({ id }) => id);
}

/** Versions of one content differ in what a job asks of its inputs, and few such changes are ever made. */
const SAME_CONTENT = 100;

/** Committed versions with this content, the newest first, as many as are looked through. */
export async function listCommittedByDigest(
  db: Kysely<Tables>,
  collectionId: string,
  digest: string,
): Promise<readonly ArtifactRecord[]> {
  const rows = await db
    .selectFrom("artifacts")
    .selectAll()
    .where("collectionId", "=", collectionId)
    .where("digest", "=", digest)
    .where("state", "=", "COMMITTED")
    .orderBy("versionIndex", "desc")
    .limit(SAME_CONTENT)
    .execute();
  return rows.map(toArtifact);
}

/** Makes the artifact unless the project has one of the client's id. */
export async function insertArtifact(db: Kysely<Tables>, artifact: ArtifactRecord): Promise<void> {
  await db
    .insertInto("artifacts")
    .values({
      ...artifact,
      tags: JSON.stringify(artifact.tags),
      wantedAliases: JSON.stringify(artifact.wantedAliases),
    })
    .onConflict((conflict) => conflict.columns(["projectId", "clientId"]).doNothing())
    .execute();
}

/** Makes a PENDING artifact COMMITTED; false if it is not PENDING (any more). */
export async function commitArtifact(
  db: Kysely<Tables>,
  id: string,
  values: {
    readonly versionIndex: number;
    readonly manifestId: string;
    readonly size: number;
    readonly fileCount: number;
    readonly digest: string;
    readonly updatedAt: number;
  },
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable("artifacts")
    .set({ ...values, state: "COMMITTED" })
    .where("id", "=", id)
    .where("state", "=", "PENDING")
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

export async function updateArtifact(
  db: Kysely<Tables>,
  id: string,
  values: {
    readonly description?: string | null;
    readonly metadata?: string | null;
    readonly tags?: string;
    readonly ttlSeconds?: number | null;
    readonly updatedAt: number;
  },
): Promise<void> {
  await db.updateTable("artifacts").set(values).where("id", "=", id).execute();
}

/**
 * Takes versions out of their collections, with their aliases and the list of their files; those alone that are in the state,
 * if one is given. Answers which.
 */
export async function markDeleted(
  db: Kysely<Tables>,
  ids: readonly string[],
  now: number,
  from?: "PENDING" | "COMMITTED",
): Promise<readonly string[]> {
  if (ids.length === 0) return [];
  let update = db.updateTable("artifacts").set({ state: "DELETED", clientId: null, updatedAt: now });
  if (from !== undefined) update = update.where("state", "=", from);
  const deleted = (await update.where("id", "in", ids).returning("id").execute()).map(({ id }) => id);
  if (deleted.length === 0) return [];
  await db.deleteFrom("artifactAliases").where("artifactId", "in", deleted).execute();
  await db.deleteFrom("artifactMembers").where("artifactId", "in", deleted).execute();
  await db.deleteFrom("artifactFiles").where("artifactId", "in", deleted).execute();
  return deleted;
}

export async function artifactIdsOf(db: Kysely<Tables>, collectionId: string): Promise<readonly string[]> {
  const query = db.selectFrom("artifacts").select("id").where("collectionId", "=", collectionId);
  return (await query.where("state", "!=", "DELETED").execute()).map(({ id }) => id);
}

/** Puts off the end of those that are not committed yet. */
export async function touchPendingArtifacts(db: Kysely<Tables>, ids: readonly string[], now: number): Promise<void> {
  if (ids.length === 0) return;
  const touch = db.updateTable("artifacts").set({ updatedAt: now }).where("id", "in", ids);
  await touch.where("state", "=", "PENDING").execute();
}

/** Those that were begun before and never committed, a hundred at most. */
export async function abortedArtifacts(db: Kysely<Tables>, before: number): Promise<readonly string[]> {
  const query = db.selectFrom("artifacts").select("id").where("state", "=", "PENDING");
  return (await query.where("updatedAt", "<", before).orderBy("updatedAt").limit(100).execute()).map(({ id }) => id);
}

export async function insertArtifactRun(
  db: Kysely<Tables>,
  link: {
    readonly artifactId: string;
    readonly runId: string;
    readonly direction: "input" | "output";
    readonly usedAs: string | null;
    readonly createdAt: number;
  },
): Promise<void> {
  await db
    .insertInto("artifactRuns")
    .values(link)
    .onConflict((conflict) => conflict.columns(["artifactId", "runId", "direction"]).doNothing())
    .execute();
}

/** Whether the run has made this version: with the content of an older one it is that one. */
export async function isOutputOf(db: Kysely<Tables>, artifactId: string, runId: string): Promise<boolean> {
  const row = await db
    .selectFrom("artifactRuns")
    .select("runId")
    .where("artifactId", "=", artifactId)
    .where("runId", "=", runId)
    .where("direction", "=", "output")
    .executeTakeFirst();
  return row !== undefined;
}

export async function runIdsOfArtifact(
  db: Kysely<Tables>,
  artifactId: string,
  direction: "input" | "output",
): Promise<readonly string[]> {
  const rows = await db
    .selectFrom("artifactRuns")
    .select("runId")
    .where("artifactId", "=", artifactId)
    .where("direction", "=", direction)
    .orderBy("createdAt")
    .orderBy("runId")
    .execute();
  return rows.map(({ runId }) => runId);
}

/** Committed versions that a run has used or made, by id, those behind `after`. */
export async function artifactsOfRun(
  db: Kysely<Tables>,
  query: {
    readonly runId: string;
    readonly direction: "input" | "output";
    readonly after: string | null;
    readonly limit: number;
  },
): Promise<{ readonly artifacts: readonly ArtifactRecord[]; readonly total: number }> {
  const of = db
    .selectFrom("artifactRuns as r")
    .innerJoin("artifacts as a", "a.id", "r.artifactId")
    .where("r.runId", "=", query.runId)
    .where("r.direction", "=", query.direction)
    .where("a.state", "=", "COMMITTED");
  const count = await of.select((e) => e.fn.countAll<number>().as("total")).executeTakeFirstOrThrow();
  let page = of.selectAll("a").orderBy("a.id").limit(query.limit);
  if (query.after !== null) page = page.where("a.id", ">", query.after);
  return { artifacts: (await page.execute()).map(toArtifact), total: Number(count.total) };
}
