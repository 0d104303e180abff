import { createHash } from "node:crypto";
import type { Kysely } from "kysely";
import { type RandomBytes, randomText } from "./ids.ts";
import type { ApiKeyRecord } from "./records.ts";
import type { Tables } from "./tables.ts";

/** The form that the wandb client takes (wandb/sdk/lib/wbauth/validation.py): an optional prefix, then 40 or more characters. */
export const API_KEY_PATTERN = /^(?:[A-Za-z0-9_]+-)?[A-Za-z0-9_-]{40,}$/;

/** A new key: 48 of 36 characters, 248 bits. */
export function mintApiKey(random: RandomBytes): string {
  return `slipway-${randomText(random, 48)}`;
}

/** Keys are long and random, so one round of a fast hash keeps them as well as a slow one would. */
export function hashApiKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** Bound to one run: good for that run alone, gone with its attempt. */
export interface RunScope {
  readonly itemId: string;
  readonly entityId: string;
  readonly projectName: string;
  readonly runName: string;
}

export interface FoundApiKey {
  readonly record: ApiKeyRecord;
  readonly run: RunScope | null;
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

export async function findApiKey(db: Kysely<Tables>, key: string): Promise<FoundApiKey | undefined> {
  const row = await db.selectFrom("apiKeys").selectAll().where("hash", "=", hashApiKey(key)).executeTakeFirst();
  if (!row) return undefined;
  const run =
    row.itemId !== null && row.runEntityId !== null && row.runProject !== null && row.runName !== null
      ? { itemId: row.itemId, entityId: row.runEntityId, projectName: row.runProject, runName: row.runName }
      : null;
  return { record: toRecord(row), run };
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
