import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CreateRepositoryCommand, ECRClient } from "@aws-sdk/client-ecr";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GitServer, startGitServer } from "../../support/git-server.ts";
import { pythonPeers } from "../../support/python-peers.ts";
import type { Started } from "../../support/slipway.ts";
import { pushTrainingImage } from "../../support/training-image.ts";
import { localAwsOf, makeTrainingQueue } from "../../support/training-queue.ts";
import { startWandbWorld, type WandbWorld } from "../../support/wandb-world.ts";
import { awsVariables } from "../../support/world.ts";

/** Our commands against a server that speaks the wandb client's protocol and nothing else. Which database it has plays no part. */

const PROJECT = "plain";
const TRAIN = `import wandb
with wandb.init() as run:
    run.summary["from"] = SOURCE
`;
const codeOf = (source: string) => TRAIN.replace("SOURCE", JSON.stringify(source));

interface Pushed {
  readonly id: string;
  readonly runId: string;
  readonly state: string;
}

let world: WandbWorld;
let git: GitServer;
let image: string;
let python: string;
let ours: Started;

/** `slipway ARGS`, which has to succeed. */
async function slipway(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await world.slipway(args, { env: { GIT_SSL_CAINFO: git.env.GIT_SSL_CAINFO ?? "" } });
  expect(code, `slipway ${args.join(" ")}\n${stdout}\n${stderr}\n${ours?.output()}`).toBe(0);
  return stdout;
}

/** The last of the lines that `--json --follow` prints. */
const last = (stdout: string) => JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Pushed;

async function summaryOf(runId: string): Promise<unknown> {
  const { project } = await world.graphql<{ project: { run: { summaryMetrics: string } } }>(
    `query R($run: String!) { project(name: "${PROJECT}", entityName: "admin") { run(name: $run) { summaryMetrics } } }`,
    { run: runId },
  );
  return JSON.parse(project.run.summaryMetrics).from;
}

beforeAll(async () => {
  [world, git] = await Promise.all([
    startWandbWorld({ database: "sqlite", localAws: true, env: { SLIPWAY_PLAIN_PROTOCOL: "1" } }),
    startGitServer(),
  ]);
  ({ python } = await pythonPeers("0.31.0"));
  const local = localAwsOf(world);
  image = await pushTrainingImage(local, "plain", { "train.py": codeOf("image") });
  await new ECRClient(local.client).send(new CreateRepositoryCommand({ repositoryName: "built" }));
  await mkdir(join(world.dataDir, "code"));
  await writeFile(join(world.dataDir, "code", "train.py"), codeOf("code"));
  await git.commit("train.git", { "train.py": codeOf("git") });
  await makeTrainingQueue(world, "ours");
  await makeTrainingQueue(world, "theirs");
  const config = join(world.dataDir, "launch-config.yaml");
  const registry = `registry: {type: ecr, uri: ${local.environment.ecrRegistry}/built}`;
  await writeFile(config, `${registry}\nbuilder: {type: layer, base: host}\n`);
  ours = world.start(["launch-agent", "-q", "ours", "-c", config, "--data", join(world.dataDir, "agent")], {
    env: {
      ...awsVariables(local.environment),
      WANDB_BASE_URL: world.url,
      WANDB_API_KEY: world.apiKey,
      GIT_SSL_CAINFO: git.env.GIT_SSL_CAINFO ?? "",
    },
  });
});
afterAll(async () => {
  await ours?.end("SIGTERM");
  await world?.close();
  await git?.close();
});

