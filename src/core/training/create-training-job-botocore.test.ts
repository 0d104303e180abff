import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, it } from "vitest";
import { checkCreateTrainingJob } from "./create-training-job.ts";

/** A request that uses most kinds of fields; SageMaker's own SDK takes it. */
const request = {
  TrainingJobName: "abcd1234",
  RoleArn: "arn:aws:iam::123456789012:role/train",
  AlgorithmSpecification: {
    TrainingImage: "image",
    TrainingInputMode: "File",
    MetricDefinitions: [{ Name: "accuracy", Regex: "accuracy=([0-9.]+)" }],
    ContainerEntrypoint: ["python3", "train.py"],
    ContainerArguments: ["--lr", "0.1"],
    EnableSageMakerMetricsTimeSeries: true,
  },
  HyperParameters: { lr: "0.1", epochs: "3" },
  InputDataConfig: [
    {
      ChannelName: "train",
      InputMode: "FastFile",
      ContentType: "text/csv",
      DataSource: { S3DataSource: { S3DataType: "S3Prefix", S3Uri: "s3://bucket/in", AttributeNames: ["a"] } },
      ShuffleConfig: { Seed: 7 },
    },
  ],
  OutputDataConfig: { S3OutputPath: "s3://bucket/out", CompressionType: "NONE" },
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 2, VolumeSizeInGB: 10 },
  StoppingCondition: { MaxRuntimeInSeconds: 3600, MaxWaitTimeInSeconds: 7200 },
  EnableManagedSpotTraining: true,
  CheckpointConfig: { S3Uri: "s3://bucket/checkpoints", LocalPath: "/opt/ml/checkpoints" },
  VpcConfig: { SecurityGroupIds: ["sg-1"], Subnets: ["subnet-1", "subnet-2"] },
  Tags: [{ Key: "team", Value: "ml" }],
  Environment: { A: "1", B: "2" },
  RetryStrategy: { MaximumRetryAttempts: 3 },
  DebugHookConfig: { S3OutputPath: "s3://bucket/debug", CollectionConfigurations: [{ CollectionName: "losses" }] },
};

type Path = readonly (string | number)[];

function pathsOf(value: unknown, path: Path = []): Path[] {
  if (value === null || typeof value !== "object") return [path];
  const entries = Array.isArray(value) ? value.map((item, index) => [index, item] as const) : Object.entries(value);
  return [...(path.length === 0 ? [] : [path]), ...entries.flatMap(([key, item]) => pathsOf(item, [...path, key]))];
}

function changed(
  path: Path,
  change: (holder: Record<string | number, unknown>, key: string | number) => void,
): unknown {
  const copy = structuredClone(request);
  let holder: unknown = copy;
  for (const step of path.slice(0, -1)) holder = (holder as Record<string | number, unknown>)[step];
  change(holder as Record<string | number, unknown>, path.at(-1)!);
  return copy;
}

const mutation = fc
  .record({
    path: fc.constantFrom(...pathsOf(request)),
    how: fc.constantFrom("replace", "remove", "rename"),
    value: fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom("", 0, -1, 1, "1", "true", [], {}, "x".repeat(3000)),
    ),
  })
  .map(({ path, how, value }) =>
    changed(path, (holder, key) => {
      if (how === "replace") holder[key] = value;
      else if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else {
        if (how === "rename") holder[`${key}x`] = holder[key];
        delete holder[key];
      }
    }),
  );

/** botocore's own check of parameters: the first error of each body, or null. */
const VALIDATE = `
import json, sys
import botocore.session
from botocore.validate import ParamValidator
shape = botocore.session.get_session().get_service_model("sagemaker").operation_model("CreateTrainingJob").input_shape
print(json.dumps([ParamValidator().validate(body, shape).generate_report() or None for body in json.load(sys.stdin)]))
`;

it("refuses everything that boto3 refuses to send", () => {
  const bodies = [request, ...fc.sample(mutation, { numRuns: 600, seed: 20261125 })];
  const answer = execFileSync(process.env.PYTHON ?? "python3", ["-c", VALIDATE], {
    input: JSON.stringify(bodies),
    encoding: "utf8",
  });
  const reports = JSON.parse(answer) as (string | null)[];
  expect(reports[0]).toBeNull();
  expect(checkCreateTrainingJob(request, { mode: "request" })).toEqual([]);
  expect(reports.filter((report) => report !== null).length).toBeGreaterThan(150);
  const missed = bodies.flatMap((body, index) =>
    reports[index] !== null && checkCreateTrainingJob(body, { mode: "request" }).length === 0
      ? [`${reports[index]}\n${JSON.stringify(body)}`]
      : [],
  );
  expect(missed).toEqual([]);
});
