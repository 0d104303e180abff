import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WandbRelease } from "../../support/python-peers.ts";
import { until } from "../../support/slipway.ts";
import { startWandbWorld, type WandbWorld, WORLDS } from "../../support/wandb-world.ts";

/** `wandb launch` and `wandb launch-agent` of the unmodified client: what is pushed, what comes of it, and how it ends. */

const CONFIG = {
  RoleArn: "arn:aws:iam::123456789012:role/SlipwaySageMakerExecution",
  OutputDataConfig: { S3OutputPath: "s3://slipway-123456789012-us-east-1/output" },
  ResourceConfig: { InstanceType: "{{instance}}", InstanceCount: 1, VolumeSizeInGB: 10 },
  StoppingCondition: { MaxRuntimeInSeconds: 600 },
};
const VARIABLES = {
  instance: { schema: { type: "string", enum: ["ml.m5.large", "ml.m5.xlarge"], default: "ml.m5.large" } },
};

/** Nothing listens there: what the agent submits fails at once, and that must reach the item. */
const NO_AWS = {
  AWS_ENDPOINT_URL: "http://127.0.0.1:9",
  AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE",
  AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  AWS_REGION: "us-east-1",
  AWS_MAX_ATTEMPTS: "1",
};

interface Item {
  readonly id: string;
  readonly runId: string;
  readonly state: string;
  readonly associatedRunId: string | null;
  readonly error: { readonly message: string; readonly stage: string; readonly filePaths: readonly string[] } | null;
  readonly failureFiles: readonly { readonly name: string; readonly url: string }[];
  readonly warnings: readonly string[];
  readonly timeline: readonly { readonly kind: string }[];
  readonly [field: string]: unknown;
}

const ITEM = `id runId state associatedRunId name priority author projectName runSpec warnings
  error { message stage filePaths } failureFiles { name url } timeline { kind }`;

