import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pythonPeers, type WandbRelease } from "../../support/python-peers.ts";
import { until } from "../../support/slipway.ts";
import { pushTrainingImage } from "../../support/training-image.ts";
import { localAwsOf, makeTrainingQueue } from "../../support/training-queue.ts";
import { CROSSED_WORLDS, startWandbWorld, type WandbWorld } from "../../support/wandb-world.ts";
import { awsVariables } from "../../support/world.ts";

/**
 * Jobs that are launched by the client and by `slipway launch` and really train: on SageMaker of the local AWS, by the client's
 * agent and by ours, with the client's own `wandb.init` in the training code.
 */

const TRAIN = `
import os, sys, time, wandb
run = wandb.init(config={"lr": 1, "epochs": 3})
for epoch in range(run.config["epochs"]):
    run.log({"epoch": epoch, "loss": run.config["lr"] / (epoch + 1)})
    print("epoch", epoch, flush=True)
if run.config.get("fail"):
    sys.exit(3)
run.finish()
`;

const AGENTS = ["wandb launch-agent", "slipway launch-agent"] as const;

interface Item {
  readonly state: string;
  readonly cause: string | null;
  readonly runId: string;
  readonly author: string;
  readonly training: { readonly status: string } | null;
}

describe.each(CROSSED_WORLDS)("training on $database", ({ database, releases }) => {
  const pairs = AGENTS.flatMap((agent) => releases.map((release) => ({ agent, release })));
  let world: WandbWorld;
  let image: string;
  let awsEnv: Record<string, string>;

  beforeAll(async () => {
    world = await startWandbWorld({ database, localAws: true });
    const local = localAwsOf(world);
    image = await pushTrainingImage(local, "train", { "train.py": TRAIN });
    awsEnv = awsVariables(local.environment);
  });
  afterAll(() => world?.close());

  async function startAgent(agent: (typeof AGENTS)[number], release: WandbRelease, queue: string) {
    if (agent === "slipway launch-agent") {
      const dataDir = join(world.dataDir, `agent-${queue}`);
      const started = world.start(["launch-agent", "-q", queue, "--data", dataDir], {
        env: { ...awsEnv, WANDB_BASE_URL: world.url, WANDB_API_KEY: world.apiKey },
      });
      return { output: started.output, stop: () => started.end("SIGTERM") };
    }
    const client = await world.client(release, { env: awsEnv });
    const running = client.start(["launch-agent", "-q", queue, "-e", "admin", "-j", "4"]);
    return { output: running.output, stop: () => running.stop() };
  }

  test.concurrent.each(pairs)(
    "wandb $release and slipway launch, $agent runs, wandb.init reports",
    async ({ agent, release }) => {
      const queue = `${agent.split(" ")[0]}-${release.replaceAll(".", "-")}`;
      await makeTrainingQueue(world, queue);
      const { python } = await pythonPeers(release);
      const running = await startAgent(agent, release, queue);
      try {
        const ours = world.slipway([
          ...[
            "launch",
            "-d",
            image,
            "-q",
            queue,
            "-p",
            "pairs",
            "--name",
            "ours",
            "-E",
            `${python} train.py`,
            "--follow",
          ],
          ...["-c", JSON.stringify({ overrides: { run_config: { lr: 3 } } })],
        ]);
        const client = await world.client(release);
        const { code, stdout, stderr } = await client.python(`
import json, wandb
from wandb.sdk.launch import launch_add
def push(name, **config):
  return launch_add(docker_image="${image}", project="pairs", entity="admin", queue_name="${queue}", name=name,
    entry_point=["${python}", "train.py"], config={"overrides": {"run_config": config}})
good, bad = push("good", lr=0.5), push("bad", fail=True, epochs=1)
runs = [queued.wait_until_finished() for queued in (good, bad)]
print(json.dumps({"items": [good.id, bad.id], "states": [run.state for run in runs], "loss": runs[0].summary["loss"], "lr": runs[0].config["lr"],
  "steps": [row["epoch"] for row in runs[0].scan_history()], "names": [run.name for run in runs], "user": runs[0].user.username}))`);
        expect(code, `${stdout}\n${stderr}\n${running.output()}`).toBe(0);
        const seen = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
        expect(seen).toMatchObject({
          states: ["finished", "failed"],
          loss: 0.5 / 3,
          lr: 0.5,
          steps: [0, 1, 2],
          names: ["good", "bad"],
          user: "admin",
        });
        const ended: string[] = [];
        for (const id of seen.items as string[]) {
          const item = await until(`the end of item ${id}\n${running.output()}`, async () => {
            const found = await world.graphql<{ runQueueItem: Item }>(
              `query I($id: ID!) { runQueueItem(id: $id) { state cause runId author training { status } } }`,
              { id },
            );
            return ["FINISHED", "FAILED"].includes(found.runQueueItem.state) ? found.runQueueItem : undefined;
          });
          ended.push(item.state);
        }
        expect(ended).toEqual(["FINISHED", "FAILED"]);
        const followed = await ours;
        expect(followed.code, followed.stdout + followed.stderr).toBe(0);
        const { project } = await world.graphql<{ project: { runs: { edges: { node: object }[] } } }>(
          `query R($filters: JSONString) { project(name: "pairs", entityName: "admin") {
           runs(filters: $filters) { edges { node { state summaryMetrics runQueueItem { state queue { name } } } } } } }`,
          { filters: JSON.stringify({ displayName: "ours", "summary_metrics.loss": 1 }) },
        );
        expect(project.runs.edges.map(({ node }) => node)).toContainEqual(
          expect.objectContaining({ state: "finished", runQueueItem: { state: "FINISHED", queue: { name: queue } } }),
        );
        expect(running.output()).not.toContain("Traceback");
      } finally {
        await running.stop();
      }
    },
  );
});
