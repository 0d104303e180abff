import { describe, expect, it } from "vitest";
import { checkQueue, requireValidQueue } from "./check-queue.ts";

const body = {
  RoleArn: "arn:aws:iam::123456789012:role/train",
  ResourceConfig: { InstanceType: "{{itype}}", InstanceCount: 1 },
  OutputDataConfig: { S3OutputPath: "s3://bucket/out" },
  StoppingCondition: { MaxRuntimeInSeconds: 3600 },
};
const templateVariables = { itype: { schema: { type: "string", enum: ["ml.m5.large", "ml.g5.xlarge"] } } };

describe("checkQueue", () => {
  it("takes the config as the wandb client sends it, and gives the body to keep", () => {
    const wrapped = { resource_args: { sagemaker: { ...body, RoleArn: undefined as never, role_arn: body.RoleArn } } };
    expect(
      checkQueue({ resource: "sagemaker", config: JSON.parse(JSON.stringify(wrapped)), templateVariables }),
    ).toEqual({
      config: body,
      templateVariables: [{ name: "itype", schema: templateVariables.itype.schema }],
      problems: [],
      warnings: [],
    });
  });

  it("tries every value that a variable allows", () => {
    const { problems } = checkQueue({
      resource: "sagemaker",
      config: body,
      templateVariables: {
        itype: { schema: { type: "string", enum: ["ml.m5.large", "ml.g5.xlarg"], default: "ml.m5.large" } },
      },
    });
    expect(problems).toEqual([
      {
        path: "template_variables.itype",
        message: expect.stringContaining('itype allows "ml.g5.xlarg", but ResourceConfig.InstanceType cannot be'),
        hint: "Did you mean ml.g5.xlarge?",
      },
    ]);
  });

  it("reports config and variables together", () => {
    const { problems } = checkQueue({
      resource: "sagemaker",
      config: { ...body, RoleArn: "<REQUIRED>" },
      templateVariables: {},
    });
    expect(problems.map((problem) => problem.path)).toEqual(["RoleArn", "ResourceConfig.InstanceType"]);
  });

  it("warns without refusing", () => {
    const config = {
      ...body,
      ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1 },
      StoppingCondition: {},
    };
    expect(checkQueue({ resource: "sagemaker", config })).toMatchObject({
      problems: [],
      warnings: [{ path: "StoppingCondition.MaxRuntimeInSeconds" }],
    });
  });

  it("takes the body of another resource as it is, but for its template variables", () => {
    const config = { resource_args: { kubernetes: { spec: { gpus: "{{gpus}}", odd_name: 1 } } } };
    const variables = { gpus: { schema: { type: "integer", default: 1 } } };
    expect(checkQueue({ resource: "kubernetes", config, templateVariables: variables })).toEqual({
      config: { spec: { gpus: "{{gpus}}", odd_name: 1 } },
      templateVariables: [{ name: "gpus", schema: variables.gpus.schema }],
      problems: [],
      warnings: [],
    });
    expect(checkQueue({ resource: "kubernetes", config }).problems).toMatchObject([{ path: "spec.gpus" }]);
    expect(checkQueue({ resource: "kubernets", config }).problems).toMatchObject([
      { path: "resource", hint: "Did you mean kubernetes?" },
    ]);
  });

  it("throws what a server answers", () => {
    expect(() => requireValidQueue({ resource: "slurm", config: {} })).toThrow(
      expect.objectContaining({ code: "RESOURCE_UNKNOWN", where: "resource" }),
    );
    expect(() =>
      requireValidQueue({ resource: "sagemaker", config: { ...body, RoleArn: "<REQUIRED>" }, templateVariables }),
    ).toThrow(expect.objectContaining({ code: "RESOURCE_CONFIG_INVALID", where: "RoleArn" }));
    expect(() =>
      requireValidQueue({
        resource: "sagemaker",
        config: body,
        templateVariables: { itype: { schema: { type: "strin" } } },
      }),
    ).toThrow(
      expect.objectContaining({ code: "TEMPLATE_VARIABLES_INVALID", where: "template_variables.itype.schema.type" }),
    );
    expect(requireValidQueue({ resource: "sagemaker", config: body, templateVariables }).config).toEqual(body);
  });
});
