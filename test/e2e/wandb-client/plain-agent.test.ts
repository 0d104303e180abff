import { join } from "node:path";
import { ListTrainingJobsCommand, SageMakerClient } from "@aws-sdk/client-sagemaker";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CRASH_POINTS, PLAIN_CRASH_POINTS } from "../../../src/agent/crash-point.ts";
import { pythonPeers } from "../../support/python-peers.ts";
import { type Started, until } from "../../support/slipway.ts";
import { pushTrainingImage } from "../../support/training-image.ts";
import { startWandbWorld, type WandbWorld, WORLDS } from "../../support/wandb-world.ts";

/** Our agent against a server that speaks the wandb client's protocol and nothing else: it loses nothing but latency. */

const PROGRAMS = {
  "plain.py": `import time
for i in range(3):
    print("line", i, flush=True)
    time.sleep(0.3)
open("/opt/ml/model/m.txt", "w").write("m")
`,
  "fail.py": `import sys
print("about to fail", flush=True)
sys.exit(3)
`,
  "long.py": "import time\nprint('begun', flush=True)\ntime.sleep(600)\n",
  "tracked.py": "import wandb\nwith wandb.init() as run:\n    run.log({'loss': 0.5})\n",
};

/** Points on the way of a job with an image; the others are those of building one and of a stop. */
const ELSEWHERE = ["plan-reported", "code-downloaded", "image-built", "stop-sent"];
const POINTS = [...PLAIN_CRASH_POINTS, ...CRASH_POINTS].filter((point) => !ELSEWHERE.includes(point));

interface Item {
  readonly state: string;
  readonly associatedRunId: string | null;
  readonly error: { readonly message: string } | null;
}

