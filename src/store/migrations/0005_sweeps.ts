import type { Migration } from "../migrate.ts";

/** Sweeps, the agents that serve them, and where each of their runs stands. */
export const migration: Migration = {
  id: 5,
  name: "sweeps",
  breaking: true,
  statements: [
    `CREATE TABLE sweeps (
      serial SERIAL, id TEXT NOT NULL UNIQUE, project_id TEXT NOT NULL REFERENCES projects (id), config TEXT NOT NULL, state TEXT NOT NULL,
      display_name TEXT, description TEXT, controller TEXT, scheduler TEXT, handed BIGINT NOT NULL DEFAULT 0,
      user_id TEXT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, heartbeat_at BIGINT)`,
    `CREATE INDEX sweeps_project ON sweeps (project_id, serial)`,
    `CREATE TABLE sweep_runs (
      sweep_id TEXT NOT NULL REFERENCES sweeps (id), run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
      position BIGINT NOT NULL, point TEXT NOT NULL)`,
    `CREATE INDEX sweep_runs_sweep ON sweep_runs (sweep_id, position)`,
    `CREATE TABLE sweep_agents (
      id TEXT PRIMARY KEY, sweep_id TEXT NOT NULL REFERENCES sweeps (id), host TEXT NOT NULL, created_at BIGINT NOT NULL,
      heartbeat_at BIGINT NOT NULL)`,
  ],
};
