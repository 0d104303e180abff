import { randomBytes } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import type { ImageStore } from "../ecr/image-store.ts";
import { deniedText, type Permission } from "../iam/authorize.ts";
import type { TrainingRuntime } from "../runtimes/runtime.ts";
import { AwsError, type AwsRequest } from "../service.ts";
import { hasObjects, noObjects } from "./channel-objects.ts";
import type { JobStore, TrainingJob } from "./job-store.ts";
import type { ExecutionRoles, TrainingObjects } from "./ports.ts";
import { keyArn, parseS3Uri, type TrainingRequest } from "./request.ts";
import { objectsOfRole } from "./role-objects.ts";
import { checkRules, invalid } from "./rules.ts";
import { STATUS_MESSAGES } from "./status-messages.ts";

export interface CreateDeps {
  readonly jobs: JobStore;
  readonly objects: TrainingObjects;
  readonly images: ImageStore;
  readonly roles: ExecutionRoles;
  readonly docker: TrainingRuntime | undefined;
  readonly clock: Clock;
}

/** Checks all that CreateTrainingJob checks and writes the job down. Throws ValidationException and ResourceInUse. */
export async function createJob(
  deps: CreateDeps,
  request: TrainingRequest,
  scope: Pick<AwsRequest, "region" | "accountId" | "principal" | "access">,
): Promise<TrainingJob> {
  const { jobs, clock } = deps;
  checkRules(request);
  const name = request.TrainingJobName;
  const arn = `arn:aws:sagemaker:${scope.region}:${scope.accountId}:training-job/${name}`;
  const taken = () =>
    new AwsError(
      "ResourceInUse",
      `Training job names must be unique within an AWS account and region, and a training job with this name already exists (${jobs.get(name)?.arn ?? arn})`,
    );
  if (jobs.get(name) !== undefined) throw taken();
  if (!deps.roles.assumable(request.RoleArn, arn)) {
    throw invalid(
      `Could not assume role ${request.RoleArn}. Please ensure that the role exists and allows principal 'sagemaker.amazonaws.com' to assume the role.`,
    );
  }
  checkVolumeKey(deps, request, scope);
  const imageUri = await findImage(deps, request, scope.accountId);
  await checkBuckets(objectsOfRole(deps.objects, deps.roles.access(request.RoleArn)), request, scope.region);
  const now = clock.now();
  const job: TrainingJob = {
    name,
    arn,
    request,
    status: "InProgress",
    secondary: "Starting",
    transitions: [{ status: "Starting", start: now, message: STATUS_MESSAGES.launching }],
    createdAt: now,
    modifiedAt: now,
    metrics: [],
    run: { token: randomBytes(32).toString("base64url"), imageUri },
  };
  if (!jobs.create(job, request.Tags ?? [])) throw taken();
  return job;
}

/** SageMaker grants itself the use of the volume's key, in the role's name or else in the caller's: one of them must be allowed to. */
function checkVolumeKey(
  { roles }: CreateDeps,
  { RoleArn, ResourceConfig }: TrainingRequest,
  { region, accountId, principal, access }: Pick<AwsRequest, "region" | "accountId" | "principal" | "access">,
): void {
  const id = ResourceConfig.VolumeKmsKeyId;
  if (id === undefined || id === "") return;
  const permission: Permission = {
    action: "kms:CreateGrant",
    resource: keyArn(id, region, accountId),
    context: {
      "kms:ViaService": `sagemaker.${region}.amazonaws.com`,
      "kms:GrantIsForAWSResource": "true",
      "kms:CallerAccount": accountId,
    },
  };
  if (roles.access(RoleArn).denial(permission) === undefined) return;
  const verdict = access(permission);
  if (!verdict.allowed) throw new AwsError("AccessDeniedException", deniedText(principal, permission, verdict.reason));
}

/** The image by its digest, or by its name where only the engine has it. */
async function findImage(deps: CreateDeps, request: TrainingRequest, accountId: string): Promise<string> {
  const uri = request.AlgorithmSpecification.TrainingImage;
  if (uri === undefined) {
    throw invalid(
      `Cannot find algorithm ${request.AlgorithmSpecification.AlgorithmName}: only TrainingImage is supported here.`,
    );
  }
  const resolved = await deps.images.resolve(uri);
  const ecr = /^(\d{12})\.dkr\.ecr\.[^/]+\/([^:@]+)/.exec(uri);
  if (resolved !== undefined && ecr !== null && !mayPull(deps, request.RoleArn, resolved)) {
    throw imageNotFound(uri, ecr, request.RoleArn);
  }
  if (resolved !== undefined) {
    return `${resolved.accountId}.dkr.ecr.${resolved.region}.amazonaws.com/${resolved.repository}@${resolved.digest}`;
  }
  const { docker } = deps;
  if (docker !== undefined && (await docker.available()) && (await docker.hasImage?.(uri)) !== false) return uri;
  if (ecr === null) {
    throw invalid(
      `Invalid image URI ${uri}. Please provide a valid Amazon Elastic Container Registry path of the image in the account ${accountId}.`,
    );
  }
  throw imageNotFound(uri, ecr, request.RoleArn);
}

/** The rights that SageMaker pulls an image with, in the execution role's name. */
function mayPull(
  deps: CreateDeps,
  roleArn: string,
  { accountId, region, repository }: { accountId: string; region: string; repository: string },
): boolean {
  const role = deps.roles.access(roleArn);
  const resource = `arn:aws:ecr:${region}:${accountId}:repository/${repository}`;
  return (
    role.denial({ action: "ecr:GetAuthorizationToken", resource: "*" }) === undefined &&
    PULL_ACTIONS.every((action) => role.denial({ action, resource }) === undefined)
  );
}

const PULL_ACTIONS = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];

function imageNotFound(uri: string, ecr: RegExpExecArray, roleArn: string): AwsError {
  return invalid(
    `Requested image ${uri} not found in repository ${ecr[2]} of registry ID ${ecr[1]}. Please check if your ECR repository and image exist and role ${roleArn} has proper pull permissions for SageMaker: ${PULL_ACTIONS.join(", ")}`,
  );
}

async function checkBuckets(objects: TrainingObjects, request: TrainingRequest, region: string): Promise<void> {
  for (const uri of [request.OutputDataConfig.S3OutputPath, request.CheckpointConfig?.S3Uri]) {
    if (uri === undefined) continue;
    const { bucket } = parseS3Uri(uri)!;
    if (!(await objects.hasBucket(bucket))) {
      throw invalid(
        `Unable to access S3 URL "${uri}": the bucket "${bucket}" does not exist. Please ensure that the bucket exists in the selected region (${region}) and that the role "${request.RoleArn}" has "s3:PutObject" permissions on it.`,
      );
    }
  }
  for (const channel of request.InputDataConfig ?? []) {
    const uri = channel.DataSource.S3DataSource!.S3Uri;
    const { bucket, key } = parseS3Uri(uri)!;
    const denied = await hasObjects(objects, bucket, key).catch((error: unknown) => error);
    if (denied === true) continue;
    if (denied !== false && !(denied instanceof AwsError)) throw denied;
    const why = denied instanceof AwsError ? ` Error message from S3: ${denied.message}` : "";
    throw invalid(
      `${noObjects(uri)} Please ensure that the bucket exists in the selected region (${region}), that objects exist under that S3 prefix, and that the role "${request.RoleArn}" has "s3:ListBucket" permissions on bucket "${bucket}".${why}`,
    );
  }
}
