import { describe, expect, it } from "vitest";
import type { SlipwayError } from "../errors/slipway-error.ts";
import type { JsonObject } from "../json.ts";
import { type CompleteRunSpecInput, completeRunSpec } from "./complete-run-spec.ts";

const body = {
  RoleArn: "arn:aws:iam::123456789012:role/train",
  ResourceConfig: { InstanceType: "{{itype}}", InstanceCount: 1, VolumeSizeInGB: 10 },
  OutputDataConfig: { S3OutputPath: "s3://bucket/${run_id}" },
  StoppingCondition: { MaxRuntimeInSeconds: "{{seconds}}" },
};
const input: CompleteRunSpecInput = {
  spec: { entity: "me", project: "p", docker: { docker_image: "image:tag" }, resource: null, git: {}, overrides: {} },
  queue: {
    name: "q",
    entityName: "me",
    resource: "sagemaker",
    config: body,
    templateVariables: [
      { name: "itype", schema: { type: "string", enum: ["ml.m5.large", "ml.g5.xlarge"], default: "ml.m5.large" } },
      { name: "seconds", schema: { type: "integer", minimum: 60, maximum: 3600, default: 600 } },
    ],
  },
  author: "ann",
  mintedRunId: "abcd1234",
};
const args = (resource_args: JsonObject) => ({
  ...input,
  spec: { ...input.spec, resource_args: { sagemaker: resource_args } },
});

function errorOf(given: CompleteRunSpecInput): SlipwayError {
  try {
    completeRunSpec(given);
  } catch (error) {
    return error as SlipwayError;
  }
  throw new Error("the spec was taken");
}

describe("completeRunSpec", () => {
  it("fills in what the wandb client leaves to the server, and what the agent needs", () => {
    const { spec, runId, warnings } = completeRunSpec(input);
    expect(runId).toBe("abcd1234");
    expect(warnings).toEqual([]);
    expect(spec).toEqual({
      ...input.spec,
      author: "ann",
      run_id: "abcd1234",
      resource: "sagemaker",
      resource_args: {
        sagemaker: {
          ...body,
          ResourceConfig: { ...body.ResourceConfig, InstanceType: "ml.m5.large" },
          StoppingCondition: { MaxRuntimeInSeconds: 600 },
        },
      },
    });
  });

  it("keeps the spec's own identity, and lays its resource_args over the queue's", () => {
    const given = args({ resource_config: { InstanceType: "ml.g5.2xlarge" }, Tags: [{ Key: "a", Value: "b" }] });
    const { spec } = completeRunSpec({ ...given, spec: { ...given.spec, run_id: "mine", author: "bob" } });
    expect(spec).toMatchObject({ run_id: "mine", author: "bob" });
    expect(spec.resource_args?.sagemaker).toMatchObject({
      ResourceConfig: { InstanceType: "ml.g5.2xlarge", InstanceCount: 1 },
      Tags: [{ Key: "a", Value: "b" }],
    });
  });

  it("fills in and merges for another resource without judging its body", () => {
    const queue = {
      ...input.queue,
      resource: "kubernetes",
      config: { spec: { gpus: "{{gpus}}" }, kept: 1 },
      templateVariables: [{ name: "gpus", schema: { type: "integer", default: 2 } }] as const,
    };
    const own = { spec: { tolerations: [] }, odd_name: true };
    const spec = { ...input.spec, resource_args: { kubernetes: own } };
    const completed = completeRunSpec({ ...input, queue, spec, templateVariableValues: {} });
    expect(completed.spec).toMatchObject({ resource: "kubernetes", author: "ann" });
    expect(completed.spec.resource_args).toEqual({
      kubernetes: { spec: { gpus: 2, tolerations: [] }, kept: 1, odd_name: true },
    });
    const refused = { ...input, queue, spec: { ...spec, resource: "sagemaker" }, templateVariableValues: {} };
    expect(() => completeRunSpec(refused)).toThrow(expect.objectContaining({ code: "RUN_SPEC_INVALID" }));
  });

  it("lets a sweep scheduler pass as it is", () => {
    const spec = {
      ...input.spec,
      docker: {},
      uri: "placeholder-uri-scheduler",
      resource: "local-process",
      run_id: "sweep1",
    };
    expect(completeRunSpec({ ...input, spec }).spec).toEqual({ ...spec, author: "ann" });
  });

  it.each<[string, CompleteRunSpecInput, string, string]>([
    [
      "value out of bounds",
      { ...input, templateVariableValues: { seconds: 5 } },
      "TEMPLATE_VALUES_INVALID",
      "template_variable_values.seconds",
    ],
    [
      "unknown variable",
      { ...input, templateVariableValues: { second: 60 } },
      "TEMPLATE_VALUES_INVALID",
      "template_variable_values.second",
    ],
    ["nothing to run", { ...input, spec: { ...input.spec, docker: {} } }, "RUN_SPEC_INVALID", "docker.docker_image"],
    ["two sources", { ...input, spec: { ...input.spec, job: "me/p/j:v0" } }, "RUN_SPEC_INVALID", "job"],
    ["other resource", { ...input, spec: { ...input.spec, resource: "slurm" } }, "RUN_SPEC_INVALID", "resource"],
    ["bad run id", { ...input, spec: { ...input.spec, run_id: "a/b" } }, "RUN_SPEC_INVALID", "run_id"],
    [
      "long artifacts",
      { ...input, spec: { ...input.spec, overrides: { artifacts: { a: "x".repeat(600) } } } },
      "RUN_SPEC_INVALID",
      "overrides.artifacts",
    ],
    [
      "huge config",
      { ...input, spec: { ...input.spec, overrides: { run_config: { a: "x".repeat(60_000) } } } },
      "RUN_SPEC_INVALID",
      "overrides.run_config",
    ],
    [
      "unknown field in the item",
      args({ ResourceConfig: { InstanceTyp: "x" } }),
      "RESOURCE_CONFIG_INVALID",
      "ResourceConfig.InstanceTyp",
    ],
    [
      "unknown macro in the item",
      args({ Environment: { A: "${AWS_SECRET_ACCESS_KEY}" } }),
      "RESOURCE_CONFIG_INVALID",
      "Environment.A",
    ],
    ["fixed name in the item", args({ TrainingJobName: "mine" }), "RESOURCE_CONFIG_INVALID", "TrainingJobName"],
    [
      "item takes a required field away",
      args({ ResourceConfig: { InstanceType: 3 } }),
      "RESOURCE_CONFIG_INVALID",
      "ResourceConfig.InstanceType",
    ],
  ])("refuses: %s", (_, given, code, path) => {
    const error = errorOf(given);
    expect(error.code).toBe(code);
    expect(error.where).toBe(path);
    expect(error.problems.map((problem) => problem.path)).toContain(path);
  });

  it("warns of what is allowed but dear", () => {
    expect(
      completeRunSpec(
        args({ EnableManagedSpotTraining: true, StoppingCondition: { MaxWaitTimeInSeconds: 7200 } }),
      ).warnings.map((one) => one.path),
    ).toEqual(["CheckpointConfig"]);
  });
});
