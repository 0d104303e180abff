import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { DescribeTrainingJobCommand, ListTrainingJobsCommand, SageMakerClient } from "@aws-sdk/client-sagemaker";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pythonPeers, type WandbRelease } from "../../support/python-peers.ts";
import { until } from "../../support/slipway.ts";
import { pushTrainingImage } from "../../support/training-image.ts";
import { localAwsOf, makeTrainingQueue } from "../../support/training-queue.ts";
import { startWandbWorld, type WandbWorld, WORLDS } from "../../support/wandb-world.ts";
import { awsVariables } from "../../support/world.ts";

/** Keys: those that people bring along, and those that jobs are given in their place. */

/** Tells which key it has without telling the key, and tries that key on what is not its own. */
const TRAIN = `
import hashlib, os, wandb
key = os.environ["WANDB_API_KEY"]
run = wandb.init()
api, refused = wandb.Api(), []
for what in (lambda: api.create_project("mine", "admin"), lambda: api.run(os.environ["OTHER_RUN"]), lambda: api.run_queue("admin", os.environ["QUEUE"]).items):
    try:
        what()
    except Exception as error:
        refused.append(type(error).__name__)
run.log({"loss": 1})
run.config.update({"key": hashlib.sha256(key.encode()).hexdigest(), "refused": len(refused)})
run.finish()
`;

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** How a team's keys may look: as the service makes them, as one on one's own machines does, and a token. */
const KEYS: Record<WandbRelease, Readonly<Record<string, string>>> = {
  "0.31.0": {
    plain: "0123456789abcdef0123456789abcdef01234567",
    prefixed: "local-89abcdef0123456789abcdef0123456789abcdef",
    long: `wandb_v1_${"A1b2C3d4".repeat(9)}`,
    token: `eyJhbGciOiJIUzI1NiJ9.${"x".repeat(30)}.${"y".repeat(30)}`,
  },
  "0.23.0": {
    plain: "a123456789abcdef0123456789abcdef01234567",
    prefixed: "local-a9abcdef0123456789abcdef0123456789abcdef",
  },
};

