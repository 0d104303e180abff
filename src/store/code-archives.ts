import type { Kysely } from "kysely";
import type { Tables } from "./tables.ts";

export async function insertCodeArchive(
  db: Kysely<Tables>,
  archive: { entityId: string; digest: string; size: number; createdAt: number },
): Promise<void> {
  await db
    .insertInto("codeArchives")
    .values(archive)
    .onConflict((conflict) => conflict.columns(["entityId", "digest"]).doNothing())
    .execute();
}

/** What all of an entity take together, in bytes. */
export async function codeArchiveBytes(db: Kysely<Tables>, entityId: string): Promise<number> {
  const row = await db
    .selectFrom("codeArchives")
    .select((e) => e.fn.sum<number>("size").as("bytes"))
    .where("entityId", "=", entityId)
    .executeTakeFirst();
  return Number(row?.bytes ?? 0);
}

export async function findCodeArchive(
  db: Kysely<Tables>,
  entityId: string,
  digest: string,
): Promise<{ size: number } | undefined> {
  return db
    .selectFrom("codeArchives")
    .select("size")
    .where("entityId", "=", entityId)
    .where("digest", "=", digest)
    .executeTakeFirst();
}
