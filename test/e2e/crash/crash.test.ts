import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CRASH_POINTS } from "../../../src/agent/crash-point.ts";
import { StopItemDocument } from "../../../src/client/generated/operations.ts";
import { addressOf, type Started, startSlipway, until } from "../../support/slipway.ts";
import { awsVariables, type Item, openWorld, temporaryDirectory, type World } from "../../support/world.ts";

/**
 * The agent dies by SIGKILL between any two steps of a job, the server and the local AWS at any moment: everything is
 * started again, and the job ends once and completely.
 */

let dataDir: string;
let remove: () => Promise<void>;
let world: World;
let repository: string;
let image: string;
const running: Started[] = [];
const parts: { server?: Started; aws?: Started } = {};

const LINES = [0, 1, 2, 3].map((i) => `algo-1 line ${i}`);
/** Prints, waits for a moment, prints again: long enough to be killed in between. */
const TRAIN = `import time
for i in range(4):
    print("line", i)
    time.sleep(0.4)
open("/opt/ml/model/m.txt", "w").write("m")
`;
const LONG = `import time
print("begun")
time.sleep(600)
`;

beforeAll(async () => {
  const directory = await temporaryDirectory("crash");
  dataDir = directory.path;
  remove = directory.remove;
  parts.aws = await startPart("local-aws", ["local-aws", "--port", "0"]);
  parts.server = await startPart("server", ["server", "--port", "0"]);
  world = await openWorld(dataDir);
  repository = await world.repository("jobs");
  // An image for the points that need one which is there already.
  await world.queue("first");
  const id = await world.pushCode("first", program("first", TRAIN), ["python3", "-u", "train.py"]);
  const agent = await startAgent("first");
  const item = await world.settled(id);
  expect(item.state, JSON.stringify(item)).toBe("FINISHED");
  image = item.training?.imageUri ?? "";
  await agent.end();
});

afterAll(async () => {
  await Promise.all(running.map((one) => one.end("SIGKILL")));
  await parts.server?.end();
  await parts.aws?.end();
  await remove?.();
});

async function startPart(part: "server" | "local-aws", args: readonly string[]): Promise<Started> {
  const before = await addressOf(dataDir, part).catch(() => undefined);
  const started = startSlipway(dataDir, [...args, "--data", dataDir]);
  await until(
    part,
    async () => {
      const url = await addressOf(dataDir, part);
      const response = await fetch(part === "server" ? `${url}/readyz` : url);
      await response.body?.cancel();
      return part === "local-aws" || response.ok ? url : undefined;
    },
    started,
  );
  if (before !== undefined) expect(await addressOf(dataDir, part)).toBe(before);
  return started;
}

/** An agent with a data directory of its own (so it is nobody else's successor). */
async function startAgent(queue: string, crashAt?: string): Promise<Started> {
  const agentDir = join(dataDir, "agents-of", queue);
  mkdirSync(agentDir, { recursive: true });
  const config = join(agentDir, "launch-config.yaml");
  writeFileSync(config, `registry: {type: ecr, uri: ${repository}}\nbuilder: {type: layer, base: host}\n`);
  const { readFile } = await import("node:fs/promises");
  const { apiKey } = JSON.parse(await readFile(join(dataDir, "credentials.json"), "utf8")) as { apiKey: string };
  const agent = startSlipway(agentDir, ["launch-agent", "-q", queue, "-c", config, "--data", agentDir], {
    env: {
      ...awsVariables(world.aws),
      WANDB_BASE_URL: world.client.baseUrl,
      WANDB_API_KEY: apiKey,
      ...(crashAt === undefined ? {} : { SLIPWAY_TEST_CRASH_AT: crashAt }),
    },
  });
  running.push(agent);
  return agent;
}

function program(name: string, text: string): string {
  const directory = join(dataDir, "code", name);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "train.py"), text);
  return directory;
}

