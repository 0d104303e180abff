import type { Migration } from "../migrate.ts";

/** Who has made a version of an artifact, which may belong to no run. */
export const migration: Migration = {
  id: 14,
  name: "artifact_authors",
  breaking: false,
  statements: [`ALTER TABLE artifacts ADD COLUMN author TEXT`],
};
