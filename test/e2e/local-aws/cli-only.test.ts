import { execFile } from "node:child_process";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { LocalAwsEnvironment } from "../../../src/cli/data-dir.ts";
import type { TestLocalAws } from "../../support/local-aws.ts";
import { type PythonPeers, pythonPeers } from "../../support/python-peers.ts";
import { addressOf, type Started, slipway, startSlipway, until } from "../../support/slipway.ts";
import { pushTrainingImage } from "../../support/training-image.ts";

const run = promisify(execFile);

/** `slipway local-aws` alone, with boto3 and the aws CLI that know nothing but its endpoint, region and keys. */
let dataDir: string;
let localAws: Started;
let peers: PythonPeers;
let env: Record<string, string>;
let image: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "slipway-aws-only-"));
  peers = await pythonPeers();
  localAws = startSlipway(dataDir, ["local-aws", "--data", dataDir, "--port", "0"]);
  await until("the local AWS", () => addressOf(dataDir, "local-aws"), localAws);
  env = JSON.parse((await slipway(dataDir, ["local-aws", "env", "--data", dataDir, "--json"])).stdout);
  const environment = JSON.parse(await readFile(join(dataDir, "local-aws/env.json"), "utf8")) as LocalAwsEnvironment;
  const { endpointUrl, region, accessKeyId, secretAccessKey } = environment;
  const client = { endpoint: endpointUrl, region, credentials: { accessKeyId, secretAccessKey } };
  image = await pushTrainingImage({ client, environment } as TestLocalAws, "trainer", {
    "train.py": "import os, time\nprint('training', flush=True)\ntime.sleep(float(os.environ.get('SECONDS', '0')))\n",
  });
}, 300_000);

afterAll(async () => {
  await localAws?.end();
});

const awsEnv = (more: Record<string, string> = {}) => {
  const { AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION } = env;
  const known = { AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION };
  return { PATH: process.env.PATH, HOME: dataDir, ...known, ...more } as NodeJS.ProcessEnv;
};

async function aws(args: readonly string[], more: Record<string, string> = {}): Promise<string> {
  const { stdout } = await run(peers.aws, [...args], { env: awsEnv(more), cwd: dataDir });
  return stdout;
}

function request(name: string, seconds = 0): Record<string, unknown> {
  return {
    TrainingJobName: name,
    RoleArn: env.SLIPWAY_ROLE_ARN,
    AlgorithmSpecification: {
      TrainingImage: image,
      TrainingInputMode: "File",
      ContainerEntrypoint: ["python3", "train.py"],
    },
    OutputDataConfig: { S3OutputPath: `s3://${env.SLIPWAY_BUCKET}/out` },
    ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 1 },
    StoppingCondition: { MaxRuntimeInSeconds: 600 },
    Environment: { SECONDS: String(seconds) },
  };
}

it("creates, describes, lists, waits for, reads the log of and stops a job with the aws CLI", async () => {
  const input = JSON.stringify(request("by-cli"));
  expect(await aws(["sagemaker", "create-training-job", "--cli-input-json", input])).toContain("training-job/by-cli");
  await aws(["sagemaker", "wait", "training-job-completed-or-stopped", "--training-job-name", "by-cli"]);
  const described = JSON.parse(await aws(["sagemaker", "describe-training-job", "--training-job-name", "by-cli"]));
  expect(described.TrainingJobStatus).toBe("Completed");
  const listed = JSON.parse(await aws(["sagemaker", "list-training-jobs", "--name-contains", "by-"]));
  expect(listed.TrainingJobSummaries).toHaveLength(1);
  const group = ["--log-group-name", "/aws/sagemaker/TrainingJobs"];
  const streams = JSON.parse(
    await aws(["logs", "describe-log-streams", ...group, "--log-stream-name-prefix", "by-cli/"]),
  );
  const stream = streams.logStreams[0].logStreamName as string;
  expect(stream).toMatch(/^by-cli\/algo-1-\d+$/);
  const log = JSON.parse(await aws(["logs", "get-log-events", ...group, "--log-stream-name", stream]));
  expect(log.events.map((event: { message: string }) => event.message)).toEqual(["training"]);

  await aws(["sagemaker", "create-training-job", "--cli-input-json", JSON.stringify(request("to-stop", 600))]);
  await aws(["sagemaker", "stop-training-job", "--training-job-name", "to-stop"]);
  await aws(["sagemaker", "wait", "training-job-completed-or-stopped", "--training-job-name", "to-stop"]);
  const stopped = JSON.parse(await aws(["sagemaker", "describe-training-job", "--training-job-name", "to-stop"]));
  expect(stopped.TrainingJobStatus).toBe("Stopped");
});

it("does the same with boto3 and its waiter", async () => {
  const script = `
import boto3, json, sys
sagemaker, logs = boto3.client("sagemaker"), boto3.client("logs")
request = json.load(open(sys.argv[1]))
sagemaker.create_training_job(**request)
sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=request["TrainingJobName"], WaiterConfig={"Delay": 1})
job = sagemaker.describe_training_job(TrainingJobName=request["TrainingJobName"])
print(job["TrainingJobStatus"], job["ModelArtifacts"]["S3ModelArtifacts"])
events = logs.filter_log_events(logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix="by-boto3/")["events"]
print([event["message"] for event in events])
`;
  await writeFile(join(dataDir, "request.json"), JSON.stringify(request("by-boto3")));
  const args = ["-c", script, join(dataDir, "request.json")];
  const { stdout } = await run(peers.python, args, { env: awsEnv() });
  expect(stdout).toBe(`Completed s3://${env.SLIPWAY_BUCKET}/out/by-boto3/output/model.tar.gz\n['training']\n`);
});

it("refuses a wrong secret and an unknown key", async () => {
  const list = ["sagemaker", "list-training-jobs"];
  await expect(aws(list, { AWS_SECRET_ACCESS_KEY: "wrong" })).rejects.toThrow(/signature we calculated does not match/);
  await expect(aws(list, { AWS_ACCESS_KEY_ID: "AKIAUNKNOWNUNKNOWN00" })).rejects.toThrow(/security token .* invalid/);
});
