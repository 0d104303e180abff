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
