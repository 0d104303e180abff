import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestLocalAws, type TestLocalAws } from "../../support/local-aws.ts";
import { type PythonPeers, pythonPeers } from "../../support/python-peers.ts";
import { pushTrainingImage } from "../../support/training-image.ts";
import { logLines, runJob, trainingRequest } from "../../support/training-job.ts";

const run = promisify(execFile);

let aws: TestLocalAws;
let peers: PythonPeers;
let image: string;

beforeAll(async () => {
  peers = await pythonPeers();
  aws = await startTestLocalAws({ settings: { PATH: process.env.PATH!, SLIPWAY_LOCAL_AWS_STOP_GRACE_SECONDS: "0.5" } });
  image = await pushTrainingImage(aws, "boto3", {
    "train.py": `
import sys, time
print("epoch=1 acc=0.9", flush=True)
if "--wait" in sys.argv:
    time.sleep(600)
open("/opt/ml/model/weights", "w").write("w")
`,
    "client.py": `
import boto3, os
print(boto3.client("sts").get_caller_identity()["Arn"])
boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key="from-the-job", Body=b"hello")
print(boto3.client("s3").get_object(Bucket=os.environ["BUCKET"], Key="from-the-job")["Body"].read().decode())
`,
  });
}, 300_000);

afterAll(() => aws?.close());

async function python(script: string): Promise<Record<string, unknown>> {
  const head = `
import boto3, json
from botocore.exceptions import ClientError
sm, logs, s3 = boto3.client("sagemaker"), boto3.client("logs"), boto3.client("s3")
def request(name, arguments=[]):
    return dict(TrainingJobName=name, RoleArn="${aws.environment.roleArn}",
        AlgorithmSpecification=dict(TrainingImage="${image}", TrainingInputMode="File", ContainerEntrypoint=["python3", "train.py"] + arguments,
            MetricDefinitions=[dict(Name="acc", Regex="acc=([0-9.]+)")]),
        OutputDataConfig=dict(S3OutputPath="s3://${aws.environment.bucket}/out"),
        ResourceConfig=dict(InstanceType="ml.m5.large", InstanceCount=1, VolumeSizeInGB=1),
        StoppingCondition=dict(MaxRuntimeInSeconds=600))
def refused(call, **given):
    try:
        call(**given)
    except ClientError as error:
        return [error.response["Error"]["Code"], error.response["Error"]["Message"]]
`;
  const { stdout } = await run(peers.python, ["-c", `${head}\n${script}`], { env: aws.env });
  return JSON.parse(stdout) as Record<string, unknown>;
}

test("boto3 creates, waits for, describes and lists a job and reads its log", async () => {
  const seen = await python(`
arn = sm.create_training_job(**request("by-boto3"), Tags=[dict(Key="team", Value="a")])["TrainingJobArn"]
sm.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName="by-boto3", WaiterConfig=dict(Delay=1, MaxAttempts=60))
job = sm.describe_training_job(TrainingJobName="by-boto3")
streams = logs.describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix="by-boto3/")["logStreams"]
events = logs.get_log_events(logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=streams[0]["logStreamName"], startFromHead=True)["events"]
sm.add_tags(ResourceArn=arn, Tags=[dict(Key="more", Value="b")])
sm.delete_tags(ResourceArn=arn, TagKeys=["team"])
print(json.dumps(dict(
    arn=arn, status=job["TrainingJobStatus"], metrics=[(m["MetricName"], m["Value"]) for m in job["FinalMetricDataList"]],
    stream=streams[0]["logStreamName"], lines=[e["message"] for e in events], tags=sm.list_tags(ResourceArn=arn)["Tags"],
    listed=[s["TrainingJobName"] for s in sm.list_training_jobs(NameContains="BOTO", StatusEquals="Completed")["TrainingJobSummaries"]],
    others=sm.list_training_jobs(StatusEquals="Failed", LastModifiedTimeAfter=job["CreationTime"])["TrainingJobSummaries"],
    model=s3.head_object(Bucket="${aws.environment.bucket}", Key="out/by-boto3/output/model.tar.gz")["ContentLength"] > 0,
)))
`);
  expect(seen).toMatchObject({
    arn: "arn:aws:sagemaker:us-east-1:123456789012:training-job/by-boto3",
    status: "Completed",
    lines: ["epoch=1 acc=0.9"],
    tags: [{ Key: "more", Value: "b" }],
    listed: ["by-boto3"],
    others: [],
    model: true,
  });
  expect((seen.metrics as [string, number][])[0]?.[1]).toBeCloseTo(0.9);
  expect(seen.stream).toMatch(/^by-boto3\/algo-1-\d{10}$/);
});

