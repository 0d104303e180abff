import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StopItemDocument } from "../../../src/client/generated/operations.ts";
import { WANDB_RELEASES } from "../../support/python-peers.ts";
import { type SeveralServers, startSeveralServers } from "../../support/several-servers.ts";
import { until } from "../../support/slipway.ts";
import { pushTrainingImage } from "../../support/training-image.ts";
import type { World } from "../../support/world.ts";

/** Two server processes on one PostgreSQL and one bucket are one server to everybody. */

const PROGRAMS = {
  "short.py": "print('done', flush=True)\n",
  "long.py": "import time\nprint('begun', flush=True)\ntime.sleep(600)\n",
};

let servers: SeveralServers;
let image: string;
let a: World;
let b: World;

beforeAll(async () => {
  servers = await startSeveralServers();
  a = servers.world("a");
  b = servers.world("b");
  const { aws } = servers;
  const credentials = { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey };
  const client = { endpoint: aws.endpointUrl, region: aws.region, credentials };
  image = await pushTrainingImage({ client, environment: aws }, "several", PROGRAMS);
});
afterAll(() => servers?.close());

async function graphql<T>(baseUrl: string, query: string, variables: object = {}): Promise<T> {
  const response = await fetch(`${baseUrl}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${servers.apiKey}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: T; errors?: unknown };
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}

const withEntryPoint = (script: string) => ({ overrides: { entry_point: ["python3", script] } });

describe.each(WANDB_RELEASES)("wandb %s", (release) => {
  const project = `several-${release.replaceAll(".", "-")}`;

  test("what is logged through one server is read through the other", async () => {
    const writer = await servers.client(release, servers.url("a"));
    const wrote = await writer.python(`
import wandb
run = wandb.init(project="${project}", id="r1", config={"lr": 0.1}, settings=wandb.Settings(console="wrap"))
print("a line of the console")
for i in range(500): run.log({"loss": 1 / (i + 1)})
open("model.bin", "wb").write(bytes(range(256)) * 4000)
run.save("model.bin", policy="now")
artifact = wandb.Artifact("weights", "model")
artifact.add_file("model.bin")
run.log_artifact(artifact).wait()
run.finish()
`);
    expect(wrote.code, wrote.stdout + wrote.stderr).toBe(0);
    const reader = await servers.client(release, servers.url("b"));
    const read = await reader.python(`
import json, wandb
api = wandb.Api()
run = api.run("admin/${project}/r1")
rows = [row["_step"] for row in run.scan_history()]
with run.file("model.bin").download(root="got") as f: size = len(open(f.name, "rb").read())
weights = api.artifact("admin/${project}/weights:latest")
path = weights.download(root="weights")
same = open(path + "/model.bin", "rb").read() == bytes(range(256)) * 4000
with run.file("output.log").download(root="got") as f: console = "a line of the console" in f.read()
print(json.dumps([run.state, run.config["lr"], rows == list(range(500)), size, weights.version, same, console]))
`);
    expect(read.code, read.stdout + read.stderr).toBe(0);
    expect(JSON.parse(read.stdout.trim().split("\n").at(-1) ?? "")).toEqual([
      "finished",
      0.1,
      true,
      1_024_000,
      "v0",
      true,
      true,
    ]);
  });
});

test("runs go on through the other server when one is killed, and keep everything", async () => {
  servers.balancer.leadTo("a");
  const clients = await Promise.all(WANDB_RELEASES.map((release) => servers.client(release, servers.balancer.url)));
  const ended = clients.map((client, i) =>
    client.python(`
import os, time, wandb
run = wandb.init(project="killed", id="r${i}")
for step in range(250):
    run.log({"loss": step})
    time.sleep(0.1)
    if step in (20, 200):
        open(f"{step}.bin", "wb").write(os.urandom(3_000_000))
        run.save(f"{step}.bin", policy="now")
artifact = wandb.Artifact("kept-${i}", "model")
artifact.add_file("200.bin")
run.log_artifact(artifact)
run.finish()
`),
  );
  const history = async (server: "a" | "b", i: number) => {
    const found = await graphql<{ project: { run: { historyLineCount: number } | null } | null }>(
      servers.url(server),
      `{ project(name: "killed", entityName: "admin") { run(name: "r${i}") { historyLineCount } } }`,
    );
    return found.project?.run?.historyLineCount ?? 0;
  };
  const before = await until("some history of both", async () => {
    const lines = await Promise.all(clients.map((_, i) => history("a", i)));
    return lines.every((count) => count > 20) ? lines : undefined;
  });
  await servers.kill("a");
  servers.balancer.leadTo("b");
  for (const i of clients.keys()) expect(await history("b", i)).toBeGreaterThanOrEqual(before[i] ?? 0);
  for (const { code, stdout, stderr } of await Promise.all(ended)) expect(code, stdout + stderr).toBe(0);
  await servers.restart("a");
  const reader = await servers.client(WANDB_RELEASES[0], servers.url("a"));
  const read = await reader.python(`
import json, wandb
api = wandb.Api()
def seen(i):
    run = api.run(f"admin/killed/r{i}")
    rows = [row["loss"] for row in run.scan_history()]
    sizes = [f.size for f in run.files() if f.name.endswith(".bin")]
    return [run.state, rows == list(range(250)), sizes, api.artifact(f"admin/killed/kept-{i}:v0").state]
print(json.dumps([seen(i) for i in range(${clients.length})]))
`);
  expect(read.code, read.stdout + read.stderr).toBe(0);
  expect(JSON.parse(read.stdout.trim().split("\n").at(-1) ?? "")).toEqual(
    clients.map(() => ["finished", true, [3_000_000, 3_000_000], "COMMITTED"]),
  );
});

describe("jobs", () => {
  // Without a wake from the other process the answer would come empty after 60 s, which is longer than the test may take.
  test("a push at one server wakes an agent that waits at the other", async () => {
    await a.queue("woken");
    const { entity } = await graphql<{ entity: { runQueues: { id: string; name: string }[] } }>(
      servers.url("b"),
      `{ entity(name: "admin") { runQueues { id name } } }`,
    );
    const queue = entity.runQueues.find(({ name }) => name === "woken")?.id;
    const { createLaunchAgent } = await graphql<{ createLaunchAgent: { launchAgentId: string } }>(
      servers.url("b"),
      `mutation M($input: CreateLaunchAgentInput!) { createLaunchAgent(input: $input) { launchAgentId } }`,
      { input: { entityName: "admin", projectName: "model-registry", runQueues: [queue], hostname: "host" } },
    );
    const heard = new AbortController();
    const events = b.client.events({ entity: "admin", signal: heard.signal });
    // The first says from where on it hears.
    expect((await events[Symbol.asyncIterator]().next()).value).toMatchObject({ type: "ready" });
    const leased = graphql<{ leaseRunQueueItems: { leases: { runQueueItemId: string }[] } }>(
      servers.url("b"),
      `mutation L($input: LeaseRunQueueItemsInput!) { leaseRunQueueItems(input: $input) { leases { runQueueItemId } } }`,
      { input: { launchAgentId: createLaunchAgent.launchAgentId, max: 1, waitSeconds: 60 } },
    );
    const id = await a.pushImage("woken", image, withEntryPoint("short.py"));
    expect((await leased).leaseRunQueueItems.leases.map((lease) => lease.runQueueItemId)).toEqual([id]);
    for await (const { data } of events) {
      if ((data as { id?: string }).id === id) break;
    }
    heard.abort();
  });

  test("an item pushed at one server is run by the other's agent", async () => {
    await a.queue("across");
    const agent = await servers.agent("across", servers.url("b"));
    const id = await a.pushImage("across", image, withEntryPoint("short.py"));
    const item = await a.settled(id);
    expect(item, agent.output()).toMatchObject({ state: "FINISHED", cause: "completed" });
    expect(await a.lines(id)).toContain("algo-1 done");
    expect(await agent.end("SIGTERM"), agent.output()).toBe(0);
  });

  test("a stop at one server reaches the other's agent", async () => {
    await b.queue("stopped");
    const agent = await servers.agent("stopped", servers.url("a"));
    const id = await b.pushImage("stopped", image, withEntryPoint("long.py"));
    await b.untilItem(id, "training", (item) => item.phase === "training");
    await b.client.request(StopItemDocument, { id });
    expect(await b.settled(id), agent.output()).toMatchObject({ state: "STOPPED", training: { status: "Stopped" } });
    expect(await agent.end("SIGTERM"), agent.output()).toBe(0);
  });

  test("pushes that were acknowledged are there after a kill, and an agent takes its way by the other server", async () => {
    await a.queue("kept");
    servers.balancer.leadTo("a");
    const agent = await servers.agent("kept", servers.balancer.url);
    const first = await a.pushImage("kept", image, withEntryPoint("long.py"));
    await a.untilItem(first, "training", (item) => item.phase === "training");
    const acknowledged: string[] = [];
    const pushing = (async () => {
      for (;;) acknowledged.push(await a.pushImage("kept", image, withEntryPoint("short.py")));
    })().catch(() => {});
    await until("some pushes", async () => acknowledged.length > 20 || undefined);
    await servers.kill("a");
    servers.balancer.leadTo("b");
    await pushing;
    const found = await Promise.all(acknowledged.map((id) => b.item(id)));
    expect(found.map(({ state }) => state)).not.toContain("FAILED");
    await b.client.request(StopItemDocument, { id: first });
    expect(await b.settled(first), agent.output()).toMatchObject({ state: "STOPPED" });
    await servers.restart("a");
    expect(await agent.end("SIGKILL")).toBeNull();
  });
});
