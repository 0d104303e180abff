import { SlipwayError } from "../errors/slipway-error.ts";
import { type EcrRepository, parseEcrRepository, partitionOfRegion } from "../image-repository.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import type { TemplateVariableDefinition } from "../queues/template-variables.ts";
import { possibleTexts } from "./possible-texts.ts";
import { type S3Place, s3Place } from "./s3-place.ts";

/** A queue whose jobs are to be allowed: its CreateTrainingJob body and the values that its places may take. */
export interface AccessQueue {
  /** For messages. */
  readonly name: string;
  readonly config: JsonObject;
  readonly templateVariables: readonly TemplateVariableDefinition[];
}

export interface AccessSettings {
  readonly region?: string;
  /** Twelve digits. */
  readonly accountId?: string;
  readonly partition?: string;
  /** Repositories that jobs' images come from, beside those that the queues name: names, URIs or ARNs. */
  readonly repositories?: readonly string[];
  /** Images that the agent builds on. */
  readonly baseImages?: readonly string[];
  /** Where the agent pushes what it builds; undefined: it builds nothing. */
  readonly builds?: EcrRepository | undefined;
  /** Keys that the jobs' input is encrypted with: ARNs, ids or `alias/NAME`. */
  readonly inputKeys?: readonly string[];
}

/** A KMS key as policies can name it: by its ARN, or, for an alias, every key that has the alias. */
export interface KeyTarget {
  readonly resource: string;
  readonly alias?: string;
}

/** What the jobs of some queues touch in AWS: the one thing that policies, lint, setup and doctor are made of. */
export interface AccessTargets {
  readonly partition: string;
  readonly region: string;
  readonly accountId: string;
  /** ARNs of the execution roles. */
  readonly executionRoles: readonly string[];
  /** Patterns of training job ARNs, and of what else CreateTrainingJob names. */
  readonly trainingJobs: readonly string[];
  readonly trainingPlans: readonly string[];
  readonly inputs: readonly S3Place[];
  readonly outputs: readonly S3Place[];
  readonly checkpoints: readonly S3Place[];
  /** ARNs of the repositories that jobs' images come from. */
  readonly imageRepositories: readonly string[];
  /** ARNs of the repositories of base images on ECR. */
  readonly baseRepositories: readonly string[];
  /** ARN of the repository that the agent pushes to; undefined: it builds nothing. */
  readonly buildRepository: string | undefined;
  readonly volumeKeys: readonly KeyTarget[];
  readonly outputKeys: readonly KeyTarget[];
  readonly inputKeys: readonly KeyTarget[];
  readonly vpc: { readonly subnets: readonly string[]; readonly securityGroups: readonly string[] } | undefined;
  readonly remoteDebug: boolean;
  readonly instanceTypes: readonly string[];
  /** What a person should know about what the policies do and do not cover. */
  readonly notes: readonly string[];
}

/**
 * Reads from queues' configs what their jobs touch. Places (`{{name}}`) take each of the values that their variable's enum allows, else any;
 * macros stand for anything. Region, account and partition come from the settings, else from the execution role, the images and the keys.
 * Throws ACCESS_UNCLEAR if they cannot be known.
 */
