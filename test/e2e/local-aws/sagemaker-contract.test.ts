import { buffer } from "node:stream/consumers";
import { gunzipSync, gzipSync } from "node:zlib";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { SageMakerClient, StopTrainingJobCommand } from "@aws-sdk/client-sagemaker";
import { extract } from "tar-stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestLocalAws, type TestLocalAws } from "../../support/local-aws.ts";
import { pushTrainingImage } from "../../support/training-image.ts";
import { createJob, logLines, runJob, trainingRequest, untilEnd, untilLine } from "../../support/training-job.ts";

const LOOK = `#!/bin/sh
cd /opt/ml/input/data
find . -type f | sort | tr "\\n" " "; echo
cat files/deep/b.csv; echo
touch fast/x 2>/dev/null || echo read-only
cat ../config/inputdataconfig.json; echo
cat ../config/resourceconfig.json
`;

const TALK = `
import json, socket, sys
config = json.load(open("/opt/ml/input/config/resourceconfig.json"))
me, hosts = config["current_host"], config["hosts"]
print(me, hosts, socket.gethostname(), flush=True)
if me == "algo-1":
    with socket.create_server(("algo-1", 9100)) as server:
        connection, _ = server.accept()
        print("got", connection.recv(100).decode(), flush=True)
else:
    import time
    while True:
        try:
            with socket.create_connection(("algo-1", 9100), timeout=1) as connection:
                connection.sendall(b"weights of " + me.encode())
            break
        except OSError:
            time.sleep(0.05)
open("/opt/ml/model/" + me, "w").write(me)
`;

const ENDS = `
import os, sys
if os.environ.get("HOST_FAILS") == os.uname().nodename:
    open("/opt/ml/output/failure", "w").write("out of patience")
    sys.exit(3)
import time
while True:
    time.sleep(0.05)
`;

const TOUR = `#!/bin/sh
cat /opt/ml/input/config/hyperparameters.json; echo
cat /opt/ml/input/config/resourceconfig.json; echo
echo "$TRAINING_JOB_NAME $AWS_REGION $FROM_IMAGE $MINE $1"
echo
echo "acc=0.5 loss=2"
echo "acc=0.75" >&2
mkdir /opt/ml/model/sub
echo w > /opt/ml/model/sub/weights
echo o > /opt/ml/output/data/report
`;

let aws: TestLocalAws;
let image: string;
let s3: S3Client;

beforeAll(async () => {
  aws = await startTestLocalAws({ settings: { PATH: process.env.PATH!, SLIPWAY_LOCAL_AWS_STOP_GRACE_SECONDS: "0.5" } });
  image = await pushTrainingImage(
    aws,
    "contract",
    { "tour.sh": TOUR, "look.sh": LOOK, "talk.py": TALK, "ends.py": ENDS },
    ["FROM_IMAGE=yes"],
  );
  s3 = new S3Client(aws.client);
});

afterAll(() => aws.close());

const shell = (script: string) => ["/bin/sh", "-c", script];

async function put(key: string, body: string | Buffer): Promise<string> {
  await s3.send(new PutObjectCommand({ Bucket: aws.environment.bucket, Key: key, Body: body }));
  return `s3://${aws.environment.bucket}/${key}`;
}

async function get(uri: string): Promise<Buffer> {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.*)$/.exec(uri)!;
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return Buffer.from(await Body!.transformToByteArray());
}

async function filesOf(uri: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const archive = extract();
  archive.on("entry", (header, stream, next) => {
    void buffer(stream).then((data) => {
      if (header.type === "file") files[header.name] = data.toString();
      next();
    });
  });
  const done = new Promise<void>((resolve, reject) => archive.on("finish", () => resolve()).on("error", reject));
  archive.end(gunzipSync(await get(uri)));
  await done;
  return files;
}

