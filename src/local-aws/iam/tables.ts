import type { Database } from "libsql";
import { addColumn } from "../database.ts";

/** Makes the tables of IAM and STS if they are absent. Times are milliseconds since 1970; tags are JSON objects. */
export function createIamTables(db: Database): void {
  db.exec(`
    CREATE TABLE IF NOT EXISTS iam_users (
      name TEXT PRIMARY KEY COLLATE NOCASE, id TEXT NOT NULL, path TEXT NOT NULL, created_at INTEGER NOT NULL, tags TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS iam_access_keys (
      id TEXT PRIMARY KEY, user_name TEXT NOT NULL COLLATE NOCASE REFERENCES iam_users (name) ON UPDATE CASCADE,
      secret TEXT NOT NULL, status TEXT NOT NULL, created_at INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS iam_roles (
      name TEXT PRIMARY KEY COLLATE NOCASE, id TEXT NOT NULL, path TEXT NOT NULL, created_at INTEGER NOT NULL, tags TEXT NOT NULL,
      trust_policy TEXT NOT NULL, description TEXT NOT NULL, max_session_seconds INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS iam_policies (
      arn TEXT PRIMARY KEY, name TEXT NOT NULL COLLATE NOCASE UNIQUE, id TEXT NOT NULL, path TEXT NOT NULL, description TEXT NOT NULL,
      created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, tags TEXT NOT NULL,
      default_version INTEGER NOT NULL, next_version INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS iam_policy_versions (
      arn TEXT NOT NULL REFERENCES iam_policies (arn), version INTEGER NOT NULL, document TEXT NOT NULL, created_at INTEGER NOT NULL,
      PRIMARY KEY (arn, version)
    );
    -- owner is 'user' or 'role'.
    CREATE TABLE IF NOT EXISTS iam_attachments (
      owner TEXT NOT NULL, name TEXT NOT NULL COLLATE NOCASE, arn TEXT NOT NULL, PRIMARY KEY (owner, name, arn)
    );
    CREATE TABLE IF NOT EXISTS iam_inline_policies (
      owner TEXT NOT NULL, name TEXT NOT NULL COLLATE NOCASE, policy TEXT NOT NULL, document TEXT NOT NULL,
      PRIMARY KEY (owner, name, policy)
    );
    CREATE TABLE IF NOT EXISTS iam_instance_profiles (
      name TEXT PRIMARY KEY COLLATE NOCASE, id TEXT NOT NULL, path TEXT NOT NULL, created_at INTEGER NOT NULL, tags TEXT NOT NULL,
      role TEXT COLLATE NOCASE REFERENCES iam_roles (name)
    );
    -- kind is 'user' (GetSessionToken) or 'assumed-role'; owner_id is the user's or role's unique id.
    CREATE TABLE IF NOT EXISTS sts_sessions (
      access_key_id TEXT PRIMARY KEY, secret TEXT NOT NULL, token TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
      arn TEXT NOT NULL, user_id TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
    );
  `);
  addColumn(db, "iam_users", "boundary TEXT");
  addColumn(db, "iam_roles", "boundary TEXT");
  // Session policies and tags as JSON: {"policies": [{name, document}], "tags": {}}.
  addColumn(db, "sts_sessions", "extras TEXT");
}