export function accessTargets(queues: readonly AccessQueue[], settings: AccessSettings = {}): AccessTargets {
  const notes: string[] = [];
  const read = (path: readonly string[]) => unique(queues.flatMap((queue) => textsAt(queue, path)));
  const roles = read(["RoleArn"]);
  const open = roles.find((role) => !role.startsWith("arn:"));
  if (open !== undefined)
    throw unclear(
      "RoleArn of a queue is a template variable without an enum",
      "Give the variable an enum of the roles that may be passed: a policy must name them.",
    );
  const images = read(["AlgorithmSpecification", "TrainingImage"]).filter((image) => !image.startsWith("*"));
  const fixedImages = images.map((image) => image.replace(/(@sha256:.*|:[^/]*)$/, ""));
  const given = [...(settings.repositories ?? [])];
  const scope = scopeOf(roles, [...fixedImages, ...given], settings);
  const { partition, region, accountId } = scope;
  const ownRepository = (name: string) => repositoryArn(name, scope, notes);
  const named = [...fixedImages, ...given].map(ownRepository).filter((arn) => arn !== undefined);
  const buildRepository = settings.builds === undefined ? undefined : ecrArn(settings.builds);
  const imageRepositories = unique([...named, ...(buildRepository === undefined ? [] : [buildRepository])]);
  if (imageRepositories.length === 0) {
    imageRepositories.push(`arn:${partition}:ecr:${region}:${accountId}:repository/*`);
    notes.push(
      "No queue names an image, so images may come from every repository of the account: name them with --repository to allow less.",
    );
  }
  const key = (text: string) => keyTarget(text, scope);
  const places = (uris: readonly string[], what: string) =>
    uris.flatMap((uri) => {
      const place = s3Place(uri);
      if (place === undefined) notes.push(`${what} ${uri} is not a place in S3 that a policy can name.`);
      return place === undefined ? [] : [place];
    });
  const channels = queues.flatMap((queue) => listAt(queue.config, "InputDataConfig").map((one) => ({ queue, one })));
  const inputs = channels.flatMap(({ queue, one }) =>
    textsAt({ ...queue, config: one }, ["DataSource", "S3DataSource", "S3Uri"]),
  );
  if (channels.some(({ one }) => JSON.stringify(one).includes("ManifestFile")))
    notes.push("A channel is a manifest: the execution role also needs s3:GetObject on the objects that it lists.");
  if (channels.some(({ one }) => JSON.stringify(one).includes("FileSystemDataSource")))
    notes.push(
      "A channel is a file system: FSx and EFS are reached through the VPC and need no statement of their own.",
    );
  const subnets = read(["VpcConfig", "Subnets"]);
  const securityGroups = read(["VpcConfig", "SecurityGroupIds"]);
  const groups = queues.flatMap((queue) =>
    listAt(objectAt(queue.config, "ResourceConfig"), "InstanceGroups").flatMap((group) =>
      textsAt({ ...queue, config: group }, ["InstanceType"]),
    ),
  );
  const plans = read(["ResourceConfig", "TrainingPlanArn"]);
  return {
    ...scope,
    executionRoles: roles,
    trainingJobs: unique(jobPatterns(queues)).map(
      (name) => `arn:${partition}:sagemaker:${region}:${accountId}:training-job/${name}`,
    ),
    trainingPlans:
      plans.length === 0 ? [] : [...plans, `arn:${partition}:sagemaker:${region}:${accountId}:reserved-capacity/*`],
    inputs: places(unique(inputs), "The input"),
    outputs: places(read(["OutputDataConfig", "S3OutputPath"]), "The output path"),
    checkpoints: places(read(["CheckpointConfig", "S3Uri"]), "The checkpoints' place"),
    imageRepositories,
    baseRepositories: unique(
      (settings.baseImages ?? []).flatMap((image) => {
        const arn = ecrArnOfImage(image);
        return arn === undefined ? [] : [arn];
      }),
    ),
    buildRepository,
    volumeKeys: read(["ResourceConfig", "VolumeKmsKeyId"]).map(key),
    outputKeys: read(["OutputDataConfig", "KmsKeyId"]).map(key),
    inputKeys: unique(settings.inputKeys ?? []).map(key),
    vpc: subnets.length === 0 && securityGroups.length === 0 ? undefined : { subnets, securityGroups },
    remoteDebug: queues.some((queue) => objectAt(queue.config, "RemoteDebugConfig").EnableRemoteDebug === true),
    instanceTypes: unique([...read(["ResourceConfig", "InstanceType"]), ...groups]).filter((type) => type !== "*"),
    notes,
  };
}

interface Scope {
  readonly partition: string;
  readonly region: string;
  readonly accountId: string;
}

