import type { Migration } from "../migrate.ts";

/** Artifacts: collections, versions, aliases, what each version holds, and the content, which is kept once for a project. */
export const migration: Migration = {
  id: 4,
  name: "artifacts",
  breaking: true,
  statements: [
    `CREATE TABLE artifact_collections (
      id TEXT PRIMARY KEY, project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE, name TEXT NOT NULL,
      kind TEXT NOT NULL, type_name TEXT NOT NULL, description TEXT, tags TEXT NOT NULL, next_version BIGINT NOT NULL,
      created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, UNIQUE (project_id, name))`,
    `CREATE INDEX artifact_collections_type ON artifact_collections (project_id, type_name, name)`,
    `CREATE TABLE artifacts (
      id TEXT PRIMARY KEY, collection_id TEXT NOT NULL, project_id TEXT NOT NULL, collection_name TEXT NOT NULL,
      type_name TEXT NOT NULL, client_id TEXT, digest TEXT NOT NULL, digest_algorithm TEXT NOT NULL, state TEXT NOT NULL,
      description TEXT, metadata TEXT, tags TEXT NOT NULL, ttl_seconds BIGINT, history_step BIGINT, size BIGINT NOT NULL,
      file_count BIGINT NOT NULL, version_index BIGINT, wanted_aliases TEXT NOT NULL, manifest_id TEXT, run_id TEXT,
      created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, UNIQUE (project_id, client_id))`,
    `CREATE INDEX artifacts_collection ON artifacts (collection_id, version_index)`,
    `CREATE INDEX artifacts_digest ON artifacts (collection_id, digest)`,
    `CREATE INDEX artifacts_pending ON artifacts (updated_at) WHERE state = 'PENDING'`,
    `CREATE TABLE artifact_members (
      id TEXT PRIMARY KEY, collection_id TEXT NOT NULL REFERENCES artifact_collections (id) ON DELETE CASCADE,
      artifact_id TEXT NOT NULL REFERENCES artifacts (id) ON DELETE CASCADE, version_index BIGINT NOT NULL,
      created_at BIGINT NOT NULL, UNIQUE (collection_id, artifact_id))`,
    `CREATE INDEX artifact_members_artifact ON artifact_members (artifact_id)`,
    `CREATE TABLE artifact_aliases (
      id TEXT PRIMARY KEY, collection_id TEXT NOT NULL REFERENCES artifact_collections (id) ON DELETE CASCADE,
      alias TEXT NOT NULL, artifact_id TEXT NOT NULL REFERENCES artifacts (id) ON DELETE CASCADE,
      UNIQUE (collection_id, alias))`,
    `CREATE INDEX artifact_aliases_artifact ON artifact_aliases (artifact_id)`,
    `CREATE TABLE artifact_manifests (
      id TEXT PRIMARY KEY, artifact_id TEXT NOT NULL REFERENCES artifacts (id) ON DELETE CASCADE, digest TEXT NOT NULL,
      kind TEXT NOT NULL, received BIGINT NOT NULL, created_at BIGINT NOT NULL)`,
    `CREATE INDEX artifact_manifests_artifact ON artifact_manifests (artifact_id)`,
    `CREATE TABLE artifact_files (
      artifact_id TEXT NOT NULL REFERENCES artifacts (id) ON DELETE CASCADE, name TEXT NOT NULL, digest TEXT NOT NULL,
      size BIGINT NOT NULL, project_id TEXT NOT NULL, PRIMARY KEY (artifact_id, name))`,
    `CREATE INDEX artifact_files_content ON artifact_files (project_id, digest)`,
    `CREATE TABLE artifact_blobs (
      project_id TEXT NOT NULL, digest TEXT NOT NULL, file TEXT NOT NULL, size BIGINT NOT NULL, used_at BIGINT NOT NULL,
      PRIMARY KEY (project_id, digest))`,
    `CREATE INDEX artifact_blobs_used ON artifact_blobs (used_at)`,
    `CREATE TABLE artifact_runs (
      artifact_id TEXT NOT NULL REFERENCES artifacts (id) ON DELETE CASCADE,
      run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, direction TEXT NOT NULL, used_as TEXT,
      created_at BIGINT NOT NULL, PRIMARY KEY (artifact_id, run_id, direction))`,
    `CREATE INDEX artifact_runs_run ON artifact_runs (run_id, direction)`,
  ],
};
