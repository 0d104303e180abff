import type { Migration } from "../migrate.ts";

/** How far a sweep's runs have come, sweeps that a launch queue serves, and runs that a person put into a sweep. */
export const migration: Migration = {
  id: 15,
  name: "sweeps_on_launch",
  breaking: false,
  statements: [
    `ALTER TABLE sweep_runs ADD COLUMN seen_lines BIGINT NOT NULL DEFAULT 0`,
    `ALTER TABLE sweep_runs ADD COLUMN seen_step DOUBLE PRECISION`,
    `ALTER TABLE sweep_runs ADD COLUMN logged BIGINT NOT NULL DEFAULT 0`,
    `ALTER TABLE sweep_runs ADD COLUMN best DOUBLE PRECISION`,
    `ALTER TABLE sweep_runs ADD COLUMN stopped_early BIGINT NOT NULL DEFAULT 0`,
    `ALTER TABLE sweep_runs ADD COLUMN agent_id TEXT`,
    `CREATE TABLE sweep_rungs (
      sweep_id TEXT NOT NULL REFERENCES sweeps (id), run_id TEXT NOT NULL REFERENCES sweep_runs (run_id) ON DELETE CASCADE,
      rung BIGINT NOT NULL, value DOUBLE PRECISION NOT NULL, PRIMARY KEY (run_id, rung))`,
    `CREATE INDEX sweep_rungs_sweep ON sweep_rungs (sweep_id, rung, value)`,
    `CREATE TABLE sweep_waiting (
      serial SERIAL, sweep_id TEXT NOT NULL REFERENCES sweeps (id), run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
      arguments TEXT NOT NULL)`,
    `CREATE INDEX sweep_waiting_sweep ON sweep_waiting (sweep_id, serial)`,
    `ALTER TABLE sweeps ADD COLUMN scheduler_item_id TEXT`,
    `ALTER TABLE sweeps ADD COLUMN prior_runs TEXT`,
    `CREATE INDEX sweeps_scheduler_item ON sweeps (scheduler_item_id) WHERE scheduler_item_id IS NOT NULL`,
  ],
};
