import type { Migration } from "../migrate.ts";

/**
 * Contents of artifacts on their way: who was given an address for which, and whether it has come. `owner` is the run whose
 * key asked, or empty for a person. A version that turned out to be the same as another names it in `same_as`.
 */
export const migration: Migration = {
  id: 17,
  name: "artifact_uploads",
  breaking: true,
  statements: [
    `CREATE TABLE artifact_uploads (
      project_id TEXT NOT NULL, digest TEXT NOT NULL, owner TEXT NOT NULL, file TEXT NOT NULL, upload_id TEXT,
      arrived BIGINT NOT NULL, asked_at BIGINT NOT NULL, PRIMARY KEY (project_id, digest, owner))`,
    `CREATE INDEX artifact_uploads_asked ON artifact_uploads (asked_at)`,
    `CREATE TABLE artifact_client_ids (
      project_id TEXT NOT NULL, client_id TEXT NOT NULL, artifact_id TEXT NOT NULL REFERENCES artifacts (id) ON DELETE CASCADE,
      PRIMARY KEY (project_id, client_id))`,
    `CREATE INDEX artifact_client_ids_artifact ON artifact_client_ids (artifact_id)`,
    `CREATE INDEX artifact_client_ids_client ON artifact_client_ids (client_id)`,
    `CREATE TABLE artifact_types (
      project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE, name TEXT NOT NULL, description TEXT,
      created_at BIGINT NOT NULL, PRIMARY KEY (project_id, name))`,
    `ALTER TABLE artifacts ADD COLUMN same_as TEXT`,
    `ALTER TABLE artifacts ADD COLUMN distributed_id TEXT`,
    `ALTER TABLE artifact_manifests ADD COLUMN base_id TEXT`,
    `CREATE INDEX artifacts_client ON artifacts (client_id)`,
    `CREATE INDEX artifacts_ttl ON artifacts (created_at) WHERE state = 'COMMITTED' AND ttl_seconds > 0`,
    `CREATE INDEX artifacts_run ON artifacts (run_id)`,
  ],
};
