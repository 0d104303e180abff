import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CreateTrainingJobCommand, DescribeTrainingJobCommand } from "@aws-sdk/client-sagemaker";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { awsVariables, openWorld, temporaryDirectory, type World } from "../../test/support/world.ts";
import { AgentsDocument, StopAgentDocument, StopItemDocument } from "../client/generated/operations.ts";
import { parseLaunchConfig } from "../core/launch-config/launch-config.ts";
import { readLocalAwsConfig } from "../local-aws/config.ts";
import { startLocalAws } from "../local-aws/start.ts";
import { readServerConfig } from "../server/config.ts";
import { startServer } from "../server/start.ts";
import { type AgentOverrides, readAgentConfig } from "./config.ts";
import { type RunningAgent, startAgent } from "./start.ts";

let dataDir: string;
let world: World;
let repository: string;
const closers: (() => Promise<void>)[] = [];
const agents: RunningAgent[] = [];
const logger = pino({ level: process.env.SLIPWAY_TEST_LOG ?? "silent" });

beforeAll(async () => {
  const directory = await temporaryDirectory("agent-test");
  dataDir = directory.path;
  closers.push(directory.remove);
  const aws = await startLocalAws(
    readLocalAwsConfig({ PATH: process.env.PATH, SLIPWAY_LOCAL_AWS_STOP_GRACE_SECONDS: "2" }, { dataDir, port: 0 }),
    { logger },
  );
  closers.push(() => aws.close());
  const server = await startServer(readServerConfig({}, { dataDir, port: 0 }), { logger });
  closers.push(() => server.close());
  world = await openWorld(dataDir);
  Object.assign(process.env, awsVariables(world.aws));
  repository = await world.repository("jobs");
});

afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.close()));
});

afterAll(async () => {
  for (const close of closers.reverse()) await close();
});

async function agentOf(queues: string[], overrides: AgentOverrides = {}): Promise<RunningAgent> {
  const file = `registry: {type: ecr, uri: ${repository}}\nbuilder: {type: layer, base: host}\nmax_jobs: 8\n`;
  const config = readAgentConfig({}, parseLaunchConfig(file, "launch-config.yaml"), {
    queues,
    dataDir,
    baseUrl: world.client.baseUrl,
    apiKey: await apiKey(),
    ...overrides,
  });
  const agent = await startAgent(config, { logger });
  agents.push(agent);
  return agent;
}

async function apiKey(): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  return (JSON.parse(await readFile(join(dataDir, "credentials.json"), "utf8")) as { apiKey: string }).apiKey;
}

let programs = 0;
/** A directory with one program. */
function program(text: string): string {
  const directory = join(dataDir, `code-${++programs}`);
  mkdirSync(directory);
  writeFileSync(join(directory, "train.py"), text);
  return directory;
}

const python = ["python3", "-u", "train.py"];
const TRAIN = `import os
for i in range(5):
    print("line", i)
open(os.path.join("/opt/ml/model", "model.txt"), "w").write("m")
`;
const LONG = `import time
print("begun")
for i in range(6000):
    time.sleep(0.1)
`;

