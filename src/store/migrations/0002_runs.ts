import type { Migration } from "../migrate.ts";

/** What running code reports: history, system metrics and console as chunks in the file store, alerts as rows. */
export const migration: Migration = {
  id: 2,
  name: "runs",
  breaking: true,
  statements: [
    `ALTER TABLE runs ADD COLUMN history_lines BIGINT NOT NULL DEFAULT 0`,
    `ALTER TABLE runs ADD COLUMN events_lines BIGINT NOT NULL DEFAULT 0`,
    `ALTER TABLE runs ADD COLUMN output_lines BIGINT NOT NULL DEFAULT 0`,
    `ALTER TABLE runs ADD COLUMN history_keys TEXT NOT NULL DEFAULT '{"lastStep":-1,"sets":[],"keys":{}}'`,
    `ALTER TABLE runs ADD COLUMN system_metrics TEXT NOT NULL DEFAULT '{}'`,
    `ALTER TABLE runs ADD COLUMN preempting BIGINT NOT NULL DEFAULT 0`,
    `ALTER TABLE runs ADD COLUMN config_search TEXT NOT NULL DEFAULT '{}'`,
    `ALTER TABLE runs ADD COLUMN summary_search TEXT NOT NULL DEFAULT '{}'`,
    `CREATE INDEX runs_project ON runs (project_id, created_at, id)`,
    `CREATE INDEX runs_alive ON runs (state, heartbeat_at) WHERE state = 'running'`,
    `CREATE TABLE run_chunks (
      id SERIAL, run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, stream TEXT NOT NULL, first_line BIGINT NOT NULL,
      line_count BIGINT NOT NULL, min_step BIGINT, max_step BIGINT, file TEXT NOT NULL, byte_offset BIGINT NOT NULL,
      byte_length BIGINT NOT NULL)`,
    `CREATE INDEX run_chunks_lines ON run_chunks (run_id, stream, first_line)`,
    `CREATE TABLE run_alerts (
      id TEXT PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, at BIGINT NOT NULL,
      title TEXT NOT NULL, text TEXT NOT NULL, severity TEXT NOT NULL)`,
    `CREATE INDEX run_alerts_run ON run_alerts (run_id, at)`,
  ],
};
