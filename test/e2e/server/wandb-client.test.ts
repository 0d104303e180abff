import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { addressOf, type Started, startSlipway, until } from "../../support/slipway.ts";
import { type WandbClient, wandbClient } from "../../support/wandb-client.ts";

/** The unmodified wandb client against a server in a process of its own. */

const QUEUE_CONFIG = {
  RoleArn: "arn:aws:iam::123456789012:role/SlipwaySageMakerExecution",
  OutputDataConfig: { S3OutputPath: "s3://slipway-123456789012-us-east-1/output" },
  ResourceConfig: { InstanceType: "{{instance}}", InstanceCount: 1, VolumeSizeInGB: 10 },
  StoppingCondition: { MaxRuntimeInSeconds: 600 },
};
const TEMPLATE_VARIABLES = {
  instance: { schema: { type: "string", enum: ["ml.m5.large", "ml.m5.xlarge"], default: "ml.m5.large" } },
};

let dataDir: string;
let server: Started;
let url: string;
let apiKey: string;
let client: WandbClient;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "slipway-wandb-"));
  server = startSlipway(dataDir, ["server", "--port", "0"]);
  url = await until("the server", () => addressOf(dataDir, "server"), server);
  const file = join(dataDir, "credentials.json");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const credentials = JSON.parse(await readFile(file, "utf8"));
  expect(credentials).toMatchObject({ baseUrl: url, username: "admin", entity: "admin" });
  apiKey = credentials.apiKey;
  client = await wandbClient({ baseUrl: url, home: join(dataDir, "home"), apiKey, env: AGENT_ENV });
});

afterAll(async () => {
  await server?.end();
  await rm(dataDir, { recursive: true, force: true });
});

/** Nothing listens there: what the agent submits fails at once, and that must reach the item. */
const AGENT_ENV = {
  AWS_ENDPOINT_URL: "http://127.0.0.1:9",
  AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE",
  AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  AWS_REGION: "us-east-1",
  AWS_MAX_ATTEMPTS: "1",
};

async function graphql<T>(query: string, variables: object = {}): Promise<T> {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${apiKey}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: T; errors?: unknown };
  expect(errors).toBeUndefined();
  return data;
}

interface Item {
  readonly id: string;
  readonly runId: string;
  readonly state: string;
  readonly associatedRunId: string | null;
  readonly author: string;
  readonly runSpec: { readonly resource: string; readonly resource_args: { readonly sagemaker: typeof QUEUE_CONFIG } };
  readonly error: { readonly message: string; readonly stage: string } | null;
  readonly timeline: readonly { readonly kind: string }[];
}

async function newestItem(): Promise<Item> {
  const { runQueueItems } = await graphql<{ runQueueItems: { edges: { node: Item }[] } }>(
    `query Newest { runQueueItems(entityName: "admin", first: 1) { edges { node {
       id runId state associatedRunId author runSpec error { message stage } timeline { kind } } } } }`,
  );
  return runQueueItems.edges[0]!.node;
}

test("wandb login stores a key that the server knows, and tells one that it does not", async () => {
  const home = join(dataDir, "login");
  const fresh = await wandbClient({ baseUrl: url, home });
  const good = await fresh.wandb(["login", "--relogin", "--verify", "--host", url, apiKey]);
  expect(good.stderr).toContain("Currently logged in as: admin");
  expect(good.code).toBe(0);
  expect(await readFile(join(home, ".netrc"), "utf8")).toContain(apiKey);
  const bad = await fresh.wandb(["login", "--relogin", "--verify", "--host", url, "0".repeat(40)]);
  expect(bad.code).not.toBe(0);
});

test("wandb.Api makes a queue with template variables, once, and reads it back", async () => {
  const make = `
import json, wandb
api = wandb.Api()
queue = api.create_run_queue(name="gpu", type="sagemaker", entity="admin", prioritization_mode="V0",
  config=json.loads(${JSON.stringify(JSON.stringify(QUEUE_CONFIG))}),
  template_variables=json.loads(${JSON.stringify(JSON.stringify(TEMPLATE_VARIABLES))}))
again = wandb.Api().run_queue("admin", "gpu")
print(json.dumps([again.access, again.prioritization_mode, again.type, again.default_resource_config, again.template_variables]))`;
  const made = await client.python(make);
  expect(made.code, made.stderr).toBe(0);
  const [access, mode, type, config, variables] = JSON.parse(made.stdout.trim().split("\n").at(-1)!);
  expect([access, mode, type]).toEqual(["PROJECT", "V0", "sagemaker"]);
  expect(config).toEqual(QUEUE_CONFIG);
  expect(variables).toEqual([{ name: "instance", schema: JSON.stringify(TEMPLATE_VARIABLES.instance.schema) }]);

  const wrong = await client.python(make.replace("RoleArn", "RoleArm"));
  expect(wrong.stderr).toContain("RoleArm");

  const second = await client.python(make);
  expect(second.code).not.toBe(0);
  expect(second.stderr).toContain("admin has a queue gpu already");
});

test("wandb launch pushes an item that the server completes", async () => {
  const launched = await client.wandb(["launch", "-d", "busybox:1", "-q", "gpu", "-e", "admin", "-p", "digits"]);
  expect(launched.code, launched.stderr).toBe(0);
  const item = await newestItem();
  expect(item).toMatchObject({ state: "PENDING", author: "admin", associatedRunId: null });
  expect(item.runSpec.resource).toBe("sagemaker");
  expect(item.runSpec.resource_args.sagemaker.ResourceConfig.InstanceType).toBe("ml.m5.large");

  const missing = await client.wandb(["launch", "-d", "busybox:1", "-q", "nope", "-e", "admin", "-p", "digits"]);
  expect(missing.code).not.toBe(0);
  expect(missing.stdout + missing.stderr).toContain("nope");
});

test("wandb launch-agent pops, acknowledges, tells a failure, and leaves when it is told to", async () => {
  const before = await newestItem();
  const agent = client.start(["launch-agent", "-q", "gpu", "-e", "admin", "-j", "1"]);
  try {
    const failed = await until("the item's end", async () => {
      const item = await newestItem();
      return item.state === "FAILED" ? item : undefined;
    });
    expect(failed.id).toBe(before.id);
    expect(failed.associatedRunId).toBe(before.runId);
    expect(failed.timeline.map(({ kind }) => kind)).toEqual(["pushed", "leased", "claimed", "settled"]);
    expect(failed.error).toMatchObject({ stage: "agent" });
    expect(failed.error?.message).toContain("127.0.0.1:9");

    const { launchAgents } = await graphql<{ launchAgents: { id: string; queueNames: string[]; alive: boolean }[] }>(
      `query Agents { launchAgents(entityName: "admin") { id queueNames alive } }`,
    );
    expect(launchAgents).toMatchObject([{ queueNames: ["gpu"], alive: true }]);
    await graphql(`mutation Stop($id: ID!) { stopLaunchAgent(input: { launchAgentId: $id }) { success } }`, {
      id: launchAgents[0]!.id,
    });
    await agent.until(/stop/i);
  } finally {
    await agent.stop();
  }
  expect(server.output()).not.toContain(apiKey);
});
