import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../json.ts";
import { accessTargets } from "../access-targets.ts";
import { agentNeeds } from "../agent-access.ts";
import { lintPolicy } from "./lint-policy.ts";

/**
 * The policies of the tutorial "Set up W&B Launch on SageMaker", as a person pastes them: once with their placeholders, once with values put in. What
 * they hold is an outside fact; what AWS makes of it is the subject here.
 */
function tutorialPolicy(values: { region: string; account: string; role: string; key: string; repository?: string }) {
  const { region, account, role, key, repository } = values;
  const ecr = [
    {
      Effect: "Allow",
      Action: [
        "ecr:CreateRepository",
        "ecr:UploadLayerPart",
        "ecr:PutImage",
        "ecr:CompleteLayerUpload",
        "ecr:InitiateLayerUpload",
        "ecr:DescribeRepositories",
        "ecr:DescribeImages",
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchDeleteImage",
      ],
      Resource: `arn:aws:ecr:${region}:${account}:repository/${repository}`,
    },
    { Effect: "Allow", Action: "ecr:GetAuthorizationToken", Resource: "*" },
  ];
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Action: [
          "logs:DescribeLogStreams",
          "SageMaker:AddTags",
          "SageMaker:CreateTrainingJob",
          "SageMaker:DescribeTrainingJob",
        ],
        Resource: `arn:aws:sagemaker:${region}:${account}:*`,
      },
      { Effect: "Allow", Action: "iam:PassRole", Resource: `arn:aws:iam::${account}:role/${role}` },
      ...(repository === undefined ? [] : ecr),
      {
        Effect: "Allow",
        Action: "kms:CreateGrant",
        Resource: key,
        Condition: {
          StringEquals: {
            "kms:ViaService": `SageMaker.${region}.amazonaws.com`,
            "kms:GrantIsForAWSResource": "true",
          },
        },
      },
    ],
  };
}

const KEY = "arn:aws:kms:eu-west-1:111122223333:key/k1";
const ROLE = "arn:aws:iam::111122223333:role/Train";
const BODY: JsonObject = {
  RoleArn: ROLE,
  OutputDataConfig: { S3OutputPath: "s3://out/models" },
  ResourceConfig: { InstanceType: "ml.m4.xlarge", InstanceCount: 1, VolumeSizeInGB: 2, VolumeKmsKeyId: KEY },
  StoppingCondition: { MaxRuntimeInSeconds: 3600 },
};
const BUILDS = {
  registryHost: "111122223333.dkr.ecr.eu-west-1.amazonaws.com",
  repository: "training",
  region: "eu-west-1",
  accountId: "111122223333",
  partition: "aws",
};

function lint(policy: object, { builds = true, key = true } = {}) {
  const config = key ? BODY : { ...BODY, ResourceConfig: { InstanceType: "ml.m4.xlarge", InstanceCount: 1 } };
  const targets = accessTargets([{ name: "q", config: config as JsonObject, templateVariables: [] }], {
    region: "eu-west-1",
    ...(builds ? { builds: BUILDS } : { repositories: ["training"] }),
  });
  return lintPolicy(JSON.parse(JSON.stringify(policy)), agentNeeds(targets), targets).map(
    ({ code, severity, path, actions }) => [severity, code, path, actions.join(" ")].join(" | "),
  );
}

const FILLED = { region: "eu-west-1", account: "111122223333", role: "Train", key: KEY };

const SHARED = [
  "error | RESOURCE_OF_OTHER_SERVICE | Statement[0].Resource | logs:DescribeLogStreams",
  "error | ACTION_MISSING | Statement | logs:GetLogEvents",
  "error | ACTION_MISSING | Statement | sagemaker:StopTrainingJob",
  "error | ACTION_MISSING | Statement | sagemaker:ListTrainingJobs",
  "warning | RESOURCE_TOO_WIDE | Statement[0].Resource | sagemaker:CreateTrainingJob sagemaker:DescribeTrainingJob sagemaker:AddTags",
  "warning | TAGS_AT_ANY_TIME | Statement[0] | sagemaker:AddTags",
  "warning | PASS_ROLE_TO_ANY_SERVICE | Statement[1] | iam:PassRole",
  "note | ACTION_CASE | Statement[0].Action[1] | sagemaker:AddTags",
  "note | ACTION_CASE | Statement[0].Action[2] | sagemaker:CreateTrainingJob",
  "note | ACTION_CASE | Statement[0].Action[3] | sagemaker:DescribeTrainingJob",
];

const viaService = (statement: number) => [
  `error | CONDITION_CASE | Statement[${statement}].Condition.StringEquals["kms:ViaService"] | kms:CreateGrant`,
  `note | CONDITION_OPERATOR | Statement[${statement}].Condition.StringEquals["kms:GrantIsForAWSResource"] | `,
  "note | KEY_POLICY_TOO |  | kms:CreateGrant",
];

describe("the tutorial's policies", () => {
  it("without building, with values put in", () => {
    const found = lint(tutorialPolicy(FILLED), { builds: false });
    expect(found.sort()).toEqual(
      [...SHARED, ...viaService(2), "warning | ACTION_MISSING | Statement | ecr:DescribeImages"].sort(),
    );
  });

  it("with building, with values put in", () => {
    const found = lint(tutorialPolicy({ ...FILLED, repository: "training" }));
    expect(found.sort()).toEqual(
      [
        ...SHARED,
        ...viaService(4),
        "error | ACTION_MISSING | Statement | ecr:BatchGetImage",
        "warning | ACTION_NOT_NEEDED | Statement[2].Action[0] | ecr:CreateRepository",
        "warning | ACTION_NOT_NEEDED | Statement[2].Action[5] | ecr:DescribeRepositories",
        "warning | ACTION_NOT_NEEDED | Statement[2].Action[8] | ecr:BatchDeleteImage",
      ].sort(),
    );
  });

  it("for a queue without a volume key: the statement about keys is not needed", () => {
    const found = lint(tutorialPolicy({ ...FILLED, repository: "training" }), { key: false });
    expect(found).toContain("warning | ACTION_NOT_NEEDED | Statement[4].Action | kms:CreateGrant");
    expect(found.join()).not.toContain("CONDITION_CASE");
  });

  it("with their placeholders: each is told, and the rest is judged all the same", () => {
    const found = lint(
      tutorialPolicy({
        region: "<region>",
        account: "<account-id>",
        role: "<RoleArn-from-queue-config>",
        key: "<ARN-OF-KMS-KEY>",
        repository: "<repository>",
      }),
    );
    expect(found.filter((line) => line.includes("PLACEHOLDER_LEFT")).map((line) => line.split(" | ")[2])).toEqual([
      "Statement[0].Resource",
      "Statement[1].Resource",
      "Statement[2].Resource",
      "Statement[4].Resource",
      'Statement[4].Condition.StringEquals["kms:ViaService"]',
    ]);
    expect(found).toEqual(expect.arrayContaining([...SHARED, ...viaService(4)]));
    // `role/<RoleArn-from-queue-config>` followed to the letter.
    expect(found).toContain("error | ARN_INSIDE_ARN | Statement[1].Resource | iam:PassRole");
  });
});