function scopeOf(roles: readonly string[], images: readonly string[], settings: AccessSettings): Scope {
  const role = roles.map((arn) => /^arn:([a-z-]+):iam::(\d{12}):role\//.exec(arn)).find((match) => match !== null);
  const repository = [settings.builds, ...images.map((image) => parseEcrRepository(image))].find(
    (one): one is EcrRepository => one !== undefined && !("problem" in one),
  );
  const region = settings.region ?? repository?.region;
  if (region === undefined) throw unclear("the region is not known", "Name it: --region us-east-1, or AWS_REGION.");
  const accountId = settings.accountId ?? role?.[2] ?? repository?.accountId;
  if (accountId === undefined)
    throw unclear(
      "the account is not known: no queue names an execution role in its RoleArn",
      "Name it: --account 123456789012, or give a queue with --queue or --queue-file.",
    );
  if (!/^\d{12}$/.test(accountId))
    throw unclear(`"${accountId}" is not an AWS account`, "An account id has twelve digits.");
  if (!/^[a-z]{2,4}(-[a-z]+)+-\d+$/.test(region))
    throw unclear(`"${region}" is not a region`, "A region reads us-east-1.");
  return { partition: settings.partition ?? role?.[1] ?? partitionOfRegion(region), region, accountId };
}

function repositoryArn(name: string, scope: Scope, notes: string[]): string | undefined {
  const found = parseEcrRepository(name);
  if (!("problem" in found)) return ecrArn(found);
  if (!name.includes(".") && !name.includes(":"))
    return `arn:${scope.partition}:ecr:${scope.region}:${scope.accountId}:repository/${name}`;
  notes.push(`The image ${name} is not on Amazon ECR, so no policy of this account covers it.`);
  return undefined;
}

/** The repository of an image on ECR; undefined for an image that lies elsewhere, or `host`. */
function ecrArnOfImage(image: string): string | undefined {
  const found = parseEcrRepository(image.replace(/(@sha256:.*|:[^/]*)$/, ""));
  return "problem" in found ? undefined : ecrArn(found);
}

function ecrArn({ partition, region, accountId, repository }: EcrRepository): string {
  return `arn:${partition}:ecr:${region}:${accountId}:repository/${repository}`;
}

/** An alias cannot be a statement's resource (KMS developer guide, "Using aliases to control access"): the keys that have it can. */
function keyTarget(text: string, { partition, region, accountId }: Scope): KeyTarget {
  const arn = /^arn:([^:]+):kms:([^:]+):([^:]+):(key|alias)\/(.+)$/.exec(text);
  const keys = (name: string) => `arn:${partition}:kms:${arn?.[2] ?? region}:${arn?.[3] ?? accountId}:key/${name}`;
  if (arn?.[4] === "key") return { resource: text };
  const alias = arn === null ? /^alias\/(.+)$/.exec(text)?.[1] : arn[5];
  return alias === undefined ? { resource: keys(text) } : { resource: keys("*"), alias: `alias/${alias}` };
}

/** What the names of the queues' jobs begin with, where a queue's own TrainingJobName says it (training-job-name.ts), else anything. */
function jobPatterns(queues: readonly AccessQueue[]): string[] {
  if (queues.length === 0) return ["*"];
  return queues.map(({ config }) => {
    const template = config.TrainingJobName;
    const prefix = typeof template === "string" ? template.split(/\$\{|\{\{/)[0]! : "";
    // A name that SageMaker would refuse is mapped; the mapping keeps a beginning like this as it is.
    return /^[a-zA-Z0-9](-?[a-zA-Z0-9]){0,38}-?$/.test(prefix) ? `${prefix}*` : "*";
  });
}

function textsAt(queue: AccessQueue, path: readonly string[]): string[] {
  let value: JsonValue | undefined = queue.config;
  for (const key of path) value = isJsonObject(value) ? value[key] : undefined;
  const values = Array.isArray(value) ? (value as readonly JsonValue[]) : [value];
  return values.flatMap((one) =>
    typeof one === "string" && one !== "" ? possibleTexts(one, queue.templateVariables) : [],
  );
}

function listAt(config: JsonObject, key: string): JsonObject[] {
  const value = config[key];
  return Array.isArray(value) ? (value as readonly JsonValue[]).filter(isJsonObject) : [];
}

function objectAt(config: JsonObject, key: string): JsonObject {
  const value = config[key];
  return isJsonObject(value) ? value : {};
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

function unclear(problem: string, hint: string): SlipwayError {
  return new SlipwayError("ACCESS_UNCLEAR", { values: { problem }, hint });
}