test("boto3 stops a job; the waiter for stopping sees it", async () => {
  const seen = await python(`
sm.create_training_job(**request("to-stop", ["--wait"]))
sm.stop_training_job(TrainingJobName="to-stop")
sm.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName="to-stop", WaiterConfig=dict(Delay=1, MaxAttempts=60))
job = sm.describe_training_job(TrainingJobName="to-stop")
print(json.dumps(dict(status=job["TrainingJobStatus"], again=refused(sm.stop_training_job, TrainingJobName="to-stop"))))
`);
  expect(seen).toEqual({
    status: "Stopped",
    again: ["ValidationException", "The request was rejected because the training job is in status Stopped."],
  });
});

test("refusals have AWS's codes and words", async () => {
  const seen = await python(`
wrong = lambda **over: refused(sm.create_training_job, **{**request("refused"), **over})
algorithm = lambda image: dict(TrainingImage=image, TrainingInputMode="File")
print(json.dumps(dict(
    unknown=refused(sm.describe_training_job, TrainingJobName="nobody"),
    name=wrong(TrainingJobName="bad_name"),
    taken=wrong(TrainingJobName="by-boto3"),
    role=wrong(RoleArn="arn:aws:iam::123456789012:role/Nobody"),
    bucket=wrong(OutputDataConfig=dict(S3OutputPath="s3://no-such-bucket/x")),
    data=wrong(InputDataConfig=[dict(ChannelName="a", DataSource=dict(S3DataSource=dict(S3DataType="S3Prefix", S3Uri="s3://${aws.environment.bucket}/nothing/")))]),
    image=wrong(AlgorithmSpecification=algorithm("123456789012.dkr.ecr.us-east-1.amazonaws.com/nobody:latest")),
    stream=refused(logs.get_log_events, logGroupName="/aws/sagemaker/TrainingJobs", logStreamName="nobody"),
    group=refused(logs.describe_log_streams, logGroupName="nobody"),
)))
`);
  const expected: Record<string, [string, string]> = {
    unknown: ["ValidationException", "Requested resource not found."],
    name: [
      "ValidationException",
      "1 validation error detected: Value 'bad_name' at 'trainingJobName' failed to satisfy constraint",
    ],
    taken: ["ResourceInUse", "Training job names must be unique within an AWS account and region"],
    role: ["ValidationException", "Could not assume role arn:aws:iam::123456789012:role/Nobody."],
    bucket: ["ValidationException", 'the bucket "no-such-bucket" does not exist'],
    data: ["ValidationException", "No S3 objects found under S3 URL"],
    image: [
      "ValidationException",
      "Requested image 123456789012.dkr.ecr.us-east-1.amazonaws.com/nobody:latest not found",
    ],
    stream: ["ResourceNotFoundException", "The specified log stream does not exist."],
    group: ["ResourceNotFoundException", "The specified log group does not exist."],
  };
  for (const [name, [code, message]] of Object.entries(expected)) {
    expect(seen[name], name).toEqual([code, expect.stringContaining(message)]);
  }
});

test("the aws CLI describes a job and filters its log", async () => {
  const cli = async (...args: string[]) =>
    JSON.parse((await run(peers.aws, [...args, "--output", "json"], { env: aws.env })).stdout);
  const job = await cli("sagemaker", "describe-training-job", "--training-job-name", "by-boto3");
  expect(job.SecondaryStatus).toBe("Completed");
  const found = await cli(
    "logs",
    "filter-log-events",
    "--log-group-name",
    "/aws/sagemaker/TrainingJobs",
    "--log-stream-name-prefix",
    "by-boto3/",
    "--filter-pattern",
    '"acc="',
  );
  expect(found.events.map(({ message }: { message: string }) => message)).toEqual(["epoch=1 acc=0.9"]);
});

test("the job's own boto3 works as its role", async () => {
  const request = trainingRequest(aws, "with-boto3", image, {
    entrypoint: [peers.python, "client.py"],
    Environment: { BUCKET: aws.environment.bucket },
  });
  const job = await runJob(aws, request);
  expect(await logLines(aws, "with-boto3")).toEqual([
    `arn:aws:sts::${aws.environment.accountId}:assumed-role/SlipwaySageMakerExecution/SageMaker`,
    "hello",
  ]);
  expect(job.TrainingJobStatus).toBe("Completed");
});
