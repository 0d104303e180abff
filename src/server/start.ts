import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";
import { getRequestListener } from "@hono/node-server";
import { type Logger, pino } from "pino";
import { type Clock, systemClock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import type { Database } from "../store/database.ts";
import { createDirectoryFileStore, type FileStore } from "../store/files.ts";
import { openPostgres } from "../store/postgres.ts";
import type { S3FilesOptions } from "../store/s3-files.ts";
import { openSqlite } from "../store/sqlite.ts";
import { assemble } from "./assemble.ts";
import { type ServerConfig, serverFiles } from "./config.ts";
import { ensureFirstAdmin } from "./first-admin.ts";
import { signingSecret } from "./signing-secret.ts";

export interface RunningServer {
  /** Where it listens, without a trailing slash. */
  readonly url: string;
  /** Ends waiting requests at once, lets running ones finish, stops sweeping and closes the database. */
  close(): Promise<void>;
}

export interface ServerDeps {
  readonly logger?: Logger;
  readonly clock?: Clock;
}

/** How long running requests may take to finish once the server closes. */
const CLOSE_MS = 3_000;

/**
 * Opens the database, makes the first admin if there is no user yet, listens, and sweeps. While it runs,
 * `run/server.json` in the data directory names its address and process.
 * Throws DATA_DIR_IN_USE, DATABASE_UNREACHABLE, DATABASE_NEWER, PORT_TAKEN.
 */
export async function startServer(config: ServerConfig, deps: ServerDeps = {}): Promise<RunningServer> {
  const clock = deps.clock ?? systemClock;
  const logger = deps.logger ?? pino({ level: config.logLevel }, pino.destination(2));
  const paths = serverFiles(config.dataDir);
  const undo: (() => Promise<void> | void)[] = [];
  const close = once(async () => {
    for (const step of undo.reverse()) await step();
  });
  try {
    mkdirSync(config.dataDir, { recursive: true });
    const database = await openDatabase(config, clock, logger);
    undo.push(() => database.close());
    const files = config.s3Files ? await openS3Files(config.s3Files) : createDirectoryFileStore(paths.files);
    undo.push(() => files.close());
    const { signingKey } = config;
    const secret = signingKey === undefined ? signingSecret(paths.secret, randomBytes) : Buffer.from(signingKey);
    const closing = new AbortController();
    const version = packageVersion();
    const parts = { database, files, clock, logger, config, secret, version, closing: closing.signal };
    const { services, app } = assemble(parts);
    undo.push(() => services.close());
    const server = createServer(getRequestListener(app.fetch, { overrideGlobalObjects: false }));
    const url = await listen(server, config);
    undo.push(async () => {
      closing.abort(new SlipwayError("SERVER_CLOSING"));
      await stopListening(server);
    });

    await ensureFirstAdmin(services, config, config.baseUrl ?? url, randomBytes);
    services.startSweeps();
    mkdirSync(dirname(paths.running), { recursive: true });
    writeFileSync(paths.running, `${JSON.stringify({ url, pid: process.pid })}\n`);
    undo.push(() => rmSync(paths.running, { force: true }));
    logger.info({ url, database: config.databaseUrl ? "postgres" : "sqlite" }, "listening");
    return { url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function openDatabase(config: ServerConfig, clock: Clock, logger: Logger): Promise<Database> {
  if (config.databaseUrl === undefined) return openSqlite({ dataDir: config.dataDir, clock });
  return openPostgres({ url: config.databaseUrl, clock, logger });
}

/** The AWS SDK is loaded only by servers that need it. */
async function openS3Files(options: S3FilesOptions): Promise<FileStore> {
  const { createS3FileStore } = await import("../store/s3-files.ts");
  return createS3FileStore(options);
}

async function listen(server: Server, { host, port }: ServerConfig): Promise<string> {
  // The wandb client keeps connections open between polls 10 s apart; node closes idle ones after 5 s, which now and
  // then meets a request on its way.
  server.keepAliveTimeout = 75_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(error.code === "EADDRINUSE" ? new SlipwayError("PORT_TAKEN", { values: { port }, cause: error }) : error);
    });
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${address.port}`;
}

async function stopListening(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
  // Kept-alive connections whose last request ended after the line above would hold the server open.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  await closed;
  clearTimeout(timer);
  clearInterval(sweep);
}

function packageVersion(): string {
  const file = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}