test("configuration, environment, model, output, metrics and log of one host", async () => {
  const job = await runJob(
    aws,
    trainingRequest(aws, "one-host", image, {
      entrypoint: ["./tour.sh", "an argument"],
      HyperParameters: { epochs: "3" },
      Environment: { MINE: "mine" },
      metrics: [
        { Name: "acc", Regex: "acc=([0-9\\.]+)" },
        { Name: "loss", Regex: "loss=(?P<value>[0-9]+)" },
        { Name: "never", Regex: "nothing=(.*)" },
      ],
    }),
  );
  expect(job.TrainingJobStatus).toBe("Completed");
  expect(job.SecondaryStatusTransitions?.map((step) => step.Status)).toEqual([
    "Starting",
    "Downloading",
    "Training",
    "Uploading",
    "Completed",
  ]);
  expect(job.BillableTimeInSeconds).toBeGreaterThanOrEqual(1);
  expect(job.FinalMetricDataList?.map(({ MetricName, Value }) => [MetricName, Value])).toEqual([
    ["acc", 0.75],
    ["loss", 2],
  ]);
  const base = `s3://${aws.environment.bucket}/output/one-host/output`;
  expect(job.ModelArtifacts).toEqual({ S3ModelArtifacts: `${base}/model.tar.gz` });
  expect(await filesOf(`${base}/model.tar.gz`)).toEqual({ "sub/weights": "w\n" });
  expect(await filesOf(`${base}/output.tar.gz`)).toEqual({ report: "o\n" });
  const [hyperparameters, resources, ...rest] = await logLines(aws, "one-host");
  expect(JSON.parse(hyperparameters!)).toEqual({ epochs: "3" });
  expect(JSON.parse(resources!)).toMatchObject({
    current_host: "algo-1",
    hosts: ["algo-1"],
    current_instance_type: "ml.m5.large",
  });
  expect(rest).toEqual(["one-host us-east-1 yes mine an argument", "acc=0.5 loss=2", "acc=0.75"]);
});

test("without an entry point of the image's or the request's the job fails and says why", async () => {
  const job = await runJob(aws, trainingRequest(aws, "no-train", image));
  expect(job.FailureReason).toBe("AlgorithmError: , exit code: 127");
  expect(await logLines(aws, "no-train")).toEqual(['exec: "train": executable file not found in $PATH']);
});

test("a failure file becomes the reason, cut at 1024 characters", async () => {
  const plain = await runJob(aws, trainingRequest(aws, "exit-3", image, { entrypoint: shell("exit 3") }));
  expect([plain.TrainingJobStatus, plain.SecondaryStatus, plain.FailureReason]).toEqual([
    "Failed",
    "Failed",
    "AlgorithmError: , exit code: 3",
  ]);
  const told = await runJob(
    aws,
    trainingRequest(aws, "told", image, { entrypoint: shell('echo "no data" > /opt/ml/output/failure; exit 4') }),
  );
  expect(told.FailureReason).toBe("AlgorithmError: no data, exit code: 4");
  const long = await runJob(
    aws,
    trainingRequest(aws, "long", image, {
      entrypoint: shell("head -c 5000 /dev/zero | tr '\\0' x > /opt/ml/output/failure; exit 1"),
    }),
  );
  expect(long.FailureReason).toHaveLength(1024);
});

test("two hosts talk to each other by name; both logs arrive; their models become one", async () => {
  const job = await runJob(
    aws,
    trainingRequest(aws, "two-hosts", image, {
      entrypoint: ["python3", "talk.py"],
      ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 2, VolumeSizeInGB: 1 },
    }),
  );
  expect(job.FailureReason).toBeUndefined();
  expect(await logLines(aws, "two-hosts")).toEqual(["algo-1 ['algo-1', 'algo-2'] algo-1", "got weights of algo-2"]);
  expect(await logLines(aws, "two-hosts", "algo-2")).toEqual(["algo-2 ['algo-1', 'algo-2'] algo-2"]);
  expect(await filesOf(job.ModelArtifacts!.S3ModelArtifacts!)).toEqual({ "algo-1": "algo-1", "algo-2": "algo-2" });
});

