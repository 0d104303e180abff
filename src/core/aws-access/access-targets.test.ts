import { describe, expect, it } from "vitest";
import type { JsonObject } from "../json.ts";
import { parseTemplateVariables } from "../queues/template-variables.ts";
import { type AccessSettings, accessTargets } from "./access-targets.ts";

const BODY: JsonObject = {
  RoleArn: "arn:aws:iam::111122223333:role/Train",
  AlgorithmSpecification: { TrainingImage: "${image_uri}", TrainingInputMode: "File" },
  OutputDataConfig: { S3OutputPath: "s3://out/models" },
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 30 },
  StoppingCondition: { MaxRuntimeInSeconds: 3600 },
};

function targetsOf(config: JsonObject, settings: AccessSettings = { region: "eu-west-1" }, variables: unknown = {}) {
  const { definitions } = parseTemplateVariables(variables);
  return accessTargets([{ name: "train", config: { ...BODY, ...config }, templateVariables: definitions }], settings);
}

describe("what a queue's jobs touch", () => {
  it("takes account and partition from the execution role", () => {
    const { accountId, partition, executionRoles } = targetsOf({
      RoleArn: "arn:aws-us-gov:iam::444455556666:role/team/Train",
    });
    expect({ accountId, partition, executionRoles }).toEqual({
      accountId: "444455556666",
      partition: "aws-us-gov",
      executionRoles: ["arn:aws-us-gov:iam::444455556666:role/team/Train"],
    });
  });

  it.each([
    ["team-${run_id}", "team-*"],
    ["${run_id}", "*"],
    // SageMaker takes no underscore: such a name is mapped.
    ["a_b-${run_id}", "*"],
    ["{{who}}-${run_id}", "*"],
  ])("TrainingJobName %s gives jobs named %s", (template, pattern) => {
    expect(targetsOf({ TrainingJobName: template }).trainingJobs).toEqual([
      `arn:aws:sagemaker:eu-west-1:111122223333:training-job/${pattern}`,
    ]);
  });

  it("spreads a template variable over its values and takes anything where it has none", () => {
    const { executionRoles, outputs, instanceTypes } = targetsOf(
      {
        RoleArn: "arn:aws:iam::111122223333:role/{{team}}",
        OutputDataConfig: { S3OutputPath: "s3://{{where}}/models/${run_id}" },
        ResourceConfig: { InstanceType: "{{itype}}", InstanceCount: 1, VolumeSizeInGB: 30 },
      },
      { region: "eu-west-1" },
      {
        team: { schema: { type: "string", enum: ["Red", "Blue"] } },
        where: { schema: { type: "string" } },
        itype: { schema: { type: "string", enum: ["ml.m5.large", "ml.g5.xlarge"] } },
      },
    );
    expect(executionRoles).toEqual(["arn:aws:iam::111122223333:role/Red", "arn:aws:iam::111122223333:role/Blue"]);
    expect(outputs).toEqual([{ bucket: "*", prefix: "models/*" }]);
    expect(instanceTypes).toEqual(["ml.m5.large", "ml.g5.xlarge"]);
  });

  it("refuses a role that could be any", () => {
    expect(() => targetsOf({ RoleArn: "{{role}}" })).toThrow(
      "RoleArn of a queue is a template variable without an enum",
    );
  });

  it("knows repositories by URI, ARN and name, and says which images no policy covers", () => {
    const { imageRepositories, notes } = targetsOf(
      { AlgorithmSpecification: { TrainingImage: "docker.io/library/python:3.11", TrainingInputMode: "File" } },
      {
        region: "eu-west-1",
        repositories: [
          "777788889999.dkr.ecr.us-east-1.amazonaws.com/shared/base",
          "arn:aws:ecr:eu-west-1:111122223333:repository/train",
          "other",
        ],
      },
    );
    expect(imageRepositories).toEqual([
      "arn:aws:ecr:us-east-1:777788889999:repository/shared/base",
      "arn:aws:ecr:eu-west-1:111122223333:repository/train",
      "arn:aws:ecr:eu-west-1:111122223333:repository/other",
    ]);
    expect(notes.join()).toContain("docker.io/library/python is not on Amazon ECR");
  });

  it.each([
    ["arn:aws:kms:eu-west-1:111122223333:key/k1", { resource: "arn:aws:kms:eu-west-1:111122223333:key/k1" }],
    ["k1", { resource: "arn:aws:kms:eu-west-1:111122223333:key/k1" }],
    ["alias/train", { resource: "arn:aws:kms:eu-west-1:111122223333:key/*", alias: "alias/train" }],
    [
      "arn:aws:kms:us-east-1:777788889999:alias/train",
      { resource: "arn:aws:kms:us-east-1:777788889999:key/*", alias: "alias/train" },
    ],
  ])("reads the key %s", (key, target) => {
    const { volumeKeys } = targetsOf({
      ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 30, VolumeKmsKeyId: key },
    });
    expect(volumeKeys).toEqual([target]);
  });

  it("says what it lacks", () => {
    expect(() => targetsOf({}, {})).toThrow("the region is not known");
    expect(() => accessTargets([], { region: "eu-west-1" })).toThrow("the account is not known");
    expect(() => targetsOf({}, { region: "eu-west-1", accountId: "42" })).toThrow('"42" is not an AWS account');
  });
});
