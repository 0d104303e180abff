import { type Kysely, type Selectable, sql } from "kysely";
import type { MemberRole, UserRecord } from "./records.ts";
import type { Tables } from "./tables.ts";

function toRecord(row: Selectable<Tables["users"]>): UserRecord {
  return { ...row, admin: row.admin === 1, service: row.service === 1 };
}

export async function insertUser(
  db: Kysely<Tables>,
  user: {
    id: string;
    name: string;
    email: string | null;
    admin: boolean;
    entityId: string;
    now: number;
    service?: boolean;
  },
): Promise<UserRecord> {
  const row = {
    id: user.id,
    name: user.name,
    email: user.email,
    admin: user.admin ? 1 : 0,
    entityId: user.entityId,
    createdAt: user.now,
    deletedAt: null,
    service: user.service ? 1 : 0,
  };
  await db.insertInto("users").values(row).execute();
  return toRecord(row);
}

/** Those deleted are not found by name. */
export async function findUser(
  db: Kysely<Tables>,
  by: { name: string } | { id: string },
): Promise<UserRecord | undefined> {
  const query = db.selectFrom("users").selectAll();
  const row = await ("name" in by
    ? query.where("name", "=", by.name).where("deletedAt", "is", null)
    : query.where("id", "=", by.id)
  ).executeTakeFirst();
  return row && toRecord(row);
}

export async function listUsers(db: Kysely<Tables>): Promise<readonly UserRecord[]> {
  return (await db.selectFrom("users").selectAll().where("deletedAt", "is", null).orderBy("name").execute()).map(
    toRecord,
  );
}

/** Those whose name or email address contains the text, exact ones first, 100 at most. */
export async function searchUsers(db: Kysely<Tables>, text: string): Promise<readonly UserRecord[]> {
  const pattern = `%${text.toLowerCase().replace(/[\\%_]/g, "\\$&")}%`;
  const rows = await db
    .selectFrom("users")
    .selectAll()
    .where("deletedAt", "is", null)
    .where(
      sql<boolean>`(lower(name) LIKE ${pattern} ESCAPE '\\' OR lower(COALESCE(email, '')) LIKE ${pattern} ESCAPE '\\')`,
    )
    .orderBy(sql`CASE WHEN name = ${text} OR email = ${text} THEN 0 ELSE 1 END`)
    .orderBy("name")
    .limit(100)
    .execute();
  return rows.map(toRecord);
}

/** By email address, whatever its case; the one made first if several have it. */
export async function findUserByEmail(db: Kysely<Tables>, email: string): Promise<UserRecord | undefined> {
  const row = await db
    .selectFrom("users")
    .selectAll()
    .where(sql<boolean>`lower(email) = ${email.toLowerCase()}`)
    .where("deletedAt", "is", null)
    .orderBy("createdAt")
    .executeTakeFirst();
  return row && toRecord(row);
}

export async function anyUser(db: Kysely<Tables>): Promise<boolean> {
  return (await db.selectFrom("users").select("id").limit(1).executeTakeFirst()) !== undefined;
}

/** Counts the admins and keeps them as they are until the transaction ends, so that two can't each be the last but one. */
export async function countAdmins(db: Kysely<Tables>): Promise<number> {
  const kept = await db
    .updateTable("users")
    .set({ admin: 1 })
    .where("admin", "=", 1)
    .where("deletedAt", "is", null)
    .executeTakeFirst();
  return Number(kept.numUpdatedRows);
}

export async function markUserDeleted(db: Kysely<Tables>, id: string, now: number): Promise<boolean> {
  const changed = await db
    .updateTable("users")
    .set({ deletedAt: now })
    .where("id", "=", id)
    .where("deletedAt", "is", null)
    .executeTakeFirst();
  return changed.numUpdatedRows === 1n;
}

/** The person who pushed an item, with all memberships as they are now; undefined if there is none (any more). */
export async function findAuthorOfItem(
  db: Kysely<Tables>,
  itemId: string,
): Promise<
  { readonly user: UserRecord; readonly memberships: readonly { entityId: string; role: MemberRole }[] } | undefined
> {
  const row = await db
    .selectFrom("items as i")
    .innerJoin("users as u", "u.id", "i.authorUserId")
    .selectAll("u")
    .where("i.id", "=", itemId)
    .where("u.deletedAt", "is", null)
    .executeTakeFirst();
  if (!row) return undefined;
  const memberships = await db
    .selectFrom("memberships")
    .select(["entityId", "role"])
    .where("userId", "=", row.id)
    .execute();
  return {
    user: toRecord(row),
    memberships: memberships.map(({ entityId, role }) => ({ entityId, role: role as MemberRole })),
  };
}