test("code goes the whole way: built, submitted, watched with its log, settled", async () => {
  await world.queue("way");
  const id = await world.pushCode("way", program(TRAIN), python);
  await agentOf(["way"]);
  const item = await world.settled(id);
  expect(item).toMatchObject({ state: "FINISHED", cause: "completed", attempt: 1 });
  expect(item.training).toMatchObject({ status: "Completed", exitCode: 0, name: item.runId });
  expect(item.training?.modelArtifacts).toMatch(/^s3:\/\/.*model\.tar\.gz$/);
  const phases = (await world.timeline(id)).map((entry) => entry.phase).filter((phase) => phase !== null);
  const order = ["queued", "planning", "building", "submitting", "starting", "training", "settled"];
  const firsts = order.map((phase) => phases.indexOf(phase));
  expect(firsts, phases.join(" ")).toEqual([...firsts].sort((a, b) => a - b));
  expect(
    firsts.every((place) => place >= 0),
    phases.join(" "),
  ).toBe(true);
  const lines = await world.lines(id);
  expect(lines.filter((line) => line.startsWith("algo-1"))).toEqual([0, 1, 2, 3, 4].map((i) => `algo-1 line ${i}`));
  expect(lines.some((line) => line.startsWith("build "))).toBe(true);

  const again = await world.pushCode("way", program(TRAIN), python);
  const repeated = await world.settled(again);
  expect(repeated).toMatchObject({ state: "FINISHED" });
  expect((await world.timeline(again)).some((entry) => /was built before/.test(entry.message ?? ""))).toBe(true);

  const prebuilt = await world.pushImage("way", item.training?.imageUri ?? "");
  expect(await world.settled(prebuilt)).toMatchObject({ state: "FINISHED" });
});

test("code that exits 3, an image that is not there and a name that is taken each fail in their own way", async () => {
  await world.queue("fails");
  await agentOf(["fails"]);
  const exits = await world.pushCode("fails", program("import sys\nprint('bad')\nsys.exit(3)\n"), python);
  const missing = await world.pushImage("fails", `${repository}:nowhere`);
  await world.sagemaker.send(
    new CreateTrainingJobCommand({
      TrainingJobName: "taken1",
      RoleArn: world.aws.roleArn,
      AlgorithmSpecification: { TrainingImage: await someImage(), TrainingInputMode: "File" },
      OutputDataConfig: { S3OutputPath: `s3://${world.aws.bucket}/taken` },
      ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 1 },
      StoppingCondition: { MaxRuntimeInSeconds: 60 },
    }),
  );
  const taken = await world.pushCode("fails", program(TRAIN), python, { run_id: "taken1" });

  const exited = await world.settled(exits);
  expect(exited).toMatchObject({ state: "FAILED", cause: "code_failed", training: { exitCode: 3 } });
  expect(await world.lines(exits)).toContain("algo-1 bad");
  expect(await world.settled(missing)).toMatchObject({ state: "FAILED", cause: "build" });
  const conflict = await world.settled(taken);
  expect(conflict).toMatchObject({ state: "FAILED", cause: "name_conflict" });
  expect(conflict.message).toContain("taken1");
});

/** An image that some run before has built. */
async function someImage(): Promise<string> {
  await world.queue("images");
  const id = await world.pushCode("images", program(TRAIN), python);
  const agent = await agentOf(["images"]);
  const item = await world.settled(id);
  await agent.close();
  return item.training?.imageUri ?? "";
}

test("a stop becomes StopTrainingJob within a moment, and the item ends as stopped", async () => {
  await world.queue("stops");
  await agentOf(["stops"]);
  const id = await world.pushCode("stops", program(LONG), python);
  await world.untilItem(id, "training", (item) => item.phase === "training");
  await world.client.request(StopItemDocument, { id });
  const item = await world.settled(id);
  expect(item).toMatchObject({ state: "STOPPED", cause: "stopped", training: { status: "Stopped" } });
  expect(item.message).toContain(`by ${world.entity}`);
  const asked = Date.parse((await entryOf(id, /stop_requested/))?.at ?? "");
  const sent = Date.parse((await entryOf(id, /stopping/))?.at ?? "");
  expect(sent - asked).toBeLessThan(5_000);
});

async function entryOf(id: string, kind: RegExp): Promise<{ at: string } | undefined> {
  return (await world.timeline(id)).find((entry) => kind.test(entry.kind));
}

test("the longest runtime is an end of its own", async () => {
  await world.queue("short", { StoppingCondition: { MaxRuntimeInSeconds: 1 } });
  await agentOf(["short"]);
  const id = await world.pushCode("short", program(LONG), python);
  const item = await world.settled(id);
  expect(item).toMatchObject({ cause: "max_runtime", training: { secondaryStatus: "MaxRuntimeExceeded" } });
});

