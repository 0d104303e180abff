import type { Database } from "libsql";
import type { Clock } from "../../core/clock.ts";
import { AwsError } from "../service.ts";
import type { KnownKey } from "../sigv4/verify.ts";
import { accessKeyId, secretAccessKey, uniqueId } from "./ids.ts";
import { alreadyExists, deleteConflict, noSuchEntity, type Tags } from "./rows.ts";

export interface User {
  readonly name: string;
  readonly id: string;
  readonly path: string;
  readonly arn: string;
  readonly createdAt: number;
  readonly tags: Tags;
  /** ARN of the managed policy that limits what the user's own policies allow. */
  readonly boundary: string | undefined;
}

export interface AccessKey {
  readonly id: string;
  readonly userName: string;
  readonly secret: string;
  readonly status: "Active" | "Inactive";
  readonly createdAt: number;
}

interface UserRow {
  readonly name: string;
  readonly id: string;
  readonly path: string;
  readonly created_at: number;
  readonly tags: string;
  readonly boundary: string | null;
}

interface KeyRow {
  readonly id: string;
  readonly user_name: string;
  readonly secret: string;
  readonly status: "Active" | "Inactive";
  readonly created_at: number;
}

const MAX_KEYS_PER_USER = 2;

export type UserStore = ReturnType<typeof createUserStore>;

/** Users and their access keys. */
export function createUserStore(db: Database, clock: Clock, accountId: string) {
  const userOf = (row: UserRow): User => ({
    name: row.name,
    id: row.id,
    path: row.path,
    arn: `arn:aws:iam::${accountId}:user${row.path}${row.name}`,
    createdAt: row.created_at,
    tags: JSON.parse(row.tags) as Tags,
    boundary: row.boundary ?? undefined,
  });
  const keyOf = (row: KeyRow): AccessKey => ({
    id: row.id,
    userName: row.user_name,
    secret: row.secret,
    status: row.status,
    createdAt: row.created_at,
  });
  const find = (name: string): User | undefined => {
    const row = db.prepare("SELECT * FROM iam_users WHERE name = ?").get(name) as UserRow | undefined;
    return row === undefined ? undefined : userOf(row);
  };
  const get = (name: string): User => {
    const user = find(name);
    if (user === undefined) throw noSuchEntity(`The user with name ${name} cannot be found.`);
    return user;
  };
  const count = (sql: string, name: string) => (db.prepare(sql).get(name) as { n: number }).n;

  return {
    find,
    get,
    list(pathPrefix: string): User[] {
      const rows = db.prepare("SELECT * FROM iam_users ORDER BY name").all() as UserRow[];
      return rows.map(userOf).filter(({ path }) => path.startsWith(pathPrefix));
    },
    create(name: string, path: string, tags: Tags): User {
      if (find(name) !== undefined) throw alreadyExists(`User with name ${name} already exists.`);
      db.prepare("INSERT INTO iam_users (name, id, path, created_at, tags) VALUES (?, ?, ?, ?, ?)").run(
        name,
        uniqueId("AIDA"),
        path,
        clock.now(),
        JSON.stringify(tags),
      );
      return get(name);
    },
    delete(name: string): void {
      const user = get(name);
      if (count("SELECT count(*) AS n FROM iam_access_keys WHERE user_name = ?", user.name) > 0) {
        throw deleteConflict("Cannot delete entity, must delete access keys first.");
      }
      if (count("SELECT count(*) AS n FROM iam_inline_policies WHERE owner = 'user' AND name = ?", user.name) > 0) {
        throw deleteConflict("Cannot delete entity, must delete policies first.");
      }
      if (count("SELECT count(*) AS n FROM iam_attachments WHERE owner = 'user' AND name = ?", user.name) > 0) {
        throw deleteConflict("Cannot delete entity, must detach all policies first.");
      }
      db.prepare("DELETE FROM iam_users WHERE name = ?").run(user.name);
    },
    /** Undefined takes the boundary away. */
    setBoundary(name: string, policyArn: string | undefined): void {
      db.prepare("UPDATE iam_users SET boundary = ? WHERE name = ?").run(policyArn ?? null, get(name).name);
    },
    setTags(name: string, change: (tags: Tags) => Tags): void {
      const user = get(name);
      db.prepare("UPDATE iam_users SET tags = ? WHERE name = ?").run(JSON.stringify(change(user.tags)), user.name);
    },
    keys(name: string): AccessKey[] {
      const rows = db
        .prepare("SELECT * FROM iam_access_keys WHERE user_name = ? ORDER BY created_at, id")
        .all(get(name).name);
      return (rows as KeyRow[]).map(keyOf);
    },
    createKey(name: string): AccessKey {
      const user = get(name);
      if (count("SELECT count(*) AS n FROM iam_access_keys WHERE user_name = ?", user.name) >= MAX_KEYS_PER_USER) {
        throw new AwsError("LimitExceeded", `Cannot exceed quota for AccessKeysPerUser: ${MAX_KEYS_PER_USER}`, 409);
      }
      const key: AccessKey = {
        id: accessKeyId("AKIA"),
        userName: user.name,
        secret: secretAccessKey(),
        status: "Active",
        createdAt: clock.now(),
      };
      db.prepare("INSERT INTO iam_access_keys (id, user_name, secret, status, created_at) VALUES (?, ?, ?, ?, ?)").run(
        key.id,
        key.userName,
        key.secret,
        key.status,
        key.createdAt,
      );
      return key;
    },
    setKeyStatus(name: string, id: string, status: AccessKey["status"]): void {
      const { changes } = db
        .prepare("UPDATE iam_access_keys SET status = ? WHERE id = ? AND user_name = ?")
        .run(status, id, get(name).name);
      if (changes === 0) throw noSuchEntity(`The Access Key with id ${id} cannot be found.`);
    },
    deleteKey(name: string, id: string): void {
      const { changes } = db
        .prepare("DELETE FROM iam_access_keys WHERE id = ? AND user_name = ?")
        .run(id, get(name).name);
      if (changes === 0) throw noSuchEntity(`The Access Key with id ${id} cannot be found.`);
    },
    /** What a signature check needs; undefined for an unknown or inactive key. */
    knownKey(id: string): KnownKey | undefined {
      const row = db
        .prepare(
          `SELECT k.id AS key_id, k.secret, u.name, u.id, u.path, u.created_at, u.tags, u.boundary
           FROM iam_access_keys k JOIN iam_users u ON u.name = k.user_name WHERE k.id = ? AND k.status = 'Active'`,
        )
        .get(id) as (UserRow & { secret: string; key_id: string }) | undefined;
      if (row === undefined) return undefined;
      const user = userOf(row);
      return {
        secretAccessKey: row.secret,
        principal: {
          type: "user",
          accountId,
          arn: user.arn,
          userId: user.id,
          accessKeyId: row.key_id,
          name: user.name,
        },
      };
    },
  };
}
