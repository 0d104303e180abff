import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  BatchDeleteImageCommand,
  BatchGetImageCommand,
  CreateRepositoryCommand,
  PutImageCommand,
} from "@aws-sdk/client-ecr";
import type { CreateTrainingJobRequest, DescribeTrainingJobResponse } from "@aws-sdk/client-sagemaker";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { awsVariables, temporaryDirectory } from "../../test/support/world.ts";
import { systemClock } from "../core/clock.ts";
import { buildImage } from "../image/builders/layer.ts";
import { readLocalAwsConfig } from "../local-aws/config.ts";
import { type RunningLocalAws, startLocalAws } from "../local-aws/start.ts";
import { type AwsClients, createAwsClients } from "./aws-clients.ts";
import { createImageLookup, imagePresence } from "./ecr-images.ts";
import { ecrToken } from "./ecr-token.ts";
import { createLogTail, type LogBatch } from "./log-tail.ts";
import { describeTrainingJob, ITEM_VARIABLE, stopTrainingJob, submitTrainingJob } from "./submit.ts";
import { trainingEnd } from "./training-status.ts";
import { createTrainingWatcher } from "./watcher.ts";

let aws: RunningLocalAws;
let clients: AwsClients;
let remove: () => Promise<void>;
let image: string;
const watching = new AbortController();

beforeAll(async () => {
  const directory = await temporaryDirectory("sagemaker-test");
  remove = directory.remove;
  aws = await startLocalAws(
    readLocalAwsConfig(
      { PATH: process.env.PATH, SLIPWAY_LOCAL_AWS_STOP_GRACE_SECONDS: "2" },
      { dataDir: directory.path, port: 0 },
    ),
    {
      logger: pino({ level: process.env.SLIPWAY_TEST_LOG ?? "silent" }),
    },
  );
  Object.assign(process.env, awsVariables(aws.environment));
  clients = createAwsClients();
  await clients.ecr().send(new CreateRepositoryCommand({ repositoryName: "jobs" }));
  const code = join(directory.path, "code");
  mkdirSync(code);
  const text = `import os, time
for i in range(int(os.environ.get("LINES", "3"))):
    print("line", i)
time.sleep(float(os.environ.get("SLEEP", "0")))
`;
  writeFileSync(join(code, "train.py"), text);
  const token = await ecrToken(clients.ecr());
  const built = await buildImage({
    source: { directory: code },
    entryPoint: ["python3", "-u", "train.py"],
    base: "host",
    platform: process.arch === "arm64" ? "linux/arm64" : "linux/amd64",
    target: {
      endpoint: token.endpoint,
      repository: "jobs",
      credentials: () => ecrToken(clients.ecr()),
      publicName: `${aws.environment.ecrRegistry}/jobs`,
    },
    cacheDir: join(directory.path, "cache"),
    fetch,
    clock: systemClock,
  });
  image = built.imageUri;
});

afterAll(async () => {
  watching.abort();
  clients?.close();
  await aws?.close();
  await remove?.();
});

const request = (name: string, item: string, environment: Record<string, string> = {}, hosts = 1) =>
  ({
    TrainingJobName: name,
    RoleArn: aws.environment.roleArn,
    AlgorithmSpecification: { TrainingImage: image, TrainingInputMode: "File" },
    OutputDataConfig: { S3OutputPath: `s3://${aws.environment.bucket}/out` },
    ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: hosts, VolumeSizeInGB: 1 },
    StoppingCondition: { MaxRuntimeInSeconds: 60 },
    Environment: { [ITEM_VARIABLE]: item, ...environment },
  }) as CreateTrainingJobRequest;

/** Every reading of a job until its end. */
function followed(name: string): Promise<DescribeTrainingJobResponse[]> {
  const readings: DescribeTrainingJobResponse[] = [];
  return new Promise((resolve) => {
    const unwatch = watcher.watch({
      name,
      onReading(job) {
        if (job === undefined) throw new Error(`${name} is gone`);
        readings.push(job);
        if (trainingEnd(job) === undefined) return;
        unwatch();
        resolve(readings);
      },
    });
  });
}

let watcher: ReturnType<typeof createTrainingWatcher>;
beforeAll(() => {
  watcher = createTrainingWatcher({ sagemaker: clients.sagemaker, clock: systemClock });
  void watcher.run(watching.signal);
});

test("the account, the region and the images are found by the SDK's own settings", async () => {
  expect(await clients.identity()).toEqual({ accountId: aws.environment.accountId, partition: "aws" });
  expect(await clients.region()).toBe(aws.environment.region);
  expect((await imagePresence(image, clients.ecr)).presence).toBe("present");
  expect((await imagePresence(`${aws.environment.ecrRegistry}/jobs:none`, clients.ecr)).presence).toBe("missing");
  expect((await imagePresence("python:3.11", clients.ecr)).presence).toBe("unknown");
});