test("an agent that closes hands its jobs over, and the next one follows them to their end", async () => {
  await world.queue("handover");
  const first = await agentOf(["handover"]);
  const wait = `import os, time
print("begun")
while not os.path.exists("/opt/ml/input/config/../../go"):
    time.sleep(0.05)
    if time.time() - ${Math.floor(Date.now() / 1000)} > 8: break
print("done")
`;
  const id = await world.pushCode("handover", program(wait), python);
  await world.untilItem(id, "training", (item) => item.phase === "training");
  await first.close();
  const between = await world.item(id);
  expect(between.state).toBe("CLAIMED");
  await agentOf(["handover"]);
  const item = await world.settled(id);
  expect(item).toMatchObject({ state: "FINISHED", attempt: 1 });
  expect(await world.trainingJobs(item.runId)).toHaveLength(1);
  expect((await world.lines(id)).filter((line) => line.startsWith("algo-1"))).toEqual(["algo-1 begun", "algo-1 done"]);
  expect((await world.timeline(id)).some((entry) => entry.kind === "adopted")).toBe(true);
});

test("several queues, never more jobs at once than allowed", async () => {
  await world.queue("one");
  await world.queue("two");
  await agentOf(["one", "two"], { maxJobs: 1 });
  const directory = program(TRAIN);
  const ids = await Promise.all(["one", "two", "one"].map((queue) => world.pushCode(queue, directory, python)));
  const items = await Promise.all(ids.map((id) => world.settled(id)));
  expect(items.map((item) => item.state)).toEqual(["FINISHED", "FINISHED", "FINISHED"]);
  const times = await Promise.all(
    items.map(async ({ runId }) => {
      const job = await world.sagemaker.send(new DescribeTrainingJobCommand({ TrainingJobName: runId }));
      return { from: job.CreationTime?.getTime() ?? 0, to: job.TrainingEndTime?.getTime() ?? 0 };
    }),
  );
  times.sort((a, b) => a.from - b.from);
  for (let i = 1; i < times.length; i++) expect(times[i]?.from).toBeGreaterThanOrEqual(times[i - 1]?.to ?? Infinity);
});

test("credentials that AWS refuses make the item wait and say so, until they are good again", async () => {
  await world.queue("credentials");
  process.env.AWS_SECRET_ACCESS_KEY = "x".repeat(40);
  const id = await world.pushCode("credentials", program(TRAIN), python);
  const agent = await agentOf(["credentials"]);
  const waiting = await world.untilItem(id, "waiting", (item) => item.phase === "waiting");
  expect(waiting).toMatchObject({ state: "PENDING", cause: "credentials" });
  expect(waiting.waitingReason).toMatch(/credentials/);
  await agent.close();
  Object.assign(process.env, awsVariables(world.aws));
  await agentOf(["credentials"]);
  expect(await world.settled(id)).toMatchObject({ state: "FINISHED", attempt: 1 });
});

test("an agent that is asked to stop leaves by itself", async () => {
  await world.queue("leaving");
  const agent = await agentOf(["leaving"]);
  const agentsNow = () => world.client.request(AgentsDocument, { entityName: world.entity });
  expect((await agentsNow()).launchAgents.map((one) => one.id)).toContain(agent.id);
  await world.client.request(StopAgentDocument, { id: agent.id });
  await agent.closed;
  expect((await agentsNow()).launchAgents.map((one) => one.id)).not.toContain(agent.id);
});

test("a queue that does not exist is named, with the nearest that does", async () => {
  await world.queue("exact-name");
  await expect(agentOf(["exact-nam"])).rejects.toMatchObject({
    code: "AGENT_QUEUE_UNKNOWN",
    problems: [{ hint: expect.stringContaining("exact-name") }],
  });
});