test("one host that fails ends the others", async () => {
  const job = await runJob(
    aws,
    trainingRequest(aws, "one-fails", image, {
      entrypoint: ["python3", "ends.py"],
      Environment: { HOST_FAILS: "algo-2" },
      ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 3, VolumeSizeInGB: 1 },
    }),
  );
  expect(job.FailureReason).toBe("AlgorithmError: out of patience, exit code: 3");
});

test("File, FastFile and sharded channels, manifests and instance groups", async () => {
  await put("data/train/a.csv", "a");
  await put("data/train/deep/b.csv", "b");
  await put("data/train/c.csv", "c");
  const prefix = `s3://${aws.environment.bucket}/data/train`;
  const manifest = await put("data/list.manifest", JSON.stringify([{ prefix: `${prefix}/` }, "c.csv", "deep/b.csv"]));
  const group = (name: string) => ({ InstanceGroupName: name, InstanceType: "ml.m5.large" as const, InstanceCount: 1 });
  const channel = (name: string, source: object, more: object = {}) => ({
    ChannelName: name,
    DataSource: { S3DataSource: { S3DataType: "S3Prefix" as const, S3Uri: prefix, ...source } },
    ...more,
  });
  const job = await runJob(
    aws,
    trainingRequest(aws, "channels", image, {
      entrypoint: ["./look.sh"],
      ResourceConfig: { InstanceGroups: [group("first"), group("second")], VolumeSizeInGB: 1 },
      InputDataConfig: [
        channel("files", {}),
        channel("fast", {}, { InputMode: "FastFile", ContentType: "text/csv" }),
        channel("shards", { S3DataDistributionType: "ShardedByS3Key" }),
        channel("listed", { S3DataType: "ManifestFile", S3Uri: manifest }),
        channel("second", { InstanceGroupNames: ["second"] }),
      ],
    }),
  );
  expect(job.FailureReason).toBeUndefined();
  const [first, content, readOnly, channels, resources] = await logLines(aws, "channels");
  const all = (name: string) => [`./${name}/a.csv`, `./${name}/c.csv`, `./${name}/deep/b.csv`];
  expect(first!.trim().split(" ")).toEqual([
    ...all("fast"),
    ...all("files"),
    "./listed/c.csv",
    "./listed/deep/b.csv",
    "./shards/a.csv",
    "./shards/deep/b.csv",
  ]);
  expect([content, readOnly]).toEqual(["b", "read-only"]);
  expect(JSON.parse(channels!)).toMatchObject({
    files: { TrainingInputMode: "File", S3DistributionType: "FullyReplicated", RecordWrapperType: "None" },
    fast: { TrainingInputMode: "File", ContentType: "text/csv" },
    shards: { S3DistributionType: "ShardedByS3Key" },
  });
  expect(JSON.parse(resources!)).toMatchObject({
    current_group_name: "first",
    instance_groups: [
      { instance_group_name: "first", hosts: ["algo-1"] },
      { instance_group_name: "second", hosts: ["algo-2"] },
    ],
  });
  const [second] = await logLines(aws, "channels", "algo-2");
  expect(second!.trim().split(" ")).toEqual([
    ...all("fast"),
    ...all("files"),
    "./listed/c.csv",
    "./listed/deep/b.csv",
    ...all("second"),
    "./shards/c.csv",
  ]);
});

