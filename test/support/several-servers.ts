import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "../../src/client/client.ts";
import type { LocalAwsEnvironment } from "../../src/local-aws/first-start.ts";
import { createPostgresDatabase } from "./databases.ts";
import type { WandbRelease } from "./python-peers.ts";
import { startRecordingProxy } from "./recording-proxy.ts";
import { addressOf, type Started, startSlipway, until } from "./slipway.ts";
import { type WandbClient, wandbClient } from "./wandb-client.ts";
import { temporaryDirectory, type World, worldOf } from "./world.ts";

export type ServerName = "a" | "b";

/** Two server processes, each with a data directory of its own, on one PostgreSQL database and one bucket. */
export interface SeveralServers {
  readonly dataDir: string;
  readonly aws: LocalAwsEnvironment;
  readonly apiKey: string;
  /** A user's view through one of them. */
  world(server: ServerName): World;
  url(server: ServerName): string;
  /** Leads to one of them, as a load balancer does; validates the documents of clients. */
  readonly balancer: { readonly url: string; leadTo(server: ServerName): void };
  client(release: WandbRelease, baseUrl: string): Promise<WandbClient>;
  kill(server: ServerName): Promise<void>;
  /** Starts one again at its address. */
  restart(server: ServerName): Promise<void>;
  /** An agent with a data directory of its own, connected to `baseUrl`. */
  agent(queue: string, baseUrl: string): Promise<Started>;
  close(): Promise<void>;
}

const API_KEY = "5e7e4a15e47e45a10000000000000000000000ab";

export async function startSeveralServers(env: Readonly<Record<string, string>> = {}): Promise<SeveralServers> {
  const { path: dataDir, remove } = await temporaryDirectory("several");
  const postgres = await createPostgresDatabase();
  const started: Started[] = [];
  const localAws = startSlipway(dataDir, ["local-aws", "--port", "0"]);
  started.push(localAws);
  await until("the local AWS", () => addressOf(dataDir, "local-aws"), localAws);
  const aws = JSON.parse(await readFile(join(dataDir, "local-aws", "env.json"), "utf8")) as LocalAwsEnvironment;
  const settings = {
    DATABASE_URL: postgres.url,
    SLIPWAY_FILES: `s3://${aws.bucket}/slipway`,
    SLIPWAY_FILES_S3_ENDPOINT: aws.endpointUrl,
    SLIPWAY_FILES_S3_REGION: aws.region,
    SLIPWAY_FILES_S3_ACCESS_KEY_ID: aws.accessKeyId,
    SLIPWAY_FILES_S3_SECRET_ACCESS_KEY: aws.secretAccessKey,
    SLIPWAY_SIGNING_KEY: "one-key-for-all-server-processes-here",
    SLIPWAY_ADMIN_API_KEY: API_KEY,
    ...env,
  };

  const directoryOf = (name: ServerName) => join(dataDir, name);
  const begin = (name: ServerName, port: string) =>
    startSlipway(directoryOf(name), ["server", "--port", port], { env: settings });
  const address = (name: ServerName, part: Started) =>
    until(`server ${name}`, () => addressOf(directoryOf(name), "server"), part);

  // Both at once on the empty database: one of them makes its tables and its first user.
  const running = { a: begin("a", "0"), b: begin("b", "0") };
  const urls = { a: await address("a", running.a), b: await address("b", running.b) };
  const clients = {
    a: createClient({ baseUrl: urls.a, apiKey: API_KEY }),
    b: createClient({ baseUrl: urls.b, apiKey: API_KEY }),
  };
  let leadsTo: ServerName = "a";
  const proxy = await startRecordingProxy(() => urls[leadsTo]);
  let homes = 0;

  return {
    dataDir,
    aws,
    apiKey: API_KEY,
    world: (server) => worldOf(clients[server], "admin", aws),
    url: (server) => urls[server],
    balancer: {
      url: proxy.url,
      leadTo(server) {
        leadsTo = server;
      },
    },
    client: (release, baseUrl) =>
      wandbClient({ baseUrl, release, apiKey: API_KEY, home: join(dataDir, "homes", String(++homes)) }),
    async kill(server) {
      await running[server].end("SIGKILL");
    },
    async restart(server) {
      await rm(join(directoryOf(server), "run"), { recursive: true, force: true });
      running[server] = begin(server, new URL(urls[server]).port);
      await address(server, running[server]);
    },
    async agent(queue, baseUrl) {
      const directory = join(dataDir, "agents", queue);
      await mkdir(directory, { recursive: true });
      const agent = startSlipway(directory, ["launch-agent", "-q", queue, "--data", directory], {
        env: {
          AWS_ENDPOINT_URL: aws.endpointUrl,
          AWS_ACCESS_KEY_ID: aws.accessKeyId,
          AWS_SECRET_ACCESS_KEY: aws.secretAccessKey,
          AWS_REGION: aws.region,
          WANDB_BASE_URL: baseUrl,
          WANDB_API_KEY: API_KEY,
        },
      });
      started.push(agent);
      await until("the agent", async () => agent.output().includes(" serves ") || undefined, agent);
      return agent;
    },
    async close() {
      await proxy.close();
      for (const part of started.slice(1)) await part.end("SIGKILL");
      await Promise.all([running.a.end("SIGTERM"), running.b.end("SIGTERM")]);
      await localAws.end("SIGKILL");
      await postgres.drop();
      await remove();
      const unknown = proxy.documents().filter(({ problems }) => problems.length > 0);
      if (unknown.length > 0) throw new Error(`unknown documents: ${JSON.stringify(unknown)}`);
    },
  };
}