describe.each(WORLDS)("launching on $database", ({ database, releases }) => {
  let world: WandbWorld;
  beforeAll(async () => {
    world = await startWandbWorld({ database, env: { SLIPWAY_ACKNOWLEDGE_SECONDS: "2" } });
  });
  afterAll(() => world?.close());

  async function makeQueue(name: string): Promise<void> {
    const upsert = `mutation Q($input: UpsertRunQueueInput!) { upsertRunQueue(input: $input) { success } }`;
    await world.graphql(upsert, {
      input: {
        entityName: world.entity,
        projectName: "model-registry",
        queueName: name,
        resourceType: "sagemaker",
        resourceConfig: JSON.stringify(CONFIG),
        templateVariables: JSON.stringify(VARIABLES),
      },
    });
  }

  async function newest(queue: string): Promise<Item | undefined> {
    const { runQueueItems } = await world.graphql<{ runQueueItems: { edges: { node: Item }[] } }>(
      `query N($queue: String!) { runQueueItems(entityName: "admin", queueName: $queue, first: 1) { edges { node { ${ITEM} } } } }`,
      { queue },
    );
    return runQueueItems.edges[0]?.node;
  }

  async function itemById(id: string): Promise<Item> {
    return (
      await world.graphql<{ runQueueItem: Item }>(`query I($id: ID!) { runQueueItem(id: $id) { ${ITEM} } }`, { id })
    ).runQueueItem;
  }

  async function launch(release: WandbRelease, ...args: string[]): Promise<{ code: number | null; said: string }> {
    const { code, stdout, stderr } = await (await world.client(release)).wandb(["launch", ...args]);
    return { code, said: stdout + stderr };
  }

  describe.each(releases)("wandb %s", (release) => {
    const tag = release.replaceAll(".", "-");

    test("every option of wandb launch reaches the item", async () => {
      const queue = `options-${tag}`;
      await makeQueue(queue);
      const config = join(world.dataDir, `config-${tag}.json`);
      await writeFile(config, JSON.stringify({ overrides: { run_config: { lr: 0.5 }, args: ["--epochs", "2"] } }));
      const target = ["-d", "busybox:1", "-q", queue, "-e", "admin", "-p", "Digits"];
      const done = await launch(
        release,
        ...target,
        ...["--set-var", "instance=ml.m5.xlarge", "--priority", "high", "--entry-point", "python train.py --fast"],
        ...["--config", config, "--name", "A first try", "--resource", "sagemaker"],
        ...["--resource-args", JSON.stringify({ sagemaker: { StoppingCondition: { MaxRuntimeInSeconds: 900 } } })],
      );
      expect(done.code, done.said).toBe(0);
      expect(done.said).toContain(`Added run to queue ${queue}`);
      expect(await newest(queue)).toMatchObject({
        state: "PENDING",
        associatedRunId: null,
        name: "A first try",
        priority: 1,
        author: "admin",
        projectName: "Digits",
        runSpec: {
          resource: "sagemaker",
          docker: { docker_image: "busybox:1" },
          overrides: {
            run_config: { lr: 0.5 },
            args: ["--epochs", "2"],
            entry_point: ["python", "train.py", "--fast"],
          },
          resource_args: {
            sagemaker: {
              ...CONFIG,
              ResourceConfig: { InstanceType: "ml.m5.xlarge", InstanceCount: 1, VolumeSizeInGB: 10 },
              StoppingCondition: { MaxRuntimeInSeconds: 900 },
            },
          },
        },
      });

      const plain = await launch(release, ...target);
      expect(plain.code, plain.said).toBe(0);
      expect(await newest(queue)).toMatchObject({ name: null, priority: 2, runSpec: { overrides: {} } });
    });

    test("what can't be pushed is refused with the reason, and leaves no item", async () => {
      const queue = `refused-${tag}`;
      await makeQueue(queue);
      const target = ["-d", "busybox:1", "-e", "admin", "-p", "digits"];
      const args = (body: object) => ["--resource-args", JSON.stringify({ sagemaker: body })];
      const refused: readonly (readonly [string, readonly string[]])[] = [
        ["Queue not found", ["-q", "nope"]],
        ["ml.p5.huge", ["-q", queue, "--set-var", "instance=ml.p5.huge"]],
        ["InstanceTypo", ["-q", queue, ...args({ ResourceConfig: { InstanceTypo: "ml.m5.large" } })]],
      ];
      for (const [reason, more] of refused) {
        const { code, said } = await launch(release, ...target, ...more);
        expect(code, said).not.toBe(0);
        expect(said).toContain(reason);
      }
      expect(await newest(queue)).toBeUndefined();
    });

    test("a second acknowledge is refused and its failure is not the winner's; warnings are kept", async () => {
      const queue = `calls-${tag}`;
      await makeQueue(queue);
      await launch(release, "-d", "busybox:1", "-q", queue, "-e", "admin", "-p", "digits");
      const seen = await python<Record<string, unknown>>(
        release,
        `
popped = agent_api.pop_from_run_queue("${queue}", "admin", "model-registry")
item = popped["runQueueItemId"]
nothing = agent_api.pop_from_run_queue("${queue}", "admin", "model-registry")
first = agent_api.ack_run_queue_item(item, popped["runSpec"]["run_id"])
try:
  second = agent_api.ack_run_queue_item(item, "other")
except Exception as e:
  second = str(e)
loser = agent_api.fail_run_queue_item(item, "lost it", "agent", None)
warned = agent_api.update_run_queue_item_warning(item, "the image is large", "agent", [])
stopped = agent_api.check_stop_requested("digits", "admin", popped["runSpec"]["run_id"])
run = wandb.Api().run("admin/digits/" + popped["runSpec"]["run_id"])
state = agent_api.get_run_state("admin", "digits", run.id)
run.stop() if hasattr(run, "stop") else None
after = agent_api.check_stop_requested("digits", "admin", run.id) if hasattr(run, "stop") else True
print(json.dumps({"item": item, "author": popped["runSpec"]["author"], "nothing": nothing, "first": first, "second": second,
  "loser": loser, "warned": warned, "stopped": stopped, "state": state, "after": after}))`,
      );
      expect(seen).toMatchObject({
        author: "admin",
        nothing: null,
        first: true,
        second: expect.stringContaining("already been acknowledged"),
        loser: false,
        warned: true,
        stopped: false,
        state: "pending",
        after: true,
      });
      const item = await itemById(seen.item as string);
      expect(item).toMatchObject({ state: "CLAIMED", warnings: ["the image is large"], error: null });
    });
  });

  // Side by side: an agent looks for work every ten seconds.
  test.concurrent.each(releases)(
    "an agent of wandb %s takes what another has dropped, tells a failure with its file, and leaves when it is told to",
    async (release) => {
      const queue = `agent-${release}`;
      await makeQueue(queue);
      const pushed = await launch(release, "-d", "busybox:1", "-q", queue, "-e", "admin", "-p", "digits");
      expect(pushed.code, pushed.said).toBe(0);
      const item = await newest(queue);
      if (!item) throw new Error("nothing was pushed");

      // The client's own call, by a program that ends without an acknowledgement.
      const dropped = await python(
        release,
        `print(json.dumps(agent_api.pop_from_run_queue("${queue}", "admin", "model-registry")["runQueueItemId"]))`,
      );
      expect(dropped).toBe(item.id);

      const client = await world.client(release, { env: NO_AWS });
      const agent = client.start(["launch-agent", "-q", queue, "-e", "admin", "-j", "1"]);
      try {
        const failed = await until(`the end of the item\n${agent.output()}`, async () => {
          const now = await itemById(item.id);
          return now.state === "FAILED" ? now : undefined;
        });
        expect(failed.associatedRunId).toBe(item.runId);
        expect(failed.timeline.map(({ kind }) => kind)).toEqual([
          ...["pushed", "leased", "lease_expired", "leased", "claimed", "settled"],
        ]);
        expect(failed.error).toMatchObject({ stage: "agent", message: expect.stringContaining("127.0.0.1:9") });
        const kept = await until("the file of the failure", async () => (await itemById(item.id)).failureFiles[0]);
        expect(kept.name).toContain("error");
        const answer = await fetch(kept.url, { headers: { authorization: `Bearer ${world.apiKey}` } });
        const trace = await answer.text();
        expect(trace).toContain("Traceback");
        expect(trace).toContain("127.0.0.1:9");
        expect((await fetch(kept.url)).status).toBe(401);

        const { launchAgents } = await world.graphql<{
          launchAgents: { id: string; name: string; queueNames: string[]; alive: boolean; agentStatus: string }[];
        }>(`query A { launchAgents(entityName: "admin") { id name queueNames alive agentStatus } }`);
        const mine = launchAgents.find(({ queueNames }) => queueNames.includes(queue));
        if (!mine) throw new Error("the agent is not there");
        expect(mine).toMatchObject({ alive: true });
        await world.graphql(`mutation S($id: ID!) { stopLaunchAgent(input: { launchAgentId: $id }) { success } }`, {
          id: mine.id,
        });
        await agent.until(/stop/i);

        const after = await python<Record<string, unknown>>(
          release,
          `
queued = api.queued_run("admin", "digits", "${queue}", "${item.id}", project_queue="model-registry")
run = queued.wait_until_running()
ended = queued.wait_until_finished()
own = api.run("admin/model-registry/${mine.name}")
import time
for _ in range(40):
  if own.state != "running": break
  time.sleep(0.25)
  own.load(force=True)
print(json.dumps({"state": queued.state, "run": run.id, "ended": ended.state, "own": [own.state, own.job_type]}))`,
        );
        expect(after).toEqual({
          state: "failed",
          run: item.runId,
          ended: "failed",
          own: ["finished", "sweep-controller"],
        });
      } finally {
        await agent.stop();
      }
    },
  );

  async function python<T>(release: WandbRelease, source: string): Promise<T> {
    const client = await world.client(release);
    const agentApi =
      release === "0.23.0"
        ? "from wandb.sdk.internal.internal_api import Api as AgentApi"
        : "from wandb.sdk.launch.api import LaunchApi as AgentApi";
    const prelude = `import json, wandb\n${agentApi}\nagent_api = AgentApi()\napi = wandb.Api()\n`;
    const { code, stdout, stderr } = await client.python(prelude + source);
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as T;
  }
});
