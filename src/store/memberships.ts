import type { Kysely } from "kysely";
import type { MemberRole, MembershipRecord } from "./records.ts";
import type { Tables } from "./tables.ts";

export async function insertMembership(
  db: Kysely<Tables>,
  membership: { entityId: string; userId: string; role: MemberRole },
): Promise<void> {
  await db.insertInto("memberships").values(membership).execute();
}

function select(db: Kysely<Tables>) {
  return db
    .selectFrom("memberships as m")
    .innerJoin("entities as e", "e.id", "m.entityId")
    .innerJoin("users as u", "u.id", "m.userId")
    .where("u.deletedAt", "is", null)
    .select(["m.entityId", "e.name as entityName", "m.userId", "u.name as username", "m.role"]);
}

export async function membershipsOfUser(db: Kysely<Tables>, userId: string): Promise<readonly MembershipRecord[]> {
  return (await select(db).where("m.userId", "=", userId).orderBy("e.name").execute()) as readonly MembershipRecord[];
}

export async function membershipsOfEntity(db: Kysely<Tables>, entityId: string): Promise<readonly MembershipRecord[]> {
  return (await select(db)
    .where("m.entityId", "=", entityId)
    .orderBy("u.name")
    .execute()) as readonly MembershipRecord[];
}
