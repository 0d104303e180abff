import { execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { pino } from "pino";
import { systemClock } from "../../src/core/clock.ts";
import type { Database } from "../../src/store/database.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { openSqlite } from "../../src/store/sqlite.ts";

/** An empty database of a test's own. */
export interface TestDatabase {
  readonly database: Database;
  /** Closes it and removes what it has stored. */
  close(): Promise<void>;
}

export interface TestDialect {
  readonly name: "sqlite" | "postgres";
  open(): Promise<TestDatabase>;
}

/** Both databases, for `describe.each`. PostgreSQL is a real server, started once for each test file. */
export const databases: readonly TestDialect[] = [
  { name: "sqlite", open: openTestSqlite },
  { name: "postgres", open: openTestPostgres },
];

async function openTestSqlite(): Promise<TestDatabase> {
  const dataDir = await mkdtemp(join(tmpdir(), "slipway-sqlite-"));
  const database = await openSqlite({ dataDir, clock: systemClock });
  return {
    database,
    async close() {
      await database.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

let server: Promise<string> | undefined;
let made = 0;

async function openTestPostgres(): Promise<TestDatabase> {
  const { url, drop } = await createPostgresDatabase();
  const database = await openPostgres({ url, clock: systemClock, logger: pino({ level: "silent" }) });
  return {
    database,
    async close() {
      await database.close();
      await drop();
    },
  };
}

/** An empty database on this process's PostgreSQL server, by its `DATABASE_URL`. */
export async function createPostgresDatabase(): Promise<{ readonly url: string; drop(): Promise<void> }> {
  server ??= startPostgres();
  const sockets = await server;
  const url = (name: string) => `postgres://postgres@localhost/${name}?host=${encodeURIComponent(sockets)}`;
  const name = `test_${++made}`;
  await administer(url("postgres"), `CREATE DATABASE ${name}`);
  return { url: url(name), drop: () => administer(url("postgres"), `DROP DATABASE ${name} WITH (FORCE)`) };
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Makes a cluster in a directory of its own and answers the directory of its socket. It ends with this process. */
async function startPostgres(): Promise<string> {
  const bin = postgresPrograms();
  const directory = mkdtempSync(join(tmpdir(), "slipway-postgres-"));
  // PostgreSQL refuses to run as root; Debian's package brings a user for it.
  const user = process.getuid?.() === 0 ? { uid: idOf("-u"), gid: idOf("-g") } : {};
  if (user.uid !== undefined) chownSync(directory, user.uid, user.gid);
  const data = join(directory, "data");
  const options = { ...user, cwd: directory, env: { PATH: process.env.PATH, LC_ALL: "C" } };
  execFileSync(join(bin, "initdb"), ["-D", data, "-U", "postgres", "-A", "trust", "-N"], { ...options, stdio: "pipe" });
  const settings = ["listen_addresses=", `unix_socket_directories=${directory}`, "fsync=off", "full_page_writes=off"];
  const command = [join(bin, "postgres"), "-D", data, ...settings.flatMap((setting) => ["-c", setting])];
  // Its standard input ends when this process does, however that ends.
  const script = '"$@" & p=$!; cat >/dev/null; kill -INT $p; wait $p; cd /; rm -rf "$DIRECTORY"';
  const env = { ...options.env, DIRECTORY: directory };
  const child = spawn("sh", ["-c", script, "sh", ...command], { ...options, env, stdio: ["pipe", "ignore", "pipe"] });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log = (log + text).slice(-10_000);
  });
  for (let tries = 0; tries < 3_000; tries++) {
    if (log.includes("ready to accept connections")) {
      child.unref();
      for (const stream of [child.stdin, child.stderr]) (stream as unknown as { unref(): void }).unref();
      return directory;
    }
    await sleep(50);
  }
  child.stdin.end();
  throw new Error(`PostgreSQL did not start:\n${log}`);
}

function postgresPrograms(): string {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const found = [...versions.map((version) => join(root, version, "bin")), "/usr/local/bin", "/usr/bin"].find(
    (folder) => existsSync(join(folder, "initdb")),
  );
  if (found === undefined) throw new Error("PostgreSQL is missing: apt-get install postgresql");
  return found;
}

const idOf = (flag: "-u" | "-g") => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
