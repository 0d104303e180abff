import { expect, test } from "vitest";
import type { JsonObject } from "../../core/json.ts";
import type { TrainingRequest } from "./request.ts";
import { checkRules } from "./rules.ts";
import { readInput } from "./validate.ts";

const VALID: JsonObject = {
  TrainingJobName: "job",
  RoleArn: "arn:aws:iam::123456789012:role/Role",
  AlgorithmSpecification: { TrainingImage: "image", TrainingInputMode: "File" },
  OutputDataConfig: { S3OutputPath: "s3://bucket/out" },
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 1 },
  StoppingCondition: { MaxRuntimeInSeconds: 60 },
};

function refusal(over: JsonObject): string {
  try {
    checkRules(readInput("CreateTrainingJobRequest", { ...VALID, ...over }) as unknown as TrainingRequest);
  } catch (error) {
    return `${(error as { code: string }).code}: ${(error as Error).message}`;
  }
  return "accepted";
}

test("a complete request is accepted; members nobody knows are dropped", () => {
  expect(refusal({})).toBe("accepted");
  expect(readInput("StopTrainingJobRequest", { TrainingJobName: "a", Extra: 1 })).toEqual({ TrainingJobName: "a" });
});

test("all broken constraints are told in the service's words", () => {
  const pattern = "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}";
  expect(refusal({ TrainingJobName: "bad_name!" })).toBe(
    `ValidationException: 1 validation error detected: Value 'bad_name!' at 'trainingJobName' failed to satisfy constraint: ${pattern}`,
  );
  const long = "x".repeat(64);
  expect(refusal({ TrainingJobName: long })).toBe(
    `ValidationException: 2 validation errors detected: Value '${long}' at 'trainingJobName' failed to satisfy constraint: ${pattern}; Value '${long}' at 'trainingJobName' failed to satisfy constraint: Member must have length less than or equal to 63`,
  );
  expect(refusal({ RoleArn: null })).toBe(
    "ValidationException: 1 validation error detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null",
  );
  expect(refusal({ StoppingCondition: { MaxRuntimeInSeconds: 0 } })).toContain(
    "Value '0' at 'stoppingCondition.maxRuntimeInSeconds' failed to satisfy constraint: Member must have value greater than or equal to 1",
  );
  expect(refusal({ Tags: [{ Key: "", Value: "v" }] })).toContain("Value '' at 'tags.1.member.key'");
  expect(refusal({ Environment: { "1x": "v" } })).toContain(
    "Value '{1x=v}' at 'environment' failed to satisfy constraint: Map keys must satisfy constraint: [",
  );
  expect(refusal({ ResourceConfig: { InstanceType: "ml.huge", InstanceCount: 1, VolumeSizeInGB: 1 } })).toContain(
    "Value 'ml.huge' at 'resourceConfig.instanceType' failed to satisfy constraint: Member must satisfy enum value set: [",
  );
});

test("a wrong type is a SerializationException", () => {
  expect(refusal({ TrainingJobName: 1 })).toBe("SerializationException: NUMBER_VALUE can not be converted to a String");
  expect(refusal({ StoppingCondition: { MaxRuntimeInSeconds: "60" } })).toBe(
    "SerializationException: STRING_VALUE can not be converted to an Integer",
  );
  expect(refusal({ EnableNetworkIsolation: "yes" })).toBe(
    "SerializationException: STRING_VALUE can not be converted to a Boolean",
  );
});

test.each([
  [{ StoppingCondition: null }, "Value null at 'stoppingCondition'"],
  [{ AlgorithmSpecification: { TrainingInputMode: "File" } }, "either AlgorithmName or TrainingImage"],
  [{ EnableManagedSpotTraining: true }, "Invalid MaxWaitTimeInSeconds"],
  [
    { StoppingCondition: { MaxRuntimeInSeconds: 60, MaxWaitTimeInSeconds: 60 } },
    "only supported when EnableManagedSpotTraining",
  ],
  [
    { ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 0, VolumeSizeInGB: 1 } },
    "InstanceCount must be greater than 0",
  ],
  [
    { ResourceConfig: { InstanceType: "ml.m5.large", VolumeSizeInGB: 1 } },
    "Value null at 'resourceConfig.instanceCount'",
  ],
  [
    {
      Tags: [
        { Key: "a", Value: "1" },
        { Key: "a", Value: "2" },
      ],
    },
    "Duplicate tag key found: a.",
  ],
  [{ Tags: [{ Key: "aws:x", Value: "1" }] }, "reserved for AWS use"],
  [{ StoppingCondition: { MaxRuntimeInSeconds: 3_000_000 } }, "less than or equal to 2419200"],
  [{ InputDataConfig: [{ ChannelName: "a", DataSource: {} }] }, "Exactly one data source"],
])("rules between members: %j", (over, text) => {
  expect(refusal(over as JsonObject)).toContain(text);
});
