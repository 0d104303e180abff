import { CamelCasePlugin, Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";
import type { Logger } from "pino";
import type { Clock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { createWakeListeners, type Database, type DialectParts, runTransaction } from "./database.ts";
import { postgresJson } from "./json-search.ts";
import { migrate } from "./migrate.ts";
import type { Tables } from "./tables.ts";

const CHANNEL = "slipway";
/** Any number, the same in every process: the lock under which event numbers are given out. */
const EVENTS_LOCK = 7_214_001;
const INT8 = 20;

/** Opens (and migrates) a PostgreSQL database. DATABASE_UNREACHABLE if its server does not answer. */
export async function openPostgres(options: {
  readonly url: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly connections?: number;
}): Promise<Database> {
  const settings: pg.PoolConfig = {
    connectionString: options.url,
    max: options.connections ?? 10,
    application_name: "slipway",
    // Times and sequence numbers are below 2^53.
    types: {
      getTypeParser: ((oid: number, format?: "text") =>
        oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
    },
  };
  const pool = new pg.Pool(settings);
  pool.on("error", (error) => options.logger.warn({ err: error }, "a database connection was lost"));
  const kysely = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool }),
    plugins: [new CamelCasePlugin()],
  });
  const listeners = createWakeListeners();
  const dialect = postgresParts();
  let listening: { close(): Promise<void> };
  try {
    await migrate(kysely, dialect, options.clock);
    listening = await listen(settings, options, listeners.fire);
  } catch (error) {
    await kysely.destroy();
    if (error instanceof SlipwayError || !isConnectionError(error)) throw error;
    throw new SlipwayError("DATABASE_UNREACHABLE", { values: { where: withoutPassword(options.url) }, cause: error });
  }
  return {
    dialect,
    kysely,
    transaction: (clock, work) => runTransaction(kysely, dialect, clock, work),
    onWake: listeners.add,
    async close() {
      await listening.close();
      await kysely.destroy();
    },
  };
}

function postgresParts(): DialectParts {
  return {
    name: "postgres",
    json: postgresJson,
    async pickPending(kysely, target) {
      const found = await sql<{ id: string }>`
        SELECT id FROM items
        WHERE queue_id = ${target.queueId} AND state = 'PENDING' AND priority = ${target.priority} AND not_before <= ${target.now}
        ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED`.execute(kysely);
      return found.rows[0]?.id;
    },
    async pickOrphan(kysely, target) {
      const found = await sql<{ id: string }>`
        SELECT id FROM items
        WHERE queue_id IN (${sql.join(target.queueIds)}) AND state = 'CLAIMED' AND plain = 0 AND lease_expires_at <= ${target.now}
        ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED`.execute(kysely);
      return found.rows[0]?.id;
    },
    async lockItem(kysely, id) {
      await sql`SELECT 1 FROM items WHERE id = ${id} FOR UPDATE`.execute(kysely);
    },
    /*
     * A sequence hands out numbers before the commit, so a reader could see 8 while 7 is still to come, and skip it.
     * Under this lock, held to the end of the transaction, numbers are given in the order of the commits. It costs little:
     * NOTIFY takes such a lock at commit anyway (async.c, PreCommit_Notify).
     */
    async beforeEvents(kysely) {
      await sql`SELECT pg_advisory_xact_lock(${EVENTS_LOCK})`.execute(kysely);
    },
    async notify(kysely, topics) {
      await sql`SELECT ${sql.join(topics.map((topic) => sql`pg_notify(${CHANNEL}, ${topic})`))}`.execute(kysely);
    },
    committed: () => {},
    retryable: (error) => ["40P01", "40001"].includes(codeOf(error)),
    isUniqueViolation: (error) => codeOf(error) === "23505",
  };
}

/** One connection of its own that hears every process's wakes; it connects again for as long as the store is open. */
async function listen(
  settings: pg.ClientConfig,
  deps: { readonly clock: Clock; readonly logger: Logger },
  fire: (topics: readonly string[]) => void,
): Promise<{ close(): Promise<void> }> {
  const stop = new AbortController();
  let current: pg.Client | undefined;

  async function connect(): Promise<void> {
    const client = new pg.Client(settings);
    client.on("notification", (message) => {
      if (message.payload !== undefined) fire([message.payload]);
    });
    let lost = false;
    const again = (error?: Error) => {
      if (lost || stop.signal.aborted) return;
      lost = true;
      deps.logger.warn({ err: error }, "the database connection that hears wakes was lost");
      client.end().catch(() => {});
      void reconnect();
    };
    client.on("error", again);
    client.on("end", () => again());
    await client.connect();
    await client.query(`LISTEN ${CHANNEL}`);
    current = client;
  }

  async function reconnect(): Promise<void> {
    for (let wait = 100; !stop.signal.aborted; wait = Math.min(wait * 2, 5000)) {
      try {
        await deps.clock.sleep(wait, stop.signal);
        await connect();
        fire(["*"]);
        return;
      } catch (error) {
        if (stop.signal.aborted) return;
        deps.logger.warn({ err: error }, "the database does not answer");
      }
    }
  }

  await connect();
  return {
    async close() {
      stop.abort();
      await current?.end();
    },
  };
}

function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}

function isConnectionError(error: unknown): boolean {
  return /^(E[A-Z]+|08\d\d\d|28\d\d\d|3D000|57P0\d)$/.test(codeOf(error));
}

function withoutPassword(url: string): string {
  try {
    const parsed = new URL(url);
    parsed.password = "";
    return parsed.toString();
  } catch {
    return "the address in DATABASE_URL";
  }
}