test("a Pipe channel gives all data once an epoch, unzipped", async () => {
  await put("pipe/1.gz", gzipSync("one\n"));
  await put("pipe/2.gz", gzipSync("two\n"));
  const job = await runJob(
    aws,
    trainingRequest(aws, "pipe", image, {
      entrypoint: shell(
        "cd /opt/ml/input/data; for epoch in 0 1 2; do cat lines_$epoch; echo end $epoch; done; head -c 2 lines_3; echo; cat lines_4",
      ),
      InputDataConfig: [
        {
          ChannelName: "lines",
          InputMode: "Pipe",
          CompressionType: "Gzip",
          DataSource: { S3DataSource: { S3DataType: "S3Prefix", S3Uri: `s3://${aws.environment.bucket}/pipe/` } },
        },
      ],
    }),
  );
  expect(job.FailureReason).toBeUndefined();
  expect(await logLines(aws, "pipe")).toEqual([
    "one",
    "two",
    "end 0",
    "one",
    "two",
    "end 1",
    "one",
    "two",
    "end 2",
    "on",
    "one",
    "two",
  ]);
});

test("checkpoints come back to the next job, uncompressed output goes file by file", async () => {
  const uri = `s3://${aws.environment.bucket}/checkpoints/run`;
  const request = (name: string) =>
    trainingRequest(aws, name, image, {
      entrypoint: shell(
        "cat /opt/ml/checkpoints/step 2>/dev/null || echo fresh; echo $TRAINING_JOB_NAME > /opt/ml/checkpoints/step; echo m > /opt/ml/model/m",
      ),
      CheckpointConfig: { S3Uri: uri },
      OutputDataConfig: { S3OutputPath: `s3://${aws.environment.bucket}/output`, CompressionType: "NONE" },
    });
  await runJob(aws, request("checkpoint-1"));
  expect((await get(`${uri}/step`)).toString()).toBe("checkpoint-1\n");
  const second = await runJob(aws, request("checkpoint-2"));
  expect(await logLines(aws, "checkpoint-1")).toEqual(["fresh"]);
  expect(await logLines(aws, "checkpoint-2")).toEqual(["checkpoint-1"]);
  expect((await get(`${second.ModelArtifacts!.S3ModelArtifacts}m`)).toString()).toBe("m\n");
});

test("stop: SIGTERM is handled, or SIGKILL follows; both are Stopped and keep their model", async () => {
  const client = new SageMakerClient(aws.client);
  const loop = "echo up; while :; do sleep 0.05; done";
  await createJob(
    aws,
    trainingRequest(aws, "polite", image, {
      entrypoint: shell(`trap 'echo saved > /opt/ml/model/last; echo bye; exit 0' TERM; ${loop}`),
    }),
  );
  await createJob(aws, trainingRequest(aws, "deaf", image, { entrypoint: shell(`trap '' TERM; ${loop}`) }));
  for (const name of ["polite", "deaf"]) {
    await untilLine(aws, name, "up");
    await client.send(new StopTrainingJobCommand({ TrainingJobName: name }));
    const job = await untilEnd(aws, name);
    expect([job.TrainingJobStatus, job.SecondaryStatus]).toEqual(["Stopped", "Stopped"]);
    expect(job.SecondaryStatusTransitions?.map((step) => step.Status)).toEqual([
      "Starting",
      "Downloading",
      "Training",
      "Stopping",
      "Uploading",
      "Stopped",
    ]);
    expect(job.FailureReason).toBeUndefined();
    if (name === "polite") expect(await filesOf(job.ModelArtifacts!.S3ModelArtifacts!)).toEqual({ last: "saved\n" });
  }
  await expect(client.send(new StopTrainingJobCommand({ TrainingJobName: "deaf" }))).rejects.toThrow(
    "The request was rejected because the training job is in status Stopped.",
  );
});

test("MaxRuntimeInSeconds ends a job as MaxRuntimeExceeded", async () => {
  const job = await runJob(
    aws,
    trainingRequest(aws, "too-long", image, {
      entrypoint: shell("while :; do sleep 0.05; done"),
      StoppingCondition: { MaxRuntimeInSeconds: 1 },
    }),
  );
  expect([job.TrainingJobStatus, job.SecondaryStatus]).toEqual(["Stopped", "MaxRuntimeExceeded"]);
});
