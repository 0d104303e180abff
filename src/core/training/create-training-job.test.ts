import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject, JsonValue } from "../json.ts";
import { shapeNamed } from "../sagemaker-model/model.ts";
import { checkCreateTrainingJob, normaliseCreateTrainingJob } from "./create-training-job.ts";
import { createTrainingJobWarnings } from "./create-training-job-rules.ts";

const tutorial = {
  RoleArn: "<REQUIRED>",
  ResourceConfig: { InstanceType: "ml.m4.xlarge", InstanceCount: 1, VolumeSizeInGB: 2 },
  OutputDataConfig: { S3OutputPath: "<REQUIRED>" },
  StoppingCondition: { MaxRuntimeInSeconds: 3600 },
};
const good = {
  ...tutorial,
  RoleArn: "arn:aws:iam::123456789012:role/train",
  OutputDataConfig: { S3OutputPath: "s3://bucket/out" },
};
const spot = { ...good, EnableManagedSpotTraining: true };
const channel = {
  ChannelName: "train",
  DataSource: { S3DataSource: { S3DataType: "S3Prefix", S3Uri: "s3://bucket/in" } },
};
const request = {
  ...good,
  TrainingJobName: "abcd1234",
  AlgorithmSpecification: { TrainingImage: "image", TrainingInputMode: "File" },
};

const check = (config: unknown, mode: "queue" | "item" | "request" = "queue") =>
  checkCreateTrainingJob(config, { mode });