describe.each(WORLDS)("keys on $database", ({ database, releases }) => {
  let world: WandbWorld;
  beforeAll(async () => {
    world = await startWandbWorld({ database, localAws: true });
  });
  afterAll(() => world?.close());

  async function ok(args: readonly string[], input?: string): Promise<string> {
    const done = await world.slipway(args, input === undefined ? {} : { input });
    expect(done.code, done.stdout + done.stderr).toBe(0);
    return done.stdout;
  }

  test.each(releases)("a team moves here with the keys that its people have, wandb %s", async (release) => {
    for (const [kind, key] of Object.entries(KEYS[release])) {
      const name = `${kind}-${release.replaceAll(".", "-")}`;
      if (kind === "plain") {
        const file = join(world.dataDir, `${name}.key`);
        await writeFile(file, `${key}\n`);
        expect(await ok(["admin", "user", "create", name, "--api-key-file", file])).not.toContain(key);
      } else if (kind === "prefixed") {
        expect(await ok(["admin", "user", "create", name, "--api-key-stdin"], `${key}\n`)).not.toContain(key);
      } else {
        await ok(["admin", "user", "create", name]);
        expect(await ok(["admin", "key", "create", name, "--api-key-stdin"], `${key}\n`)).not.toContain(key);
      }
      const client = await world.client(release, { apiKey: key });
      const { code, stdout, stderr } = await client.python("import wandb; print(wandb.Api().viewer.username)");
      expect(code, stderr).toBe(0);
      expect(stdout.trim().split("\n").at(-1)).toBe(name);
    }
  });

  test("keys are listed by their beginnings, and a revoked one is good for nothing", async () => {
    await ok(["admin", "user", "create", "leaver"]);
    const made = JSON.parse(await ok(["admin", "key", "create", "leaver", "--name", "laptop", "--json"])) as {
      id: string;
      key: string;
    };
    const listed = await ok(["admin", "key", "list", "--json"]);
    expect(listed).not.toContain(made.key);
    expect(JSON.parse(listed)).toContainEqual(
      expect.objectContaining({ user: "leaver", description: "laptop", id: made.id }),
    );
    const python = `import wandb; print(wandb.Api().viewer.username)`;
    const client = await world.client("0.31.0", { apiKey: made.key });
    expect((await client.python(python)).code).toBe(0);
    await ok(["admin", "key", "revoke", made.id]);
    expect((await client.python(python)).code).not.toBe(0);
    const both = await world.slipway(["admin", "key", "create", "leaver", "--api-key-stdin", "--api-key", "x"]);
    expect(both.code).toBe(2);
    expect(both.stderr).toContain("Give one of --api-key, --api-key-file and --api-key-stdin");
  });

  test.each(["wandb launch-agent", "slipway launch-agent"] as const)(
    "%s: a job has a key of its own, and the person's key is nowhere on its way",
    async (agent) => {
      const local = localAwsOf(world);
      const queue = agent.split(" ")[0] ?? "";
      const image = await pushTrainingImage(local, queue, { "train.py": TRAIN });
      const client = await world.client("0.31.0");
      const other = await client.python(
        `import wandb; run = wandb.init(project="secrets", id="other-${queue}"); run.finish()`,
      );
      expect(other.code, other.stderr).toBe(0);
      await makeTrainingQueue(world, queue, { QUEUE: queue, OTHER_RUN: `admin/secrets/other-${queue}` });
      const env = awsVariables(local.environment);
      const running =
        agent === "wandb launch-agent"
          ? (await world.client("0.31.0", { env })).start(["launch-agent", "-q", queue, "-e", "admin"])
          : world.start(["launch-agent", "-q", queue, "--data", join(world.dataDir, "agent")], {
              env: { ...env, WANDB_BASE_URL: world.url, WANDB_API_KEY: world.apiKey },
            });
      const { python } = await pythonPeers("0.31.0");
      const launched = await client.wandb([
        ...["launch", "-d", image, "-q", queue, "-e", "admin", "-p", "secrets", "--entry-point", `${python} train.py`],
      ]);
      expect(launched.code, launched.stderr).toBe(0);

      const find = `query N($queue: String!) { runQueueItems(entityName: "admin", queueName: $queue, first: 1) { edges { node {
        runId state message runSpec error { message } training { request } timeline { kind message detail }
        logs(first: 500) { lines { text } } } } } }`;
      interface Node {
        readonly runId: string;
        readonly state: string;
      }
      const ended = await until(`the end of the item\n${running.output()}`, async () => {
        const { runQueueItems } = await world.graphql<{ runQueueItems: { edges: { node: Node }[] } }>(find, { queue });
        const node = runQueueItems.edges[0]?.node;
        return node && ["FINISHED", "FAILED"].includes(node.state) ? node : undefined;
      });
      expect(ended.state, `${JSON.stringify(ended, null, 1)}\n${running.output()}`).toBe("FINISHED");

      const { project } = await world.graphql<{ project: { run: { config: string } } }>(
        `query R($name: String!) { project(name: "secrets", entityName: "admin") { run(name: $name) { config } } }`,
        { name: ended.runId },
      );
      const config = JSON.parse(project.run.config) as { key: { value: string }; refused: { value: number } };
      expect(config.key.value).not.toBe(sha256(world.apiKey));
      expect(config.refused.value).toBe(3);

      const sagemaker = new SageMakerClient(local.client);
      const { TrainingJobSummaries = [] } = await sagemaker.send(new ListTrainingJobsCommand({}));
      const described = await Promise.all(
        TrainingJobSummaries.map(({ TrainingJobName }) =>
          sagemaker.send(new DescribeTrainingJobCommand({ TrainingJobName })),
        ),
      );
      const keys = described.map(({ Environment }) => sha256(Environment?.WANDB_API_KEY ?? ""));
      expect(keys).toContain(config.key.value);
      const jobKey = described.find(({ Environment }) => sha256(Environment?.WANDB_API_KEY ?? "") === config.key.value)
        ?.Environment?.WANDB_API_KEY;
      expect(JSON.stringify(described)).not.toContain(world.apiKey);
      // What people see of the item has no key at all, the job's neither.
      expect(JSON.stringify(ended)).not.toContain(world.apiKey);
      expect(JSON.stringify(ended)).not.toContain(jobKey);
      expect(running.output()).not.toContain(world.apiKey);
      await (agent === "wandb launch-agent"
        ? (running as { stop: () => Promise<unknown> }).stop()
        : (running as { end: (signal: "SIGTERM") => Promise<unknown> }).end("SIGTERM"));

      const holding = await filesWith(world.dataDir, world.apiKey);
      // Where the first admin's key is kept on purpose, and the person's own home.
      expect(holding.filter((file) => file !== "credentials.json" && !file.startsWith("homes/"))).toEqual([]);
    },
  );
});

/** The files below a directory that hold the text, by their paths from there. */
async function filesWith(directory: string, text: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const content = await readFile(path).catch(() => Buffer.alloc(0));
    if (content.includes(text)) found.push(relative(directory, path));
  }
  return found;
}
