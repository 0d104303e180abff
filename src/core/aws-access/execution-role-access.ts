import { TRAINING_LOG_GROUP } from "../training/training-log-group.ts";
import type { AccessTargets } from "./access-targets.ts";
import { keyNeed } from "./key-need.ts";
import { type AccessNeed, accessNeed } from "./policy-document.ts";
import { bucketArn, objectsBelow, objectsFrom } from "./s3-place.ts";

/**
 * What SageMaker does as the execution role for the jobs of some queues (SageMaker developer guide, "SageMaker AI roles", CreateTrainingJob), no
 * wider than their configs say. What the training code itself does beside that is not in it.
 */
export function executionRoleNeeds(targets: AccessTargets): AccessNeed[] {
  const { partition, region, accountId } = targets;
  const group = `arn:${partition}:logs:${region}:${accountId}:log-group:${TRAINING_LOG_GROUP}`;
  return [
    ...storageNeeds(targets),
    accessNeed({
      sid: "LogInToTheRegistry",
      why: "SageMaker pulls the job's image; the action knows no resource, so it must be *",
      without: "the job fails at its start: the image cannot be pulled",
      actions: ["ecr:GetAuthorizationToken"],
      resources: ["*"],
    }),
    accessNeed({
      sid: "PullTheImage",
      why: "manifest and layers of the job's image",
      without: "CreateTrainingJob is refused, or the job fails at its start: the image cannot be pulled",
      actions: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
      resources: targets.imageRepositories,
    }),
    accessNeed({
      sid: "WriteTheLog",
      why: "what the training code prints goes to CloudWatch Logs; the first job of the account makes the group",
      without: "the job has no log",
      actions: ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
      resources: [group, `${group}:*`],
      requests: [
        { action: "logs:CreateLogGroup", resource: group, context: {} },
        { action: "logs:CreateLogStream", resource: `${group}:log-stream:example`, context: {} },
        { action: "logs:DescribeLogStreams", resource: `${group}:log-stream:`, context: {} },
        { action: "logs:PutLogEvents", resource: `${group}:log-stream:example/algo-1-1700000000`, context: {} },
      ],
    }),
    accessNeed({
      sid: "PublishMetrics",
      why: "use of CPU, memory and GPU, and the metrics of MetricDefinitions; the action knows no resource, so the namespace bounds it",
      without: "the job has no metrics in CloudWatch",
      actions: ["cloudwatch:PutMetricData"],
      resources: ["*"],
      condition: { StringLike: { "cloudwatch:namespace": "/aws/sagemaker/*" } },
      context: { "cloudwatch:namespace": "/aws/sagemaker/TrainingJobs" },
    }),
    ...keyNeeds(targets),
    ...networkNeeds(targets),
    ...(targets.remoteDebug ? [remoteDebugNeed()] : []),
  ];
}

function storageNeeds(targets: AccessTargets): AccessNeed[] {
  const { partition, inputs, outputs, checkpoints } = targets;
  const needs: AccessNeed[] = [];
  const listed = [...new Set([...inputs, ...outputs, ...checkpoints].map((place) => bucketArn(place, partition)))];
  if (listed.length > 0)
    needs.push(
      accessNeed({
        sid: "ListTheBuckets",
        why: "SageMaker lists what an input or a checkpoint consists of, and looks whether the buckets are there: names, not contents",
        without: "the job fails while it downloads its input: AccessDenied for s3:ListBucket",
        actions: ["s3:ListBucket"],
        resources: listed,
      }),
    );
  if (inputs.length > 0)
    needs.push(
      accessNeed({
        sid: "ReadTheInput",
        why: "the objects of InputDataConfig, and nothing beside them",
        without: "the job fails while it downloads its input",
        actions: ["s3:GetObject"],
        resources: unique(inputs.map((place) => objectsFrom(place, partition))),
      }),
    );
  if (outputs.length > 0)
    needs.push(
      accessNeed({
        sid: "WriteTheOutput",
        why: "model and output archives under OutputDataConfig.S3OutputPath; an upload that broke off is cleared away",
        without: "the job fails at its very end: the model cannot be uploaded",
        actions: ["s3:PutObject", "s3:AbortMultipartUpload"],
        resources: unique(outputs.map((place) => objectsBelow(place, partition))),
      }),
    );
  if (checkpoints.length > 0)
    needs.push(
      accessNeed({
        sid: "KeepCheckpoints",
        why: "CheckpointConfig: what is in the directory is copied to S3 while the job runs, and back when it begins again",
        without: "a job that was interrupted begins from nothing, or fails at its start",
        actions: ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
        resources: unique(checkpoints.map((place) => objectsBelow(place, partition))),
      }),
    );
  return needs;
}

