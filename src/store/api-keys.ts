import { createHash } from "node:crypto";
import { type Kysely, sql } from "kysely";
import { type RandomBytes, randomText } from "./ids.ts";
import type { ApiKeyRecord, MemberRole } from "./records.ts";
import type { Tables } from "./tables.ts";

/**
 * The forms that the wandb client takes (wandb/sdk/lib/wbauth/validation.py): 40 or more word characters; any prefix, a dash,
 * and 40 or more; three segments with dots between them, as a JSON Web Token has. The client takes tokens of any length; here they
 * have 40 characters, too, since a shorter one could be guessed.
 */
export const API_KEY_PATTERN = /^(?:\w{40,}|[!-,.-~]*-[\w-]{40,}|(?=.{40})[\w-]+\.[\w-]+\.[\w-]+)$/;

/** A new key: 48 of 36 characters, 248 bits. */
export function mintApiKey(random: RandomBytes): string {
  return `slipway-${randomText(random, 48)}`;
}

/** Keys are long and random, so one round of a fast hash keeps them as well as a slow one would. */
export function hashApiKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** Bound to one run: good for that run alone, gone with its attempt, or some time after the item has settled. */
export interface RunScope {
  readonly itemId: string;
  readonly entityId: string;
  readonly projectName: string;
  readonly runName: string;
}

/** Who a key speaks for. */
export interface KeyHolder {
  readonly keyId: string;
  readonly lastUsedAt: number | null;
  readonly userId: string;
  readonly username: string;
  /** The user's own entity. */
  readonly entityId: string;
  readonly admin: boolean;
  readonly memberships: readonly { readonly entityId: string; readonly role: MemberRole }[];
  /** `ended`: the item has settled; the key is still good for what the code sends last. */
  readonly run: (RunScope & { readonly ended: boolean }) | null;
}

const SHOWN = 6;

export async function insertApiKey(
  db: Kysely<Tables>,
  key: { id: string; userId: string; key: string; description: string | null; now: number; run?: RunScope },
): Promise<ApiKeyRecord> {
  const secret = key.key.startsWith("slipway-") ? "slipway-".length : 0;
  const row = {
    id: key.id,
    userId: key.userId,
    hash: hashApiKey(key.key),
    prefix: `${key.key.slice(0, secret + SHOWN)}…`,
    description: key.description,
    createdAt: key.now,
    lastUsedAt: null,
    itemId: key.run?.itemId ?? null,
    runEntityId: key.run?.entityId ?? null,
    runProject: key.run?.projectName ?? null,
    runName: key.run?.runName ?? null,
    endedAt: null,
  };
  await db.insertInto("apiKeys").values(row).execute();
  return toRecord(row);
}

function toRecord(row: {
  id: string;
  userId: string;
  prefix: string;
  description: string | null;
  createdAt: number;
  lastUsedAt: number | null;
}): ApiKeyRecord {
  return {
    id: row.id,
    userId: row.userId,
    name: row.prefix,
    description: row.description,
    createdAt: row.createdAt,
    lastUsedAt: row.lastUsedAt,
  };
}

export async function isApiKeyTaken(db: Kysely<Tables>, key: string): Promise<boolean> {
  const row = await db.selectFrom("apiKeys").select("id").where("hash", "=", hashApiKey(key)).executeTakeFirst();
  return row !== undefined;
}

/**
 * The key's user with all memberships, in one query: every request asks this. Undefined if the key or its user is gone, or if it
 * is the key of a job whose item settled at `endedAfter` or before.
 */
export async function findKeyHolder(
  db: Kysely<Tables>,
  key: string,
  endedAfter: number,
): Promise<KeyHolder | undefined> {
  const { rows } = await sql<HolderRow>`
    SELECT k.id AS key_id, k.last_used_at, k.item_id, k.run_entity_id, k.run_project, k.run_name, k.ended_at,
      u.id AS user_id, u.name AS username, u.entity_id, u.admin, m.entity_id AS member_of, m.role
    FROM api_keys k JOIN users u ON u.id = k.user_id LEFT JOIN memberships m ON m.user_id = u.id
    WHERE k.hash = ${hashApiKey(key)} AND u.deleted_at IS NULL AND (k.ended_at IS NULL OR k.ended_at > ${endedAfter})`.execute(
    db,
  );
  const row = rows[0];
  if (!row) return undefined;
  const { keyId, lastUsedAt, userId, username, entityId } = row;
  return {
    keyId,
    lastUsedAt,
    userId,
    username,
    entityId,
    admin: row.admin === 1,
    memberships: rows.flatMap(({ memberOf, role }) => (memberOf && role ? [{ entityId: memberOf, role }] : [])),
    run:
      row.itemId !== null && row.runEntityId !== null && row.runProject !== null && row.runName !== null
        ? {
            itemId: row.itemId,
            entityId: row.runEntityId,
            projectName: row.runProject,
            runName: row.runName,
            ended: row.endedAt !== null,
          }
        : null,
  };
}

/** One for each membership, or one without. */
interface HolderRow {
  readonly keyId: string;
  readonly lastUsedAt: number | null;
  readonly itemId: string | null;
  readonly runEntityId: string | null;
  readonly runProject: string | null;
  readonly runName: string | null;
  readonly endedAt: number | null;
  readonly userId: string;
  readonly username: string;
  readonly entityId: string;
  readonly admin: number;
  readonly memberOf: string | null;
  readonly role: MemberRole | null;
}

export async function touchApiKey(db: Kysely<Tables>, id: string, now: number): Promise<void> {
  await db.updateTable("apiKeys").set({ lastUsedAt: now }).where("id", "=", id).execute();
}

/** Keys that people made; those of jobs come and go by themselves. */
export async function listApiKeys(db: Kysely<Tables>, userId: string): Promise<readonly ApiKeyRecord[]> {
  const rows = await db
    .selectFrom("apiKeys")
    .selectAll()
    .where("userId", "=", userId)
    .where("itemId", "is", null)
    .orderBy("id")
    .execute();
  return rows.map(toRecord);
}

export async function findApiKeyById(db: Kysely<Tables>, id: string): Promise<ApiKeyRecord | undefined> {
  const row = await db
    .selectFrom("apiKeys")
    .selectAll()
    .where("id", "=", id)
    .where("itemId", "is", null)
    .executeTakeFirst();
  return row && toRecord(row);
}

export async function deleteApiKeyById(db: Kysely<Tables>, id: string): Promise<void> {
  await db.deleteFrom("apiKeys").where("id", "=", id).execute();
}

export async function deleteApiKeysOfUser(db: Kysely<Tables>, userId: string): Promise<void> {
  await db.deleteFrom("apiKeys").where("userId", "=", userId).execute();
}

export async function deleteApiKeysOfItem(db: Kysely<Tables>, itemId: string): Promise<void> {
  await db.deleteFrom("apiKeys").where("itemId", "=", itemId).execute();
}

/** The item has settled: from now on its jobs' keys are good only for what the code sends last. */
export async function endApiKeysOfItem(db: Kysely<Tables>, itemId: string, now: number): Promise<void> {
  await db
    .updateTable("apiKeys")
    .set({ endedAt: now })
    .where("itemId", "=", itemId)
    .where("endedAt", "is", null)
    .execute();
}

/** Those of jobs whose items settled at `before` or earlier: no request is let through by them any more. */
export async function deleteEndedApiKeys(db: Kysely<Tables>, before: number): Promise<void> {
  await db.deleteFrom("apiKeys").where("endedAt", "<=", before).execute();
}
