import type { Database } from "libsql";

/**
 * The tables of ECR. Manifests are rows (at most 4 MiB each, read whole); layers and configs are files, of which a row knows the size.
 * A blob belongs to a repository by its link, so that a repository never shows what was pushed to another one.
 */
export function createEcrTables(db: Database): void {
  db.exec(`
    CREATE TABLE IF NOT EXISTS ecr_repositories (
      id INTEGER PRIMARY KEY,
      account_id TEXT NOT NULL,
      region TEXT NOT NULL,
      name TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      mutability TEXT NOT NULL,
      exclusions TEXT,
      scan_on_push INTEGER NOT NULL,
      encryption TEXT NOT NULL,
      policy TEXT,
      lifecycle TEXT,
      lifecycle_at INTEGER,
      tags TEXT NOT NULL,
      UNIQUE (account_id, region, name)
    );
    CREATE TABLE IF NOT EXISTS ecr_blobs (
      digest TEXT PRIMARY KEY,
      size INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS ecr_repository_blobs (
      repository_id INTEGER NOT NULL REFERENCES ecr_repositories (id),
      digest TEXT NOT NULL REFERENCES ecr_blobs (digest),
      linked_at INTEGER NOT NULL,
      PRIMARY KEY (repository_id, digest)
    );
    CREATE INDEX IF NOT EXISTS ecr_repository_blobs_digest ON ecr_repository_blobs (digest);
    CREATE TABLE IF NOT EXISTS ecr_manifests (
      repository_id INTEGER NOT NULL REFERENCES ecr_repositories (id),
      digest TEXT NOT NULL,
      media_type TEXT NOT NULL,
      artifact_media_type TEXT,
      subject TEXT,
      content BLOB NOT NULL,
      image_size INTEGER,
      pushed_at INTEGER NOT NULL,
      pulled_at INTEGER,
      PRIMARY KEY (repository_id, digest)
    );
    CREATE TABLE IF NOT EXISTS ecr_manifest_references (
      repository_id INTEGER NOT NULL,
      digest TEXT NOT NULL,
      kind TEXT NOT NULL,
      target TEXT NOT NULL,
      PRIMARY KEY (repository_id, digest, target),
      FOREIGN KEY (repository_id, digest) REFERENCES ecr_manifests (repository_id, digest) ON DELETE CASCADE
    );
    CREATE INDEX IF NOT EXISTS ecr_manifest_references_target ON ecr_manifest_references (repository_id, target);
    CREATE TABLE IF NOT EXISTS ecr_tags (
      repository_id INTEGER NOT NULL,
      tag TEXT NOT NULL,
      digest TEXT NOT NULL,
      PRIMARY KEY (repository_id, tag),
      FOREIGN KEY (repository_id, digest) REFERENCES ecr_manifests (repository_id, digest) ON DELETE CASCADE
    );
    CREATE INDEX IF NOT EXISTS ecr_tags_digest ON ecr_tags (repository_id, digest);
    CREATE TABLE IF NOT EXISTS ecr_uploads (
      id TEXT PRIMARY KEY,
      repository_id INTEGER NOT NULL REFERENCES ecr_repositories (id),
      touched_at INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS ecr_secrets (
      name TEXT PRIMARY KEY,
      value TEXT NOT NULL
    );
  `);
}