describe.each(WORLDS)("the plain protocol on $database", ({ database }) => {
  let world: WandbWorld;
  let image: string;
  let sagemaker: SageMakerClient;

  beforeAll(async () => {
    world = await startWandbWorld({ database, localAws: true, env: { SLIPWAY_PLAIN_PROTOCOL: "1" } });
    if (!world.aws) throw new Error("there is no local AWS");
    const { endpointUrl: endpoint, region, accessKeyId, secretAccessKey } = world.aws;
    const client = { endpoint, region, credentials: { accessKeyId, secretAccessKey } };
    sagemaker = new SageMakerClient(client);
    image = await pushTrainingImage({ client, environment: world.aws }, "plain", PROGRAMS);
  });
  afterAll(async () => {
    sagemaker?.destroy();
    await world?.close();
  });

  async function push(queue: string, entryPoint: readonly string[]): Promise<string> {
    const aws = world.aws;
    if (!aws) throw new Error("there is no local AWS");
    await world.graphql(`mutation Q($input: UpsertRunQueueInput!) { upsertRunQueue(input: $input) { success } }`, {
      input: {
        entityName: world.entity,
        projectName: "model-registry",
        queueName: queue,
        resourceType: "sagemaker",
        resourceConfig: JSON.stringify({
          RoleArn: aws.roleArn,
          OutputDataConfig: { S3OutputPath: `s3://${aws.bucket}/output` },
          ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 1 },
          StoppingCondition: { MaxRuntimeInSeconds: 900 },
          Environment: {
            HOME: "/tmp",
            WANDB_DIR: "/tmp",
            WANDB_CACHE_DIR: "/tmp/cache",
            WANDB_CONFIG_DIR: "/tmp/config",
          },
        }),
      },
    });
    const { pushToRunQueueByName } = await world.graphql<{ pushToRunQueueByName: { runQueueItemId: string } }>(
      `mutation P($input: PushToRunQueueByNameInput!) { pushToRunQueueByName(input: $input) { runQueueItemId } }`,
      {
        input: {
          entityName: world.entity,
          projectName: "model-registry",
          queueName: queue,
          runSpec: JSON.stringify({
            entity: world.entity,
            project: "plain",
            docker: { docker_image: image },
            overrides: { entry_point: entryPoint },
          }),
        },
      },
    );
    return pushToRunQueueByName.runQueueItemId;
  }

  function startAgent(queue: string, crashAt?: string): Started {
    const aws = world.aws;
    if (!aws) throw new Error("there is no local AWS");
    return world.start(["launch-agent", "-q", queue, "--data", join(world.dataDir, `agent-${queue}`)], {
      env: {
        AWS_ENDPOINT_URL: aws.endpointUrl,
        AWS_ACCESS_KEY_ID: aws.accessKeyId,
        AWS_SECRET_ACCESS_KEY: aws.secretAccessKey,
        AWS_REGION: aws.region,
        WANDB_BASE_URL: world.url,
        WANDB_API_KEY: world.apiKey,
        ...(crashAt === undefined ? {} : { SLIPWAY_TEST_CRASH_AT: crashAt }),
      },
    });
  }

  async function itemOf(queue: string, item: string): Promise<Item> {
    const { project } = await world.graphql<{ project: { runQueue: { runQueueItem: Item } } }>(
      `query I($entity: String!, $queue: String!, $item: ID!) { project(name: "model-registry", entityName: $entity) {
         runQueue(name: $queue) { runQueueItem(id: $item) { state associatedRunId error { message } } } } }`,
      { entity: world.entity, queue, item },
    );
    return project.runQueue.runQueueItem;
  }

  const settled = (queue: string, id: string, agent: Started) =>
    until(
      `the end of the item of ${queue}`,
      async () => {
        const item = await itemOf(queue, id);
        return ["FINISHED", "FAILED", "STOPPED"].includes(item.state) ? item : undefined;
      },
      agent,
    );

  const jobsOf = async (run: string | null) => {
    const { TrainingJobSummaries } = await sagemaker.send(new ListTrainingJobsCommand({ NameContains: run ?? "-" }));
    return (TrainingJobSummaries ?? []).map((job) => job.TrainingJobStatus);
  };

  /** The server takes the run's word for the end; SageMaker says it a moment later. */
  const completedOnce = (run: string | null, agent: Started) =>
    until(
      `the end of the training job of ${run}`,
      async () => {
        const jobs = await jobsOf(run);
        expect(jobs).toHaveLength(1);
        return jobs[0] === "Completed" ? true : undefined;
      },
      agent,
    );

  test("our own words are refused", async () => {
    const words = `mutation { leaseRunQueueItems(input: {launchAgentId: "x", max: 1, waitSeconds: 0}) { stopPolling } }`;
    await expect(world.graphql(words)).rejects.toThrow(/Cannot query field/);
  });

  test.concurrent("jobs with and without wandb in them finish, each once", async () => {
    const { python } = await pythonPeers("0.31.0");
    const ids = [await push("good", ["python3", "plain.py"]), await push("good", [python, "tracked.py"])];
    const agent = startAgent("good");
    for (const id of ids) {
      const item = await settled("good", id, agent);
      expect(item, agent.output()).toMatchObject({ state: "FINISHED" });
      await completedOnce(item.associatedRunId, agent);
    }
    expect(await agent.end("SIGTERM"), agent.output()).toBe(0);
  });

  test.concurrent("a failure is told with its reason and the last lines", async () => {
    const id = await push("bad", ["python3", "fail.py"]);
    const agent = startAgent("bad");
    const item = await settled("bad", id, agent);
    expect(item, agent.output()).toMatchObject({ state: "FAILED" });
    expect(item.error?.message).toContain("about to fail");
    expect(item.error?.message).toMatch(/exited with code 3/);
  });

  test.concurrent("a run that is stopped stops the training job", async () => {
    const id = await push("stop", ["python3", "long.py"]);
    const agent = startAgent("stop");
    const run = await until(
      "the job",
      async () => {
        const { associatedRunId } = await itemOf("stop", id);
        return (await jobsOf(associatedRunId)).includes("InProgress") ? associatedRunId : undefined;
      },
      agent,
    );
    const runId = Buffer.from(`Run:v1:${run}:plain:${world.entity}`).toString("base64");
    await world.graphql(`mutation S($id: ID!) { stopRun(input: {id: $id}) { clientMutationId } }`, { id: runId });
    expect(await settled("stop", id, agent), agent.output()).toMatchObject({ state: "STOPPED" });
    expect(await jobsOf(run)).toEqual(["Stopped"]);
  });

  // What an agent keeps is on its own disk, whatever database the server has: one of them is enough.
  test.concurrent.for(database === "sqlite" ? POINTS : [])("an agent killed at %s loses nothing", async (point) => {
    const id = await push(point, ["python3", "plain.py"]);
    const doomed = startAgent(point, point);
    expect(await doomed.end("SIGCONT"), doomed.output()).toBeNull();
    const next = startAgent(point);
    // Before it has started a signal ends it as it ends any program.
    await until("the next agent", async () => next.output().includes(" serves ") || undefined, next);
    const item = await settled(point, id, next);
    expect(item, next.output()).toMatchObject({ state: "FINISHED" });
    expect(await jobsOf(item.associatedRunId)).toEqual(["Completed"]);
    expect(await next.end("SIGTERM"), next.output()).toBe(0);
  });
});