describe("launching", () => {
  const launch = (queue: string, ...args: string[]) => slipway("launch", "-q", queue, "-p", PROJECT, "--json", ...args);

  test.concurrent("what slipway launch pushes is trained by slipway launch-agent", async () => {
    const run = `${python} train.py`;
    await slipway("job", "create", "image", image, "-n", "of-image", "-p", PROJECT, "-E", run);
    const pushed = {
      image: ["-d", image, "-E", run],
      job: ["-j", "of-image"],
      code: [join(world.dataDir, "code"), "-E", run],
      git: [`${git.url}/train.git`, "-E", run],
    };
    const ended = await Promise.all(
      Object.entries(pushed).map(async ([kind, args]) => {
        const item = last(await launch("ours", "--follow", ...args));
        return [kind, item.state, await summaryOf(item.runId)];
      }),
    );
    expect(ended).toEqual([
      ["image", "FINISHED", "image"],
      ["job", "FINISHED", "image"],
      ["code", "FINISHED", "code"],
      ["git", "FINISHED", "git"],
    ]);
  });

  test.concurrent("the end of code that fails is the command's", async () => {
    const { code, stdout } = await world.slipway([
      "launch",
      "-q",
      "ours",
      "-p",
      PROJECT,
      "-d",
      image,
      "-E",
      "python3 nothing.py",
      "--follow",
      "--json",
    ]);
    expect(last(stdout).state).toBe("FAILED");
    expect(code).toBe(1);
  });

  test.concurrent("what slipway launch pushes is trained by wandb launch-agent", async () => {
    const client = await world.client("0.31.0", { env: awsVariables(localAwsOf(world).environment) });
    const agent = client.start(["launch-agent", "-q", "theirs", "-e", "admin", "-j", "2"]);
    try {
      const run = `${python} train.py`;
      await slipway("job", "create", "image", image, "-n", "for-theirs", "-p", PROJECT, "-E", run);
      const items = await Promise.all([
        launch("theirs", "--follow", "-d", image, "-E", run),
        launch("theirs", "--follow", "-j", "for-theirs"),
      ]);
      for (const item of items) {
        expect(last(item).state, agent.output()).toBe("FINISHED");
        expect(await summaryOf(last(item).runId)).toBe("image");
      }
    } finally {
      await agent.stop();
    }
  });
});

describe("other commands", () => {
  test("queues and items are made, listed, shown and deleted as far as the protocol goes", async () => {
    const file = join(world.dataDir, "queue.yaml");
    const { roleArn, bucket } = localAwsOf(world).environment;
    await writeFile(
      file,
      `RoleArn: ${roleArn}
OutputDataConfig: {S3OutputPath: "s3://${bucket}/output"}
ResourceConfig: {InstanceType: ml.m5.large, InstanceCount: 1, VolumeSizeInGB: 1}
StoppingCondition: {MaxRuntimeInSeconds: 900}
`,
    );
    expect(await slipway("queue", "create", "shown", "-f", file)).toContain("created queue admin/shown");
    const again = await world.slipway(["queue", "create", "shown", "-f", file]);
    expect(again.stderr).toContain("QUEUE_EXISTS");
    const shown = JSON.parse(await slipway("queue", "show", "shown", "--json"));
    expect(shown).toMatchObject({ name: "shown", resource: "sagemaker" });
    expect(JSON.stringify(shown.config)).toContain(roleArn);
    const { id, runId } = last(await slipway("launch", "-q", "shown", "-d", image, "--json"));
    const items = JSON.parse(await slipway("item", "list", "-q", "shown", "--json"));
    expect(items).toEqual([{ id, queue: "shown", state: "PENDING", runId: null }]);
    expect(JSON.parse(await slipway("item", "show", id, "--json"))).toEqual(items[0]);
    expect(runId).toMatch(/^[a-z][a-z0-9]{7}$/);
    expect(await slipway("queue", "list")).toMatch(/shown +PROJECT +admin/);
    await slipway("queue", "delete", "shown");
    expect((await world.slipway(["queue", "show", "shown"])).stderr).toContain("QUEUE_NOT_FOUND");
  });

  test("jobs are listed and shown, and the runs they were made by are gone", async () => {
    await slipway("job", "create", "image", "registry.example/img:v7", "-n", "listed", "-p", "jobs");
    const jobs = JSON.parse(await slipway("job", "list", "-p", "jobs", "--json"));
    expect(jobs).toMatchObject([{ name: "listed", version: "v0", aliases: ["latest"] }]);
    expect(await slipway("job", "show", "listed", "-p", "jobs")).toContain("registry.example/img:v7");
    const { project } = await world.graphql<{ project: { runCount: number } }>(
      `{ project(name: "jobs", entityName: "admin") { runCount } }`,
    );
    expect(project.runCount).toBe(0);
  });

  test("what needs a server of ours says so", async () => {
    const commands = ["logs x", "item stop x", "item retry x", "agent list", "agent stop x"];
    const told = await Promise.all(commands.map((command) => world.slipway([...command.split(" "), "--json"])));
    for (const { code, stdout, stderr } of told) {
      expect(code, stderr).toBe(3);
      const { error } = JSON.parse(stdout);
      expect(error).toMatchObject({ code: "NEEDS_SLIPWAY_SERVER" });
      expect(error.message).toContain("speaks the protocol of the wandb client alone");
    }
  });
});
