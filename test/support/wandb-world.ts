import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LocalAwsEnvironment } from "../../src/local-aws/first-start.ts";
import { createPostgresDatabase } from "./databases.ts";
import { WANDB_RELEASES, type WandbRelease } from "./python-peers.ts";
import { type RecordedDocument, type RecordedUpload, startRecordingProxy } from "./recording-proxy.ts";
import { addressOf, type Finished, type RunOptions, type Started, slipway, startSlipway, until } from "./slipway.ts";
import { type WandbClient, wandbClient } from "./wandb-client.ts";

interface World {
  /** What the server keeps its state in. */
  readonly database: "sqlite" | "postgres";
  /** The clients that it is tried with. */
  readonly releases: readonly WandbRelease[];
}

const [newest, older] = WANDB_RELEASES;
const everyPair = process.env.SLIPWAY_TEST_EVERY_PAIR === "1";
const pairs = (sqlite: WandbRelease, postgres: WandbRelease): readonly World[] => [
  { database: "sqlite", releases: everyPair ? WANDB_RELEASES : [sqlite] },
  { database: "postgres", releases: everyPair ? WANDB_RELEASES : [postgres] },
];

/**
 * Databases and clients, for `describe.each(WORLDS)("$database", ...)`: each database and each release is met once. Half of the
 * files take the other two pairs. All four in every file would double the time of the suite: SLIPWAY_TEST_EVERY_PAIR=1.
 */
export const WORLDS = pairs(newest, older);
export const CROSSED_WORLDS = pairs(older, newest);

export interface WandbWorldOptions {
  readonly database: "sqlite" | "postgres";
  /** Start a local AWS too. */
  readonly localAws?: boolean;
  /** Settings of the server. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A server in a process of its own, and unmodified wandb clients in processes of theirs. */
export interface WandbWorld {
  /** What clients are given: a proxy that records their GraphQL documents and changes nothing. */
  readonly url: string;
  readonly entity: string;
  readonly apiKey: string;
  readonly dataDir: string;
  /** Where the local AWS is, if it was asked for. */
  readonly aws: LocalAwsEnvironment | undefined;
  /** A client of this release with the admin's key and a home of its own. */
  client(
    release: WandbRelease,
    options?: { readonly home?: string; readonly apiKey?: string; readonly env?: Readonly<Record<string, string>> },
  ): Promise<WandbClient>;
  /** Our own API, past the proxy; fails on errors. */
  graphql<T>(query: string, variables?: object): Promise<T>;
  /** `slipway ARGS` as the admin, to its end. */
  slipway(args: readonly string[], options?: RunOptions): Promise<Finished>;
  /** `slipway ARGS` as the admin, left running until close(). */
  start(args: readonly string[], options?: RunOptions): Started;
  /** Ends the server (by the signal) and starts it again on the same data. */
  restartServer(signal?: NodeJS.Signals): Promise<void>;
  documents(): readonly RecordedDocument[];
  /** Every PUT that clients have sent to the server. */
  uploads(): readonly RecordedUpload[];
  /** The most memory that the server's process has had in use (resident set), in bytes. */
  serverPeakMemory(): Promise<number>;
  /** Ends all. Throws if a client has sent a GraphQL document that `schema.graphql` does not know. */
  close(): Promise<void>;
}

export async function startWandbWorld(options: WandbWorldOptions): Promise<WandbWorld> {
  const dataDir = await mkdtemp(join(tmpdir(), "slipway-wandb-"));
  const postgres = options.database === "postgres" ? await createPostgresDatabase() : undefined;
  const env = { ...options.env, ...(postgres === undefined ? {} : { DATABASE_URL: postgres.url }) };
  const started: Started[] = [];
  const start = (args: readonly string[], extra: RunOptions = {}) => {
    const part = startSlipway(dataDir, args, extra);
    started.push(part);
    return part;
  };

  if (options.localAws) {
    const part = start(["local-aws", "--port", "0"]);
    await until("the local AWS", () => addressOf(dataDir, "local-aws"), part);
  }
  let server = start(["server", "--port", "0"], { env });
  let direct = await until("the server", () => addressOf(dataDir, "server"), server);
  const proxy = await startRecordingProxy(() => direct);
  const read = async <T>(...path: string[]) => JSON.parse(await readFile(join(dataDir, ...path), "utf8")) as T;
  const { apiKey, entity } = await read<{ apiKey: string; entity: string }>("credentials.json");
  const aws = options.localAws ? await read<LocalAwsEnvironment>("local-aws", "env.json") : undefined;
  let homes = 0;

  return {
    url: proxy.url,
    entity,
    apiKey,
    dataDir,
    aws,
    client: (release, { home, ...rest } = {}) =>
      wandbClient({
        baseUrl: proxy.url,
        home: home ?? join(dataDir, "homes", `${release}-${++homes}`),
        release,
        apiKey,
        ...rest,
      }),
    async graphql<T>(query: string, variables: object = {}) {
      const response = await fetch(`${direct}/graphql`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${apiKey}` },
        body: JSON.stringify({ query, variables }),
      });
      const { data, errors } = (await response.json()) as { data: T; errors?: unknown };
      if (errors !== undefined) throw new Error(JSON.stringify(errors));
      return data;
    },
    slipway: (args, extra) => slipway(dataDir, args, extra),
    start,
    async restartServer(signal = "SIGTERM") {
      await server.end(signal);
      await rm(join(dataDir, "run", "server.json"), { force: true });
      server = start(["server", "--port", "0"], { env });
      direct = await until("the server", () => addressOf(dataDir, "server"), server);
    },
    documents: proxy.documents,
    uploads: proxy.uploads,
    async serverPeakMemory() {
      const { pid } = await read<{ pid: number }>("run", "server.json");
      const kibibytes = /^VmHWM:\s*(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
      return Number(kibibytes) * 1024;
    },
    async close() {
      const unknown = proxy.documents().filter(({ problems }) => problems.length > 0);
      await proxy.close();
      for (const part of started.reverse()) await part.end(part === server ? "SIGTERM" : "SIGKILL");
      await postgres?.drop();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
      if (unknown.length > 0) {
        const list = unknown.map(({ operationName, problems }) => `${operationName}: ${problems.join("; ")}`);
        throw new Error(`documents that schema.graphql does not know:\n${list.join("\n")}`);
      }
    },
  };
}
