import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../../support/slipway.ts";
import { CROSSED_WORLDS, startWandbWorld, type WandbWorld } from "../../support/wandb-world.ts";

/** `wandb launch-sweep`, and its scheduler run by the client's own `wandb launch-agent`. */

const SWEEP = `
method: grid
metric: {name: loss, goal: minimize}
image_uri: registry.example/train:1
parameters:
  lr: {values: [0.1, 0.2]}
scheduler: {num_workers: 2}
`;

describe.each(CROSSED_WORLDS)("sweeps on launch queues, on $database", ({ database, releases }) => {
  let world: WandbWorld;
  beforeAll(async () => {
    world = await startWandbWorld({ database });
  });
  afterAll(() => world?.close());

  interface Item {
    readonly state: string;
    readonly runId: string;
    readonly runSpec: { readonly sweep_id?: string; readonly overrides: { readonly run_config: object } };
  }
  async function itemsOf(queue: string): Promise<readonly Item[]> {
    const { project } = await world.graphql<{
      project: { runQueue: { runQueueItems: { edges: { node: Item }[] } } };
    }>(
      `query Q($queue: String!) { project(name: "model-registry", entityName: "admin") { runQueue(name: $queue) {
        runQueueItems { edges { node { state runId runSpec } } } } } }`,
      { queue },
    );
    return project.runQueue.runQueueItems.edges.map(({ node }) => node);
  }

  test.each(releases)("wandb %s: the scheduler pushes a run for each point, and a cancel ends all", async (release) => {
    const queue = `sweeps-${release.replaceAll(".", "-")}`;
    const input = {
      entityName: "admin",
      projectName: "model-registry",
      queueName: queue,
      resourceType: "sagemaker",
      resourceConfig: JSON.stringify({
        RoleArn: "arn:aws:iam::123456789012:role/SageMaker",
        OutputDataConfig: { S3OutputPath: "s3://models/out" },
        ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 10 },
        StoppingCondition: { MaxRuntimeInSeconds: 3600 },
      }),
    };
    await world.graphql(`mutation Q($input: UpsertRunQueueInput!) { upsertRunQueue(input: $input) { success } }`, {
      input,
    });
    const client = await world.client(release);
    const file = join(world.dataDir, `${queue}.yaml`);
    await writeFile(file, SWEEP);
    const made = await client.wandb(["launch-sweep", file, "-q", queue, "-e", "admin", "-p", "tuning"]);
    expect(made.code, `${made.stdout}\n${made.stderr}`).toBe(0);
    const [, sweep = ""] = /sweep with ID: (?:\W+\[?\d+m)?(\w+)/.exec(`${made.stdout}${made.stderr}`) ?? [];
    expect((await itemsOf(queue)).map(({ state, runId }) => ({ state, runId }))).toEqual([
      { state: "PENDING", runId: sweep },
    ]);

    const agent = client.start(["launch-agent", "-q", queue, "-e", "admin", "-j", "1"]);
    const children = await until("the sweep's runs", async () => {
      const found = (await itemsOf(queue)).filter(({ runSpec }) => runSpec.sweep_id === sweep);
      return found.length === 2 ? found : undefined;
    });
    expect(children.map(({ runSpec }) => JSON.stringify(runSpec.overrides.run_config)).sort()).toEqual([
      '{"lr":0.1}',
      '{"lr":0.2}',
    ]);
    const cancelled = await client.wandb(["sweep", "--cancel", `admin/tuning/${sweep}`]);
    expect(cancelled.code, cancelled.stderr).toBe(0);
    await until("the end of all", async () => {
      const states = (await itemsOf(queue)).map(({ state }) => state);
      return states.every((state) => ["STOPPED", "FAILED", "FINISHED"].includes(state)) ? true : undefined;
    });
    await agent.stop();
  });
});
