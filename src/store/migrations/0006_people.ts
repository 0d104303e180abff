import type { Migration } from "../migrate.ts";

/** Who made a project, which users are programs' accounts, and when somebody joined a team. */
export const migration: Migration = {
  id: 6,
  name: "people",
  breaking: false,
  statements: [
    `ALTER TABLE projects ADD COLUMN user_id TEXT`,
    `ALTER TABLE users ADD COLUMN service BIGINT NOT NULL DEFAULT 0`,
    `ALTER TABLE memberships ADD COLUMN joined_at BIGINT NOT NULL DEFAULT 0`,
  ],
};
