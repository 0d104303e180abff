import { type Kysely, sql } from "kysely";
import type { Clock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import type { DialectParts } from "./database.ts";
import { migration as tables } from "./migrations/0001_tables.ts";
import { migration as runs } from "./migrations/0002_runs.ts";
import { migration as files } from "./migrations/0003_files.ts";
import { migration as artifacts } from "./migrations/0004_artifacts.ts";
import { migration as sweeps } from "./migrations/0005_sweeps.ts";
import { migration as people } from "./migrations/0006_people.ts";
import { migration as jobKeys } from "./migrations/0009_job_keys.ts";
import { migration as artifactAuthors } from "./migrations/0014_artifact_authors.ts";
import { migration as sweepsOnLaunch } from "./migrations/0015_sweeps_on_launch.ts";
import { migration as artifactReferences } from "./migrations/0016_artifact_references.ts";
import { migration as artifactUploads } from "./migrations/0017_artifact_uploads.ts";
import type { Tables } from "./tables.ts";

/** One step of the schema, forward only. It may run beside an older server unless it is breaking. */
export interface Migration {
  readonly id: number;
  readonly name: string;
  /** A program that does not know this step can't work with the database. */
  readonly breaking: boolean;
  /** SQL texts in order; `SERIAL` stands for a growing 64-bit primary key. */
  readonly statements: readonly string[];
}

export const MIGRATIONS: readonly Migration[] = [
  tables,
  runs,
  files,
  artifacts,
  sweeps,
  people,
  jobKeys,
  artifactAuthors,
  sweepsOnLaunch,
  artifactReferences,
  artifactUploads,
];

const SERIAL = {
  sqlite: "INTEGER PRIMARY KEY AUTOINCREMENT",
  postgres: "BIGSERIAL PRIMARY KEY",
} as const;

/** Any number, the same in every process. */
const MIGRATIONS_LOCK = 7_214_002;

/**
 * Brings the schema up to date. Each step first claims its row and then runs, in one transaction, so that of several
 * processes that start at once one does the work and the others wait for it. DATABASE_NEWER for a breaking step that
 * this program does not know.
 */
export async function migrate(
  kysely: Kysely<Tables>,
  dialect: DialectParts,
  clock: Clock,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  await createMigrationsTable(kysely, dialect);
  const known = migrations.at(-1)?.id ?? 0;
  const newer = await kysely
    .selectFrom("migrations")
    .select("id")
    .where("id", ">", known)
    .where("breaking", "=", 1)
    .orderBy("id", "desc")
    .executeTakeFirst();
  if (newer) throw new SlipwayError("DATABASE_NEWER", { values: { found: newer.id, known } });
  const done = new Set((await kysely.selectFrom("migrations").select("id").execute()).map((row) => row.id));
  for (const migration of migrations) {
    if (!done.has(migration.id)) await apply(kysely, dialect, clock, migration);
  }
}

async function createMigrationsTable(kysely: Kysely<Tables>, dialect: DialectParts): Promise<void> {
  await kysely.transaction().execute(async (trx) => {
    // CREATE TABLE IF NOT EXISTS of two sessions at once can still collide in PostgreSQL's own catalogue.
    if (dialect.name === "postgres") await sql`SELECT pg_advisory_xact_lock(${MIGRATIONS_LOCK})`.execute(trx);
    await sql`CREATE TABLE IF NOT EXISTS migrations (
      id BIGINT PRIMARY KEY, name TEXT NOT NULL, breaking BIGINT NOT NULL, applied_at BIGINT NOT NULL)`.execute(trx);
  });
}

async function apply(kysely: Kysely<Tables>, dialect: DialectParts, clock: Clock, migration: Migration): Promise<void> {
  await kysely.transaction().execute(async (trx) => {
    const claimed = await trx
      .insertInto("migrations")
      .values({
        id: migration.id,
        name: migration.name,
        breaking: migration.breaking ? 1 : 0,
        appliedAt: clock.now(),
      })
      .onConflict((conflict) => conflict.column("id").doNothing())
      .returning("id")
      .executeTakeFirst();
    if (!claimed) return;
    for (const statement of migration.statements) {
      await sql.raw(statement.replaceAll("SERIAL", SERIAL[dialect.name])).execute(trx);
    }
  });
}
