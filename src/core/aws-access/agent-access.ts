import { dnsSuffixOf } from "../image-repository.ts";
import { TRAINING_LOG_GROUP } from "../training/training-log-group.ts";
import type { AccessTargets } from "./access-targets.ts";
import { keyNeed } from "./key-need.ts";
import { type AccessNeed, accessNeed, exampleOf } from "./policy-document.ts";

/** What an agent may do beside submitting and watching. */
export interface AgentFeatures {
  /** Read the jobs' logs. Default true. */
  readonly logs?: boolean;
  /** Stop jobs that people stop. Default true. */
  readonly stop?: boolean;
}

/** The service that execution roles are passed to, in every partition. */
export const SAGEMAKER_SERVICE = "sagemaker.amazonaws.com";

/**
 * Everything that an agent asks of AWS for the jobs of some queues: Slipway's agent and the wandb one make the same calls. The actions and
 * what they act on: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html and its neighbours.
 */
export function agentNeeds(targets: AccessTargets, features: AgentFeatures = {}): AccessNeed[] {
  const { trainingJobs, trainingPlans, executionRoles, partition, region, accountId } = targets;
  const needs: AccessNeed[] = [
    accessNeed({
      sid: "SubmitAndWatchTrainingJobs",
      why: "CreateTrainingJob submits each item; DescribeTrainingJob reads how its job stands, and finds a job again after a restart",
      without: "nothing can be submitted: the item fails with access_denied",
      actions: ["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob"],
      resources: [...trainingJobs, ...trainingPlans],
      requests: [
        ...trainingJobs.flatMap((job) => [
          request("sagemaker:CreateTrainingJob", job),
          request("sagemaker:DescribeTrainingJob", job),
        ]),
        ...trainingPlans.map((plan) => request("sagemaker:CreateTrainingJob", plan)),
      ],
    }),
    accessNeed({
      sid: "SeeWhichTrainingJobsMoved",
      why: "one ListTrainingJobs tells which of all the jobs moved, instead of a call for each; the action knows no resource, so it must be *",
      without: "the agent does not see that jobs go on: their state stands still",
      actions: ["sagemaker:ListTrainingJobs"],
      resources: ["*"],
    }),
    accessNeed({
      sid: "TagTrainingJobsAtTheirCreation",
      why: "CreateTrainingJob with tags (the run's id, and the queue's own) needs AddTags; only while it creates, so no tag can be changed later",
      without: "CreateTrainingJob is refused, for sagemaker:AddTags",
      actions: ["sagemaker:AddTags"],
      resources: trainingJobs,
      condition: { StringEquals: { "sagemaker:TaggingAction": "CreateTrainingJob" } },
      context: { "sagemaker:TaggingAction": "CreateTrainingJob" },
    }),
  ];
  if (executionRoles.length > 0)
    needs.push(
      accessNeed({
        sid: "PassTheExecutionRoleToSageMaker",
        why: "CreateTrainingJob names the role that the job runs as; passing it is allowed for this role and to SageMaker alone",
        without: "CreateTrainingJob is refused, for iam:PassRole",
        actions: ["iam:PassRole"],
        resources: executionRoles,
        condition: { StringEquals: { "iam:PassedToService": SAGEMAKER_SERVICE } },
        context: { "iam:PassedToService": SAGEMAKER_SERVICE },
      }),
    );
  if (features.stop !== false)
    needs.push(
      accessNeed({
        sid: "StopTrainingJobs",
        why: "a person stops an item or its run",
        without: "the job goes on and is paid for until it ends by itself",
        actions: ["sagemaker:StopTrainingJob"],
        resources: trainingJobs,
      }),
    );
  if (features.logs !== false) needs.push(...logNeeds(targets));
  needs.push(...imageNeeds(targets));
  const viaSageMaker = `sagemaker.${region}.${dnsSuffixOf(partition)}`;
  needs.push(
    ...keyNeed(targets.volumeKeys, {
      sid: "LetSageMakerUseTheVolumeKey",
      why: "ResourceConfig.VolumeKmsKeyId: SageMaker takes a grant on the key in the caller's name, to encrypt the instances' volumes; the key's own policy must leave it to the account's IAM policies",
      without:
        "CreateTrainingJob is refused, or the job fails at its start, for kms:CreateGrant (unless the execution role may do it)",
      actions: ["kms:CreateGrant"],
      condition: {
        StringEquals: { "kms:ViaService": viaSageMaker },
        Bool: { "kms:GrantIsForAWSResource": "true" },
      },
      context: { "kms:ViaService": viaSageMaker, "kms:GrantIsForAWSResource": "true", "kms:CallerAccount": accountId },
    }),
  );
  return needs;
}

