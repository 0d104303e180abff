import { setTimeout as sleep } from "node:timers/promises";
import { CloudWatchLogsClient, DescribeLogStreamsCommand, GetLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import {
  CreateTrainingJobCommand,
  type CreateTrainingJobCommandInput,
  DescribeTrainingJobCommand,
  type DescribeTrainingJobCommandOutput,
  type MetricDefinition,
  SageMakerClient,
} from "@aws-sdk/client-sagemaker";
import type { TestLocalAws } from "./local-aws.ts";
import { PATIENCE_MS } from "./patience.ts";

/** A request that is complete but for what a test is about. */
export function trainingRequest(
  aws: TestLocalAws,
  name: string,
  image: string,
  over: Partial<CreateTrainingJobCommandInput> & {
    readonly entrypoint?: string[];
    readonly metrics?: MetricDefinition[];
  } = {},
): CreateTrainingJobCommandInput {
  const { entrypoint, metrics, ...rest } = over;
  return {
    TrainingJobName: name,
    RoleArn: aws.environment.roleArn,
    OutputDataConfig: { S3OutputPath: `s3://${aws.environment.bucket}/output` },
    ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 1 },
    StoppingCondition: { MaxRuntimeInSeconds: 600 },
    ...rest,
    AlgorithmSpecification: {
      TrainingImage: image,
      TrainingInputMode: "File",
      ...(entrypoint === undefined ? {} : { ContainerEntrypoint: entrypoint }),
      ...(metrics === undefined ? {} : { MetricDefinitions: metrics }),
      ...rest.AlgorithmSpecification,
    },
  };
}

export async function createJob(aws: TestLocalAws, request: CreateTrainingJobCommandInput): Promise<string> {
  const client = new SageMakerClient(aws.client);
  return (await client.send(new CreateTrainingJobCommand(request))).TrainingJobArn!;
}

/** Asks for a job until it is as wanted. */
export async function untilJob(
  aws: TestLocalAws,
  name: string,
  wanted: (job: DescribeTrainingJobCommandOutput) => boolean,
): Promise<DescribeTrainingJobCommandOutput> {
  const client = new SageMakerClient(aws.client);
  let job: DescribeTrainingJobCommandOutput | undefined;
  for (const before = Date.now() + PATIENCE_MS; Date.now() < before; ) {
    job = await client.send(new DescribeTrainingJobCommand({ TrainingJobName: name }));
    if (wanted(job)) return job;
    await sleep(50);
  }
  throw new Error(`${name} stayed ${job?.TrainingJobStatus}/${job?.SecondaryStatus}: ${job?.FailureReason}`);
}

export function untilEnd(aws: TestLocalAws, name: string): Promise<DescribeTrainingJobCommandOutput> {
  return untilJob(aws, name, (job) => ["Completed", "Failed", "Stopped"].includes(job.TrainingJobStatus!));
}

/** Creates a job and waits for its end. */
export async function runJob(
  aws: TestLocalAws,
  request: CreateTrainingJobCommandInput,
): Promise<DescribeTrainingJobCommandOutput> {
  await createJob(aws, request);
  return untilEnd(aws, request.TrainingJobName!);
}

/** All log lines of one host of a job. */
export async function logLines(aws: TestLocalAws, name: string, host = "algo-1"): Promise<string[]> {
  const client = new CloudWatchLogsClient(aws.client);
  const logGroupName = "/aws/sagemaker/TrainingJobs";
  const found = await client.send(
    new DescribeLogStreamsCommand({ logGroupName, logStreamNamePrefix: `${name}/${host}-` }),
  );
  const logStreamName = found.logStreams?.[0]?.logStreamName;
  if (logStreamName === undefined) return [];
  const lines: string[] = [];
  for (let nextToken: string | undefined; ; ) {
    const page = await client.send(
      new GetLogEventsCommand({ logGroupName, logStreamName, startFromHead: true, nextToken }),
    );
    lines.push(...page.events!.map((event) => event.message!));
    if (page.nextForwardToken === nextToken) return lines;
    nextToken = page.nextForwardToken;
  }
}

/** Waits until a host has written a line. */
export async function untilLine(aws: TestLocalAws, name: string, wanted: string, host = "algo-1"): Promise<void> {
  for (const before = Date.now() + PATIENCE_MS; Date.now() < before; ) {
    const lines: string[] = await logLines(aws, name, host).catch(() => []);
    if (lines.includes(wanted)) return;
    await sleep(50);
  }
  throw new Error(`${name}/${host} never wrote "${wanted}"`);
}
