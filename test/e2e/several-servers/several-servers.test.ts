import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StopItemDocument } from "../../../src/client/generated/operations.ts";
import { WANDB_RELEASES } from "../../support/python-peers.ts";
import { type SeveralServers, startSeveralServers } from "../../support/several-servers.ts";
import { pushTrainingImage } from "../../support/training-image.ts";
import { until } from "../../support/slipway.ts";
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

  test("a run goes on through the other server when one is killed, and keeps everything", async () => {
    servers.balancer.leadTo("a");
    const client = await servers.client(release, servers.balancer.url);
    const id = "killed";
    const ended = client.python(`
import os, time, wandb
run = wandb.init(project="${project}", id="${id}")
for i in range(300):
    run.log({"loss": i})
    time.sleep(0.1)
    if i in (50, 200):
        open(f"{i}.bin", "wb").write(os.urandom(3_000_000))
        run.save(f"{i}.bin", policy="now")
artifact = wandb.Artifact("kept", "model")
artifact.add_file("200.bin")
run.log_artifact(artifact)
run.finish()
`);
    const history = async (server: "a" | "b") => {
      const found = await graphql<{ project: { run: { historyLineCount: number; state: string } } | null }>(
        servers.url(server),
        `query H { project(name: "${project}", entityName: "admin") { run(name: "${id}") { historyLineCount state } } }`,
      );
      return found.project?.run;
    };
    const before = await until("some history", async () => {
      const found = await history("a");
      return found && found.historyLineCount > 20 ? found.historyLineCount : undefined;
    });
    await servers.kill("a");
    servers.balancer.leadTo("b");
    expect((await history("b"))?.historyLineCount).toBeGreaterThanOrEqual(before);
    const { code, stdout, stderr } = await ended;
    await servers.restart("a");
    expect(code, stdout + stderr).toBe(0);
    const reader = await servers.client(release, servers.url("a"));
    const read = await reader.python(`
import json, wandb
api = wandb.Api()
run = api.run("admin/${project}/${id}")
rows = [row["loss"] for row in run.scan_history()]
files = {f.name: f.size for f in run.files()}
print(json.dumps([run.state, rows == list(range(300)), files["50.bin"], files["200.bin"], api.artifact("admin/${project}/kept:v0").state]))
`);
    expect(read.code, read.stdout + read.stderr).toBe(0);
    expect(JSON.parse(read.stdout.trim().split("\n").at(-1) ?? "")).toEqual([
      "finished",
      true,
      3_000_000,
      3_000_000,
      "COMMITTED",
    ]);
  });
});

describe("jobs", () => {
  // Without a wake from the other process the answer would come empty after 60 s, which is longer than the test may take.
  test("a push at one server wakes an agent that waits at the other", { timeout: 40_000 }, async () => {
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
    const events = (async () => {
      for await (const event of b.client.events({ entity: "admin" })) {
        if (JSON.stringify(event.data).includes("woken")) return event;
      }
      throw new Error("the events have ended");
    })();
    const leased = graphql<{ leaseRunQueueItems: { leases: { item: { id: string } }[] } }>(
      servers.url("b"),
      `mutation L($input: LeaseRunQueueItemsInput!) { leaseRunQueueItems(input: $input) { leases { item { id } } } }`,
      { input: { launchAgentId: createLaunchAgent.launchAgentId, max: 1, waitSeconds: 60 } },
    );
    const id = await a.pushImage("woken", image, withEntryPoint("short.py"));
    expect((await leased).leaseRunQueueItems.leases.map(({ item }) => item.id)).toEqual([id]);
    expect((await events).data).toBeDefined();
  });

  test("an item pushed at one server is run by the other's agent", { timeout: 90_000 }, async () => {
    await a.queue("across");
    const agent = await servers.agent("across", servers.url("b"));
    const id = await a.pushImage("across", image, withEntryPoint("short.py"));
    const item = await a.settled(id);
    expect(item, agent.output()).toMatchObject({ state: "FINISHED", cause: "completed" });
    expect(await a.lines(id)).toContain("algo-1 done");
    expect(await agent.end("SIGTERM"), agent.output()).toBe(0);
  });

  test("a stop at one server reaches the other's agent", { timeout: 90_000 }, async () => {
    await b.queue("stopped");
    const agent = await servers.agent("stopped", servers.url("a"));
    const id = await b.pushImage("stopped", image, withEntryPoint("long.py"));
    await b.untilItem(id, "training", (item) => item.phase === "training");
    await b.client.request(StopItemDocument, { id });
    expect(await b.settled(id), agent.output()).toMatchObject({ state: "STOPPED", training: { status: "Stopped" } });
    expect(await agent.end("SIGTERM"), agent.output()).toBe(0);
  });

  test("pushes that were acknowledged are there after a kill, and an agent takes its way by the other server", {
    timeout: 120_000,
  }, async () => {
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