async function expectOnce(id: string, item: Item): Promise<void> {
  expect(item, JSON.stringify(item)).toMatchObject({ state: "FINISHED", cause: "completed", attempt: 1 });
  const jobs = await world.trainingJobs(item.runId);
  expect(jobs.map((job) => job.TrainingJobStatus)).toEqual(["Completed"]);
  expect((await world.lines(id)).filter((line) => line.startsWith("algo-"))).toEqual(LINES);
  const ends = (await world.timeline(id)).filter((entry) => entry.kind === "settled");
  expect(ends).toHaveLength(1);
}

describe.concurrent("the agent is killed", () => {
  const ordinary = CRASH_POINTS.filter((point) => point !== "stop-sent");

  test.for(ordinary)("at the point %s", async (point) => {
    await world.queue(point);
    const id =
      point === "image-checked"
        ? await world.pushImage(point, image)
        : await world.pushCode(point, program(point, TRAIN), ["python3", "-u", "train.py"]);
    const doomed = await startAgent(point, point);
    expect(await doomed.end("SIGCONT"), doomed.output()).toBeNull();
    const next = await startAgent(point);
    await until("the next agent", async () => (/agent \S+ serves/.test(next.output()) ? true : undefined), next);
    await expectOnce(id, await world.settled(id));
    expect(await next.end("SIGTERM"), next.output()).toBe(0);
  });

  test("after it has sent a stop", async () => {
    await world.queue("stop-sent");
    const id = await world.pushCode("stop-sent", program("stop-sent", LONG), ["python3", "-u", "train.py"]);
    const doomed = await startAgent("stop-sent", "stop-sent");
    await world.untilItem(id, "training", (item) => item.phase === "training");
    await world.client.request(StopItemDocument, { id });
    expect(await doomed.end("SIGCONT"), doomed.output()).toBeNull();
    await startAgent("stop-sent");
    const item = await world.settled(id);
    expect(item).toMatchObject({ state: "STOPPED", cause: "stopped", training: { status: "Stopped" } });
    expect(item.message).toContain(`by ${world.entity}`);
  });
});

describe("a service is killed and started again", () => {
  const port = async (part: "server" | "local-aws") => new URL(await addressOf(dataDir, part)).port;

  test("the server, while a job trains", async () => {
    await world.queue("server-dies");
    const id = await world.pushCode("server-dies", program("server-dies", TRAIN), ["python3", "-u", "train.py"]);
    await startAgent("server-dies");
    await world.untilItem(id, "training", (item) => item.phase === "training");
    const same = await port("server");
    expect(await parts.server?.end("SIGKILL")).toBeNull();
    parts.server = await startPart("server", ["server", "--port", same]);
    await expectOnce(id, await world.settled(id));
  });

  test("the server, with items in the queue", async () => {
    await world.queue("server-dies-early");
    const id = await world.pushImage("server-dies-early", image);
    const same = await port("server");
    expect(await parts.server?.end("SIGKILL")).toBeNull();
    parts.server = await startPart("server", ["server", "--port", same]);
    await startAgent("server-dies-early");
    await expectOnce(id, await world.settled(id));
  });

  test("the local AWS, at rest", async () => {
    await world.queue("aws-dies");
    const same = await port("local-aws");
    expect(await parts.aws?.end("SIGKILL")).toBeNull();
    const id = await world.pushImage("aws-dies", image);
    await startAgent("aws-dies");
    await world.untilItem(id, "an attempt without AWS", (item) => item.phase === "waiting");
    parts.aws = await startPart("local-aws", ["local-aws", "--port", same]);
    await expectOnce(id, await world.settled(id));
  });

  test("the local AWS, while a job trains", async () => {
    await world.queue("aws-dies-late");
    const id = await world.pushImage("aws-dies-late", image);
    await startAgent("aws-dies-late");
    await world.untilItem(id, "training", (item) => item.phase === "training");
    const same = await port("local-aws");
    expect(await parts.aws?.end("SIGKILL")).toBeNull();
    parts.aws = await startPart("local-aws", ["local-aws", "--port", same]);
    await expectOnce(id, await world.settled(id));
  });
});
