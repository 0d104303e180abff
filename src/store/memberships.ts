import type { Kysely } from "kysely";
import type { MemberRole, MembershipRecord } from "./records.ts";
import type { Tables } from "./tables.ts";

export async function insertMembership(
  db: Kysely<Tables>,
  membership: { entityId: string; userId: string; role: MemberRole; now: number },
): Promise<void> {
  const { now, ...row } = membership;
  await db
    .insertInto("memberships")
    .values({ ...row, joinedAt: now })
    .execute();
}

/** Whether there was one to delete. */
export async function deleteMembership(db: Kysely<Tables>, entityId: string, userId: string): Promise<boolean> {
  const done = await db
    .deleteFrom("memberships")
    .where("entityId", "=", entityId)
    .where("userId", "=", userId)
    .executeTakeFirst();
  return done.numDeletedRows > 0n;
}

function toRecord(
  row: Omit<MembershipRecord, "role" | "service"> & { role: string; service: number },
): MembershipRecord {
  return { ...row, role: row.role as MemberRole, service: row.service === 1 };
}

function select(db: Kysely<Tables>) {
  return db
    .selectFrom("memberships as m")
    .innerJoin("entities as e", "e.id", "m.entityId")
    .innerJoin("users as u", "u.id", "m.userId")
    .where("u.deletedAt", "is", null)
    .select(["m.entityId", "e.name as entityName", "m.userId", "u.name as username", "u.email", "u.service", "m.role"]);
}

export async function membershipsOfUser(db: Kysely<Tables>, userId: string): Promise<readonly MembershipRecord[]> {
  return (await select(db).where("m.userId", "=", userId).orderBy("e.name").execute()).map(toRecord);
}

export async function membershipsOfEntity(db: Kysely<Tables>, entityId: string): Promise<readonly MembershipRecord[]> {
  // In the order of their joining: the client takes the last of the list for the one that it has just made.
  return (await select(db).where("m.entityId", "=", entityId).orderBy("m.joinedAt").orderBy("u.name").execute()).map(
    toRecord,
  );
}
