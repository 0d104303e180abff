import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { CamelCasePlugin, Kysely, SqliteDialect, sql } from "kysely";
import Libsql from "libsql";
import type { Clock } from "../core/clock.ts";
import { createWakeListeners, type Database, type DialectParts, runTransaction } from "./database.ts";
import { sqliteJson } from "./json-search.ts";
import { takeLock } from "./lock.ts";
import { migrate } from "./migrate.ts";
import type { Tables } from "./tables.ts";

/**
 * Opens (and makes, and migrates) the database in a data directory. Commits are on disk when they are acknowledged
 * (WAL with synchronous=FULL: one fsync each). DATA_DIR_IN_USE while another process has it.
 */
export async function openSqlite(options: { readonly dataDir: string; readonly clock: Clock }): Promise<Database> {
  mkdirSync(options.dataDir, { recursive: true });
  const lock = takeLock(options.dataDir);
  try {
    const file = new Libsql(join(options.dataDir, "slipway.db"));
    file.pragma("busy_timeout = 5000");
    file.pragma("journal_mode = WAL");
    file.pragma("synchronous = FULL");
    file.pragma("foreign_keys = ON");
    const kysely = new Kysely<Tables>({
      dialect: new SqliteDialect({ database: cachedStatements(file) }),
      plugins: [new CamelCasePlugin()],
    });
    const listeners = createWakeListeners();
    const dialect = sqliteParts(listeners.fire);
    try {
      await migrate(kysely, dialect, options.clock);
    } catch (error) {
      await kysely.destroy();
      throw error;
    }
    return {
      dialect,
      kysely,
      transaction: (clock, work) => runTransaction(kysely, dialect, clock, work),
      onWake: listeners.add,
      async close() {
        await kysely.destroy();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** One connection and one writer: whatever a transaction sees, nobody else is about to change. */
function sqliteParts(fire: (topics: readonly string[]) => void): DialectParts {
  return {
    name: "sqlite",
    json: sqliteJson,
    async pickPending(kysely, target) {
      const found = await sql<{ id: string }>`
        SELECT id FROM items
        WHERE queue_id = ${target.queueId} AND state = 'PENDING' AND priority = ${target.priority} AND not_before <= ${target.now}
        ORDER BY id LIMIT 1`.execute(kysely);
      return found.rows[0]?.id;
    },
    async pickOrphan(kysely, target) {
      const found = await sql<{ id: string }>`
        SELECT id FROM items
        WHERE queue_id IN (${sql.join(target.queueIds)}) AND state = 'CLAIMED' AND plain = 0 AND lease_expires_at <= ${target.now}
        ORDER BY id LIMIT 1`.execute(kysely);
      return found.rows[0]?.id;
    },
    lockItem: async () => {},
    beforeEvents: async () => {},
    notify: async () => {},
    committed: fire,
    retryable: () => false,
    isUniqueViolation: (error) =>
      error instanceof Error && /UNIQUE constraint failed|PRIMARY KEY constraint failed/i.test(error.message),
  };
}

type Statement = ReturnType<Libsql.Database["prepare"]>;

/** Preparing takes longer than most of our statements run; the set of their texts is small, but lists of values vary. */
const STATEMENTS = 500;

function cachedStatements(file: Libsql.Database) {
  const statements = new Map<string, Statement>();
  return {
    prepare(text: string): Statement {
      let statement = statements.get(text);
      if (!statement) {
        if (statements.size >= STATEMENTS) statements.clear();
        statement = file.prepare(text);
        statements.set(text, statement);
      }
      return statement;
    },
    close: () => {
      statements.clear();
      file.close();
    },
  } as unknown as ConstructorParameters<typeof SqliteDialect>[0] extends { database: infer D }
    ? Extract<D, { prepare: unknown }>
    : never;
}