describe("a queue's config", () => {
  it("is taken if SageMaker would take the request that comes of it", () => {
    expect(check(good)).toEqual([]);
    expect(
      check({
        ...good,
        TrainingJobName: "team-${run_id}",
        AlgorithmSpecification: {
          TrainingImage: "${image_uri}",
          MetricDefinitions: [{ Name: "accuracy", Regex: "accuracy=([0-9.]+)" }],
        },
        ResourceConfig: { InstanceType: "{{itype}}", InstanceCount: "{{count}}" },
        StoppingCondition: { MaxRuntimeInSeconds: "{{seconds}}" },
        InputDataConfig: [channel],
        Environment: { EPOCHS: "10", WANDB_BASE_URL: "https://wandb.example.com", WANDB_SILENT: "true" },
        CheckpointConfig: { S3Uri: "s3://bucket/checkpoints/${run_id}" },
        HyperParameters: { prompt: "<html>" },
        VpcConfig: { SecurityGroupIds: ["sg-1"], Subnets: ["subnet-1"] },
        Tags: [{ Key: "팀", Value: "${author}" }],
      }),
    ).toEqual([]);
    expect(check(request, "request")).toEqual([]);
  });

  it("names the tutorial's placeholders, and its four required fields", () => {
    expect(check(tutorial).map((p) => [p.path, p.message])).toEqual([
      ["RoleArn", "RoleArn still has the placeholder <REQUIRED>"],
      ["OutputDataConfig.S3OutputPath", "OutputDataConfig.S3OutputPath still has the placeholder <REQUIRED>"],
    ]);
    const missing = check({});
    expect(missing.map((p) => p.path).sort()).toEqual([
      "OutputDataConfig",
      "ResourceConfig",
      "RoleArn",
      "StoppingCondition",
    ]);
    for (const problem of missing) expect(problem.hint).toMatch(/^Give /);
    expect(check({ ...good, OutputDataConfig: {} }).map((p) => p.path)).toEqual(["OutputDataConfig.S3OutputPath"]);
  });

  it.each<[string, JsonObject, string, string, string?]>([
    ["no object", [] as unknown as JsonObject, "", "The config must be an object"],
    ["unknown field", { ...good, ResourceConfg: {} }, "ResourceConfg", "CreateTrainingJob has no field ResourceConfg"],
    [
      "misspelt required field",
      { RoleArn: good.RoleArn, OutputDataConfig: good.OutputDataConfig, StoppingCondition: {}, ResourceConfg: {} },
      "ResourceConfg",
      "has no field",
      "Did you mean ResourceConfig?",
    ],
    [
      "lower-case field",
      { ...good, ResourceConfig: { instanceType: "ml.m5.large", InstanceCount: 1 } },
      "ResourceConfig.instanceType",
      "has no field",
      "Did you mean InstanceType?",
    ],
    [
      "field of another place",
      { ...good, MaxRuntimeInSeconds: 3 },
      "MaxRuntimeInSeconds",
      "has no field",
      "MaxRuntimeInSeconds belongs to StoppingCondition.",
    ],
    [
      "the agent's region",
      { ...good, region: "us-east-1" },
      "region",
      "has no field",
      "The region is the agent's: environment.region in launch-config.yaml.",
    ],
    [
      "instance type",
      { ...good, ResourceConfig: { InstanceType: "ml.m5.larg", InstanceCount: 1 } },
      "ResourceConfig.InstanceType",
      'cannot be "ml.m5.larg"',
      "Did you mean ml.m5.large?",
    ],
    [
      "number in quotes",
      { ...good, StoppingCondition: { MaxRuntimeInSeconds: "3600" } },
      "StoppingCondition.MaxRuntimeInSeconds",
      "must be a whole number",
      "Write 3600 without quotes.",
    ],
    [
      "boolean in quotes",
      { ...good, EnableNetworkIsolation: "True" },
      "EnableNetworkIsolation",
      "must be true or false",
      "Write true without quotes.",
    ],
    [
      "range",
      { ...good, StoppingCondition: { MaxRuntimeInSeconds: 0 } },
      "StoppingCondition.MaxRuntimeInSeconds",
      "must be at least 1, not 0",
    ],
    [
      "28 days",
      { ...good, StoppingCondition: { MaxRuntimeInSeconds: 9_999_999 } },
      "StoppingCondition.MaxRuntimeInSeconds",
      "28 days",
    ],
    [
      "bare role name",
      { ...good, RoleArn: "my-sagemaker-execution-role" },
      "RoleArn",
      "must match",
      "Give the whole ARN: arn:aws:iam::ACCOUNT:role/my-sagemaker-execution-role.",
    ],
    [
      "short role name",
      { ...good, RoleArn: "my-role" },
      "RoleArn",
      "must have at least 20 characters",
      "Give the whole ARN: arn:aws:iam::ACCOUNT:role/my-role.",
    ],
    [
      "S3 path",
      { ...good, OutputDataConfig: { S3OutputPath: "bucket/out" } },
      "OutputDataConfig.S3OutputPath",
      "must match",
      "An S3 path reads s3://BUCKET/PREFIX.",
    ],
    [
      "bucket",
      { ...good, OutputDataConfig: { S3OutputPath: "s3://My_Bucket/out" } },
      "OutputDataConfig.S3OutputPath",
      'names the bucket "My_Bucket"',
    ],
    [
      "embedded placeholder",
      { ...good, RoleArn: "arn:aws:iam::<account-id>:role/x" },
      "RoleArn",
      "placeholder <account-id>",
    ],
    ["list", { ...good, Tags: { a: "b" } }, "Tags", "must be a list"],
    ["object", { ...good, StoppingCondition: 3600 }, "StoppingCondition", "must be an object with MaxRuntimeInSeconds"],
    ["spot without wait", spot, "StoppingCondition.MaxWaitTimeInSeconds", "Spot training needs"],
    [
      "wait without spot",
      { ...good, StoppingCondition: { MaxRuntimeInSeconds: 60, MaxWaitTimeInSeconds: 60 } },
      "StoppingCondition.MaxWaitTimeInSeconds",
      "is for spot training only",
    ],
    [
      "wait below runtime",
      { ...spot, StoppingCondition: { MaxRuntimeInSeconds: 3600, MaxWaitTimeInSeconds: 60 } },
      "StoppingCondition.MaxWaitTimeInSeconds",
      "must be at least MaxRuntimeInSeconds (3600)",
    ],
    [
      "wait below the default",
      { ...spot, StoppingCondition: { MaxWaitTimeInSeconds: 60 } },
      "StoppingCondition.MaxWaitTimeInSeconds",
      "(86400, the default)",
    ],
    [
      "warm pool with spot",
      {
        ...spot,
        StoppingCondition: { MaxRuntimeInSeconds: 1, MaxWaitTimeInSeconds: 1 },
        ResourceConfig: { ...good.ResourceConfig, KeepAlivePeriodInSeconds: 60 },
      },
      "ResourceConfig.KeepAlivePeriodInSeconds",
      "Spot instances cannot be kept alive",
    ],
    [
      "groups and type",
      {
        ...good,
        ResourceConfig: {
          InstanceType: "ml.m5.large",
          InstanceGroups: [{ InstanceGroupName: "a", InstanceType: "ml.m5.large", InstanceCount: 1 }],
        },
      },
      "ResourceConfig.InstanceType",
      "exclude each other",
    ],
    [
      "no type",
      { ...good, ResourceConfig: { InstanceCount: 1 } },
      "ResourceConfig.InstanceType",
      "ResourceConfig.InstanceType is missing",
    ],
    [
      "no instance",
      { ...good, ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 0 } },
      "ResourceConfig.InstanceCount",
      "must be at least 1",
    ],
    [
      "image and algorithm",
      { ...good, AlgorithmSpecification: { TrainingImage: "a", AlgorithmName: "b" } },
      "AlgorithmSpecification.AlgorithmName",
      "exclude each other",
    ],
    [
      "private registry",
      { ...good, AlgorithmSpecification: { TrainingImageConfig: { TrainingRepositoryAccessMode: "Vpc" } } },
      "VpcConfig",
      "needs VpcConfig",
    ],
    [
      "metric without group",
      { ...good, AlgorithmSpecification: { MetricDefinitions: [{ Name: "loss", Regex: "loss" }] } },
      "AlgorithmSpecification.MetricDefinitions[0].Regex",
      "has no group",
    ],
    [
      "second channel",
      { ...good, InputDataConfig: [channel, channel] },
      "InputDataConfig[1].ChannelName",
      "There is a second channel train",
    ],
    [
      "channel without source",
      { ...good, InputDataConfig: [{ ChannelName: "a", DataSource: {} }] },
      "InputDataConfig[0].DataSource",
      "names no source",
    ],
    [
      "file system without VPC",
      {
        ...good,
        InputDataConfig: [
          {
            ChannelName: "a",
            DataSource: {
              FileSystemDataSource: {
                FileSystemId: "fs-0123456789",
                FileSystemAccessMode: "ro",
                FileSystemType: "EFS",
                DirectoryPath: "/a",
              },
            },
          },
        ],
      },
      "VpcConfig",
      "can only be reached with VpcConfig",
    ],
    [
      "unknown group",
      {
        ...good,
        InputDataConfig: [
          {
            ChannelName: "a",
            DataSource: {
              S3DataSource: { S3DataType: "S3Prefix", S3Uri: "s3://bucket/in", InstanceGroupNames: ["gpu"] },
            },
          },
        ],
      },
      "InputDataConfig[0].DataSource.S3DataSource.InstanceGroupNames[0]",
      "has no instance group gpu",
    ],
    [
      "environment name",
      { ...good, Environment: { "my-var": "1" } },
      "Environment.my-var",
      "must match",
      "A variable's name has letters, digits and _ only: my_var.",
    ],
    [
      "environment value",
      { ...good, Environment: { A: "x".repeat(513) } },
      "Environment.A",
      "must have at most 512 characters, not 513",
    ],
    [
      "environment count",
      { ...good, Environment: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`V${i}`, ""])) },
      "Environment",
      "must have at most 100 entries, not 101",
    ],
    [
      "our environment",
      { ...good, Environment: { WANDB_PROJECT: "x" } },
      "Environment.WANDB_PROJECT",
      "is set by Slipway",
    ],
    [
      "an API key",
      { ...good, Environment: { WANDB_API_KEY: "x" } },
      "Environment.WANDB_API_KEY",
      "is set by Slipway",
      "Remove it: a key in the request can be read by everyone who may describe the job.",
    ],
    [
      "line in a hyperparameter",
      { ...good, HyperParameters: { a: "b\nc" } },
      "HyperParameters.a",
      "must match .*",
      "It must be a single line.",
    ],
    ["fixed name", { ...good, TrainingJobName: "train" }, "TrainingJobName", "must contain ${run_id}"],
    [
      "unknown macro",
      { ...good, CheckpointConfig: { S3Uri: "s3://bucket/${HOME}" } },
      "CheckpointConfig.S3Uri",
      "There is no macro ${HOME}",
    ],
    ["tag of AWS", { ...good, Tags: [{ Key: "aws:x", Value: "y" }] }, "Tags[0].Key", "AWS's own"],
    ["our tag", { ...good, Tags: [{ Key: "WandbRunId", Value: "y" }] }, "Tags[0].Key", "is set by Slipway"],
    [
      "second tag",
      {
        ...good,
        Tags: [
          { Key: "a", Value: "y" },
          { Key: "a", Value: "z" },
        ],
      },
      "Tags[1].Key",
      "There is a second tag a",
    ],
    ["tag without value", { ...good, Tags: [{ Key: "a" }] }, "Tags[0].Value", "Tags[0].Value is missing"],
  ])("%s", (_, config, path, message, hint) => {
    const problem = check(config).find((one) => one.path === path);
    expect(problem, JSON.stringify(check(config))).toBeDefined();
    expect(problem!.message).toContain(message);
    if (hint !== undefined) expect(problem!.hint).toBe(hint);
  });

  it("reports a misspelt field once", () => {
    const { ResourceConfig, OutputDataConfig, ...rest } = good;
    const problems = check({ ...rest, ResourceConfg: ResourceConfig, OutputDataConfi: OutputDataConfig });
    expect(problems.map((problem) => problem.path)).toEqual(["ResourceConfg", "OutputDataConfi"]);
  });

  it("lets places and macros stand only where they are filled in later", () => {
    const withPlace = { ...request, OutputDataConfig: { S3OutputPath: "{{path}}" } };
    expect(check({ ...good, OutputDataConfig: { S3OutputPath: "{{path}}" } })).toEqual([]);
    expect(check(withPlace, "request").map((p) => p.path)).toEqual(["OutputDataConfig.S3OutputPath"]);
    expect(check({ ...request, RoleArn: "${run_id}" }, "request").map((p) => p.path)).toEqual(["RoleArn"]);
    expect(
      check({ ...request, AlgorithmSpecification: { TrainingInputMode: "File" } }, "request").map((p) => p.path),
    ).toEqual(["AlgorithmSpecification.TrainingImage"]);
    expect(check({ ...request, TrainingJobName: "bad name!" }, "request").map((p) => p.path)).toEqual([
      "TrainingJobName",
    ]);
  });

  it("says something of any wrong value in any place, and never fails", () => {
    const members = Object.keys(shapeNamed("CreateTrainingJobRequest").members!);
    fc.assert(
      fc.property(fc.constantFrom(...members), fc.jsonValue({ maxDepth: 3 }), (name, value) => {
        const config = { ...good, [name]: value } as JsonObject;
        for (const mode of ["queue", "item", "request"] as const)
          for (const problem of check(config, mode)) {
            expect(problem.message).not.toMatch(/undefined|\[object/);
            expect(problem.message.length).toBeLessThan(2000);
          }
        if (typeof value !== "object" && typeof value !== "boolean" && !["RoleArn", "TrainingJobName"].includes(name))
          expect(check(config).some((problem) => problem.path === name)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("finds a single letter too much or too few in any field's name", () => {
    const names = Object.keys(shapeNamed("ResourceConfig").members!);
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.nat(), fc.boolean(), (name, at, drop) => {
        const index = at % name.length;
        const wrong = drop
          ? name.slice(0, index) + name.slice(index + 1)
          : `${name.slice(0, index)}${name[index]}${name.slice(index)}`;
        fc.pre(!names.includes(wrong));
        const { [name as "InstanceType"]: _, ...rest } = good.ResourceConfig;
        const problem = check({ ...good, ResourceConfig: { ...rest, [wrong]: 1 } as JsonValue }).find(
          (one) => one.path === `ResourceConfig.${wrong}`,
        );
        expect(problem?.hint).toBe(`Did you mean ${name}?`);
      }),
    );
  });
});

describe("normaliseCreateTrainingJob", () => {
  it("takes the wandb agent's snake_case, texts for numbers in maps, and drops nulls", () => {
    expect(
      normaliseCreateTrainingJob({
        role_arn: "r",
        resource_config: { InstanceType: "t" },
        HyperParameters: { epochs: 10, fast: true, lr: 0.1 },
        environment: { A: 1 },
        VpcConfig: null,
        OutputDataConfig: { KmsKeyId: null },
      }),
    ).toEqual({
      RoleArn: "r",
      ResourceConfig: { InstanceType: "t" },
      HyperParameters: { epochs: "10", fast: "true", lr: "0.1" },
      Environment: { A: "1" },
      OutputDataConfig: {},
    });
  });

  it("keeps both of a key that is written twice, and what it does not know", () => {
    expect(normaliseCreateTrainingJob({ role_arn: "a", RoleArn: "b", nonsense: 1 })).toEqual({
      role_arn: "a",
      RoleArn: "b",
      nonsense: 1,
    });
  });

  it("is done after once", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom("role_arn", "RoleArn", "tags", "x"), fc.jsonValue()), (config) => {
        const once = normaliseCreateTrainingJob(config as JsonObject);
        expect(normaliseCreateTrainingJob(once)).toEqual(once);
      }),
    );
  });
});

describe("createTrainingJobWarnings", () => {
  it("warns of spot without checkpoints and of no limit", () => {
    expect(
      createTrainingJobWarnings({ ...spot, StoppingCondition: { MaxWaitTimeInSeconds: 86400 } }).map((p) => p.path),
    ).toEqual(["CheckpointConfig", "StoppingCondition.MaxRuntimeInSeconds"]);
    expect(createTrainingJobWarnings(good)).toEqual([]);
  });
});
