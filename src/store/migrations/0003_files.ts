import type { Migration } from "../migrate.ts";

/**
 * The files of runs. `size` is NULL from when an address was given out until the file has arrived; `final` is 0 while an
 * address may still be used.
 */
export const migration: Migration = {
  id: 3,
  name: "files",
  breaking: false,
  statements: [
    `CREATE TABLE run_files (
      run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, name TEXT NOT NULL, size BIGINT, md5 TEXT,
      asked_at BIGINT NOT NULL, final BIGINT NOT NULL, updated_at BIGINT NOT NULL,
      PRIMARY KEY (run_id, name))`,
    `CREATE INDEX run_files_open ON run_files (asked_at) WHERE final = 0`,
  ],
};