function keyNeeds({ outputKeys, inputKeys, volumeKeys }: AccessTargets): AccessNeed[] {
  return [
    ...keyNeed(inputKeys, {
      sid: "DecryptTheInput",
      why: "the input's objects are encrypted with this key",
      without: "the job fails while it downloads its input: AccessDenied for kms:Decrypt",
      actions: ["kms:Decrypt"],
    }),
    ...keyNeed(outputKeys, {
      sid: "EncryptTheOutput",
      why: "OutputDataConfig.KmsKeyId: S3 encrypts with a data key of it; an upload in parts also reads its own parts",
      without: "the job fails at its very end: AccessDenied for kms:GenerateDataKey",
      actions: ["kms:GenerateDataKey", "kms:Encrypt", "kms:Decrypt"],
    }),
    ...keyNeed(volumeKeys, {
      sid: "EncryptTheVolumes",
      why: "ResourceConfig.VolumeKmsKeyId: the instances' volumes are encrypted by a grant on this key",
      without: "the job fails at its start (unless the caller of CreateTrainingJob may create the grant)",
      actions: ["kms:CreateGrant"],
      condition: { Bool: { "kms:GrantIsForAWSResource": "true" } },
      context: { "kms:GrantIsForAWSResource": "true" },
    }),
  ];
}

/** SageMaker developer guide, "Give SageMaker training jobs access to resources in your VPC". */
function networkNeeds({ vpc, partition, region, accountId }: AccessTargets): AccessNeed[] {
  if (vpc === undefined) return [];
  const arn = (kind: string, id: string) => `arn:${partition}:ec2:${region}:${accountId}:${kind}/${id}`;
  return [
    accessNeed({
      sid: "PlaceTheInstancesInTheVpc",
      why: "VpcConfig: a network interface for each instance, in the named subnets and security groups alone",
      without: "the job fails at its start: the network interface cannot be made",
      actions: ["ec2:CreateNetworkInterface"],
      resources: [
        arn("network-interface", "*"),
        ...vpc.subnets.map((id) => arn("subnet", id)),
        ...vpc.securityGroups.map((id) => arn("security-group", id)),
      ],
    }),
    accessNeed({
      sid: "UseAndRemoveTheInterfaces",
      why: "the interface is handed to the instance, and removed after the job",
      without: "the job fails at its start, or leaves interfaces behind",
      actions: [
        "ec2:CreateNetworkInterfacePermission",
        "ec2:DeleteNetworkInterface",
        "ec2:DeleteNetworkInterfacePermission",
      ],
      resources: [arn("network-interface", "*")],
    }),
    accessNeed({
      sid: "LookAtTheVpc",
      why: "describing actions of EC2 know no resource, so it must be *",
      without: "CreateTrainingJob is refused, or the job fails at its start",
      actions: [
        "ec2:DescribeDhcpOptions",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
      ],
      resources: ["*"],
    }),
  ];
}

/** SageMaker developer guide, "Access a training container through AWS Systems Manager for remote debugging". */
function remoteDebugNeed(): AccessNeed {
  return accessNeed({
    sid: "OpenRemoteDebugSessions",
    why: "RemoteDebugConfig: the container takes sessions of AWS Systems Manager; these actions know no resource",
    without: "no session to the container can be opened",
    actions: [
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
    ],
    resources: ["*"],
  });
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