test("a job submitted again for the same item is adopted; for another item its name is taken", async () => {
  const first = await submitTrainingJob(clients.sagemaker, request("once", "item-1"), "item-1");
  expect(first.adopted).toBe(false);
  const again = await submitTrainingJob(clients.sagemaker, request("once", "item-1"), "item-1");
  expect(again).toEqual({ arn: first.arn, adopted: true });
  const other = submitTrainingJob(clients.sagemaker, request("once", "item-2"), "item-2");
  await expect(other).rejects.toMatchObject({ code: "TRAINING_JOB_NAME_TAKEN" });
});

test("one watcher follows all jobs to their different ends", async () => {
  for (const name of ["many-1", "many-2", "many-3"]) {
    await submitTrainingJob(clients.sagemaker, request(name, name), name);
  }
  await submitTrainingJob(clients.sagemaker, request("many-4", "many-4", { SLEEP: "60" }), "many-4");
  const ends = Promise.all(["many-1", "many-2", "many-3", "many-4"].map(followed));
  await stopTrainingJob(clients.sagemaker, "many-4");
  watcher.nudge();
  const states = (await ends).map((readings) => trainingEnd(readings.at(-1) as DescribeTrainingJobResponse)?.cause);
  expect(states).toEqual(["completed", "completed", "completed", "stopped"]);
  await stopTrainingJob(clients.sagemaker, "many-4");
});

test("a job that does not exist is told as that, and stopping it is no error", async () => {
  expect(await describeTrainingJob(clients.sagemaker, "never-was")).toBeUndefined();
  await stopTrainingJob(clients.sagemaker, "never-was");
});

test("the log of every node is read exactly once, over restarts and expired tokens", async () => {
  await submitTrainingJob(clients.sagemaker, request("logs", "logs", { LINES: "2500" }, 2), "logs");
  await followed("logs");
  const stored: LogBatch[] = [];
  const cursors = new Map<string, { node: string; stream: string; cursor: string }>();
  const tail = () =>
    createLogTail({
      logs: clients.logs,
      jobName: "logs",
      nodes: 2,
      cursors: [...cursors.values()],
      clock: systemClock,
      allow: async () => {},
      store: async (batch) => {
        expect(batch.from).toBe(cursors.get(batch.stream)?.cursor ?? "");
        stored.push(batch);
        cursors.set(batch.stream, { node: batch.node, stream: batch.stream, cursor: batch.to });
        // A restart after the first page: nothing but the cursors is left.
        if (stored.length === 1) throw new Error("restart");
        return [...cursors.values()];
      },
    });
  await expect(tail().poll()).rejects.toThrow("restart");
  // A token of long ago.
  for (const cursor of cursors.values()) cursor.cursor = cursor.cursor.replace(/\S+$/, "f/0000");
  await tail().poll();
  expect(await tail().poll()).toBe(0);
  for (const node of ["algo-1", "algo-2"]) {
    const lines = stored
      .filter((batch) => batch.node === node)
      .flatMap((batch) => batch.lines.map((line) => line.text));
    expect(lines).toEqual(Array.from({ length: 2500 }, (_, i) => `line ${i}`));
  }
});

test("an image that was there is not asked for again for five minutes, one that was not is", async () => {
  const ecr = clients.ecr();
  let now = 0;
  const look = createImageLookup(clients.ecr, { ...systemClock, now: () => now });
  const tagged = `${aws.environment.ecrRegistry}/jobs:passing`;
  expect(await look(tagged)).toMatchObject({ presence: "missing" });

  const imageIds = [{ imageDigest: image.slice(image.indexOf("@") + 1) }];
  const { images } = await ecr.send(
    new BatchGetImageCommand({
      repositoryName: "jobs",
      imageIds: image.includes("@") ? imageIds : [{ imageTag: image.slice(image.lastIndexOf(":") + 1) }],
    }),
  );
  const imageManifest = images?.[0]?.imageManifest;
  await ecr.send(new PutImageCommand({ repositoryName: "jobs", imageManifest, imageTag: "passing" }));
  expect(await look(tagged)).toEqual({ presence: "present" });

  await ecr.send(new BatchDeleteImageCommand({ repositoryName: "jobs", imageIds: [{ imageTag: "passing" }] }));
  now = 299_999;
  expect(await look(tagged)).toEqual({ presence: "present" });
  now = 300_000;
  expect(await look(tagged)).toMatchObject({ presence: "missing" });
});