function logNeeds({ partition, region, accountId, trainingJobs }: AccessTargets): AccessNeed[] {
  const group = `arn:${partition}:logs:${region}:${accountId}:log-group:${TRAINING_LOG_GROUP}`;
  const streams = trainingJobs.map((job) => `${group}:log-stream:${job.slice(job.lastIndexOf("/") + 1)}`);
  return [
    accessNeed({
      sid: "FindTheLogStreamsOfTrainingJobs",
      why: "each node of a job has a log stream; it is a CloudWatch Logs resource, not one of SageMaker's",
      without: "jobs run without a log",
      actions: ["logs:DescribeLogStreams"],
      resources: [group, `${group}:*`],
      // AWS judges this call on the group with `:log-stream:` after it.
      requests: [
        { action: "logs:DescribeLogStreams", resource: group, context: {} },
        { action: "logs:DescribeLogStreams", resource: `${group}:log-stream:`, context: {} },
      ],
    }),
    accessNeed({
      sid: "ReadTheLogsOfTrainingJobs",
      why: "the lines that the training code prints are shown with the item",
      without: "jobs run without a log",
      actions: ["logs:GetLogEvents"],
      resources: streams,
      requests: streams.map((stream) => ({
        action: "logs:GetLogEvents",
        resource: `${exampleOf(stream)}/algo-1-1700000000`,
        context: {},
      })),
    }),
  ];
}

function imageNeeds({ imageRepositories, baseRepositories, buildRepository }: AccessTargets): AccessNeed[] {
  const needs: AccessNeed[] = [
    accessNeed({
      sid: "SeeWhetherAnImageExists",
      why: "an image that is missing is told before the job is submitted, and an image that is there is not built again",
      without:
        buildRepository === undefined
          ? "a missing image is seen only when the job fails"
          : "every build is made again, or refused",
      optional: true,
      actions: ["ecr:DescribeImages"],
      resources: imageRepositories,
    }),
  ];
  if (buildRepository === undefined) return needs;
  needs.push(
    accessNeed({
      sid: "LogInToTheRegistry",
      why: "docker login and pushing need a token; the action knows no resource, so it must be *",
      without: "no image can be pushed",
      actions: ["ecr:GetAuthorizationToken"],
      resources: ["*"],
    }),
    accessNeed({
      sid: "PushBuiltImages",
      why: "layers and manifest of a built image; a push begins with a look at the manifest, which is BatchGetImage",
      without: "the push of a built image is refused",
      actions: [
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:InitiateLayerUpload",
        "ecr:UploadLayerPart",
        "ecr:CompleteLayerUpload",
        "ecr:PutImage",
      ],
      resources: [buildRepository],
    }),
  );
  if (baseRepositories.length > 0)
    needs.push(
      accessNeed({
        sid: "PullBaseImages",
        why: "the base image's manifest, config and layers",
        without: "nothing can be built on the base image",
        actions: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        resources: baseRepositories,
      }),
    );
  return needs;
}

function request(action: string, pattern: string) {
  return { action, resource: exampleOf(pattern), context: {} };
}
