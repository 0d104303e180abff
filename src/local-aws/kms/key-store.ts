import { randomBytes, randomUUID } from "node:crypto";
import type { Database } from "libsql";
import type { Grant } from "../../core/iam/grants.ts";
import type { StoredPolicy } from "../iam/authorize.ts";
import { AwsError, type LocalAwsContext } from "../service.ts";

/** A symmetric key. `material` never leaves the local AWS. */
export interface Key {
  readonly id: string;
  readonly arn: string;
  readonly region: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly description: string;
  readonly policy: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly material: Buffer;
}

export interface StoredGrant extends Grant {
  readonly keyId: string;
  readonly token: string;
  readonly name: string | undefined;
  readonly retiringPrincipal: string | undefined;
  readonly issuedBy: string;
  readonly createdAt: number;
}

interface KeyRow {
  readonly id: string;
  readonly region: string;
  readonly created_at: number;
  readonly description: string;
  readonly policy: string;
  readonly tags: string;
  readonly material: string;
}

export type KeyStore = ReturnType<typeof createKeyStore>;

/** The keys of KMS with their policies and grants. */
export function createKeyStore({ db, clock, accountId }: Pick<LocalAwsContext, "db" | "clock" | "accountId">) {
  createTables(db);
  const keyOf = (row: KeyRow): Key => ({
    id: row.id,
    arn: `arn:aws:kms:${row.region}:${accountId}:key/${row.id}`,
    region: row.region,
    createdAt: row.created_at,
    description: row.description,
    policy: row.policy,
    tags: JSON.parse(row.tags) as Record<string, string>,
    material: Buffer.from(row.material, "base64"),
  });
  const find = (id: string): Key | undefined => {
    const row = db.prepare("SELECT * FROM kms_keys WHERE id = ?").get(id) as KeyRow | undefined;
    return row === undefined ? undefined : keyOf(row);
  };
  const grants = (keyId: string): StoredGrant[] => {
    const rows = db.prepare("SELECT body FROM kms_grants WHERE key_id = ? ORDER BY created_at, id").all(keyId);
    return (rows as { body: string }[]).map(({ body }) => JSON.parse(body) as StoredGrant);
  };

  return {
    find,
    /** A key by its id or ARN. Throws NotFoundException. */
    get(named: string): Key {
      const key = find(named.replace(/^arn:aws[a-z-]*:kms:[^:]*:\d*:key\//, ""));
      if (key !== undefined) return key;
      const what = named.includes("alias/") ? `Alias ${named} is not found.` : `Key '${named}' does not exist`;
      throw new AwsError("NotFoundException", what);
    },
    list: (): Key[] => (db.prepare("SELECT * FROM kms_keys ORDER BY id").all() as KeyRow[]).map(keyOf),
    create(given: Pick<Key, "region" | "description" | "policy" | "tags">): Key {
      const id = randomUUID();
      db.prepare(
        "INSERT INTO kms_keys (id, region, created_at, description, policy, tags, material) VALUES (?, ?, ?, ?, ?, ?, ?)",
      ).run(
        id,
        given.region,
        clock.now(),
        given.description,
        given.policy,
        JSON.stringify(given.tags),
        randomBytes(32).toString("base64"),
      );
      return find(id)!;
    },
    /** Puts a policy in place, and takes it back when `check` throws. */
    setPolicy(id: string, policy: string, check: () => void): void {
      db.transaction(() => {
        db.prepare("UPDATE kms_keys SET policy = ? WHERE id = ?").run(policy, id);
        check();
      })();
    },
    grants,
    addGrant(grant: Omit<StoredGrant, "id" | "token" | "createdAt">): StoredGrant {
      const stored: StoredGrant = {
        ...grant,
        id: randomBytes(32).toString("hex"),
        token: randomBytes(96).toString("base64url"),
        createdAt: clock.now(),
      };
      db.prepare("INSERT INTO kms_grants (id, key_id, token, created_at, body) VALUES (?, ?, ?, ?, ?)").run(
        stored.id,
        stored.keyId,
        stored.token,
        stored.createdAt,
        JSON.stringify(stored),
      );
      return stored;
    },
    grantByToken(token: string): StoredGrant | undefined {
      const row = db.prepare("SELECT body FROM kms_grants WHERE token = ?").get(token) as { body: string } | undefined;
      return row === undefined ? undefined : (JSON.parse(row.body) as StoredGrant);
    },
    removeGrant(keyId: string, id: string): void {
      const { changes } = db.prepare("DELETE FROM kms_grants WHERE key_id = ? AND id = ?").run(keyId, id);
      if (changes === 0) throw new AwsError("NotFoundException", `Grant ID ${id} not found`);
    },
    /** The policy and the grants of the key that an ARN's resource names: `key/ID`. */
    policyOf(resource: string): StoredPolicy | undefined {
      const key = find(resource.replace(/^key\//, ""));
      if (key === undefined) return undefined;
      return { name: `key policy of ${key.id}`, document: key.policy, required: true, grants: grants(key.id) };
    },
  };
}

function createTables(db: Database): void {
  db.exec(`
    CREATE TABLE IF NOT EXISTS kms_keys (
      id TEXT PRIMARY KEY, region TEXT NOT NULL, created_at INTEGER NOT NULL, description TEXT NOT NULL, policy TEXT NOT NULL,
      tags TEXT NOT NULL, material TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS kms_grants (
      id TEXT PRIMARY KEY, key_id TEXT NOT NULL REFERENCES kms_keys (id), token TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL,
      body TEXT NOT NULL
    );
  `);
}
