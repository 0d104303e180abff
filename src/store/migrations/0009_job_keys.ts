import type { Migration } from "../migrate.ts";

/** A job's key outlives the end of its item by a while, for what the code sends last. */
export const migration: Migration = {
  id: 9,
  name: "job_keys",
  breaking: false,
  statements: [
    `ALTER TABLE api_keys ADD COLUMN ended_at BIGINT`,
    `CREATE INDEX api_keys_ended ON api_keys (ended_at) WHERE ended_at IS NOT NULL`,
  ],
};
