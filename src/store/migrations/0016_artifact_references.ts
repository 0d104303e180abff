import type { Migration } from "../migrate.ts";

/** A version's references are listed with its files: the wandb client downloads what the list gives. */
export const migration: Migration = {
  id: 16,
  name: "artifact_references",
  breaking: false,
  statements: [`ALTER TABLE artifact_files ADD COLUMN ref TEXT`],
};
