import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { type Clock, systemClock } from "../../core/clock.ts";
import type { Database } from "../../store/database.ts";
import { createDirectoryFileStore, type FileStore } from "../../store/files.ts";
import { assemble } from "../assemble.ts";
import { readServerConfig } from "../config.ts";
import type { ServiceLimits, Services } from "../services/services.ts";

export interface WireError {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions: {
    readonly code: string;
    readonly status: number;
    readonly hint: string;
    readonly where?: string;
    readonly problems?: readonly { readonly path: string; readonly message: string; readonly hint?: string }[];
    readonly requestId?: string;
  };
}

export interface Answer<T> {
  readonly data: T;
  readonly errors?: readonly WireError[];
}

/** The whole server on a real database, without a port. */
export interface TestApp {
  readonly services: Services;
  /** Key of the first admin, `admin`. */
  readonly adminKey: string;
  /** Everything that was logged, as JSON lines. */
  readonly log: readonly string[];
  /** Method and path of every route. */
  readonly routes: readonly string[];
  request(path: string, init?: RequestInit & { readonly key?: string }): Promise<Response>;
  /** The answer as it is, errors and all. */
  graphql<T>(query: string, variables?: object, key?: string): Promise<Answer<T>>;
  /** The data; throws if there are errors. */
  data<T>(query: string, variables?: object, key?: string): Promise<T>;
  /** Makes a user and answers its key. */
  user(name: string): Promise<string>;
  /** As the server does when it is told to end. */
  closing: AbortController;
  close(): Promise<void>;
}

export async function createTestApp(
  database: Database,
  options: {
    readonly clock?: Clock;
    readonly env?: Readonly<Record<string, string>>;
    readonly limits?: Partial<ServiceLimits>;
    /** A directory where absent; closed with the app. */
    readonly files?: FileStore;
  } = {},
): Promise<TestApp> {
  const directory = await mkdtemp(join(tmpdir(), "slipway-app-"));
  const clock = options.clock ?? systemClock;
  const log: string[] = [];
  const logger = pino({ level: "trace" }, { write: (line: string) => void log.push(line) });
  const files = options.files ?? createDirectoryFileStore(directory);
  const closing = new AbortController();
  const { services, app } = assemble({
    database,
    files,
    clock,
    logger,
    closing: closing.signal,
    config: { ...readServerConfig({ HOME: directory, ...options.env }), baseUrl: undefined },
    secret: randomBytes(32),
    version: "0.0.0-test",
    serviceLimits: options.limits ?? {},
  });
  const first = await services.accounts.ensureFirstAdmin({ name: "admin" });
  if (!first) throw new Error("the database is not empty");
  const adminKey = first.apiKey;

  const request: TestApp["request"] = async (path, { key, ...init } = {}) => {
    const headers = new Headers(init.headers);
    if (key !== undefined) headers.set("authorization", `Bearer ${key}`);
    return app.request(path, { ...init, headers });
  };
  const graphql = async <T>(query: string, variables: object = {}, key = adminKey): Promise<Answer<T>> => {
    const body = JSON.stringify({ query, variables });
    const headers = { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) };
    const response = await request("/graphql", { method: "POST", body, headers, key });
    return (await response.json()) as Answer<T>;
  };
  return {
    services,
    adminKey,
    log,
    routes: [
      ...new Set(app.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) => `${method} ${path}`)),
    ],
    request,
    graphql,
    async data<T>(query: string, variables?: object, key?: string) {
      const { data, errors } = await graphql<T>(query, variables, key);
      if (errors) throw new Error(errors.map(({ message }) => message).join("; "));
      return data;
    },
    async user(name) {
      const made = await graphql<{ createUser: { apiKey: string } }>(
        `mutation User($name: String!) { createUser(input: { name: $name }) { apiKey } }`,
        { name },
      );
      return made.data.createUser.apiKey;
    },
    closing,
    async close() {
      closing.abort();
      await services.close();
      await files.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
