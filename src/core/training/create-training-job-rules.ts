import type { Problem } from "../errors/slipway-error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { elementPath, memberPath } from "../json-path.ts";
import type { CreateTrainingJobMode } from "./create-training-job.ts";
import { MISSING_HINTS } from "./create-training-job-shape.ts";
import { isReservedEnvironmentName, RUN_ID_TAG } from "./launch-environment.ts";
import { templateKeepsItemsApart } from "./training-job-name.ts";

/** MaxRuntimeInSeconds where it is left out, and its limit of 28 days (CreateTrainingJob's StoppingCondition in the AWS reference). */
const DEFAULT_MAX_RUNTIME = 86_400;
const LONGEST_RUNTIME = 2_419_200;
/** S3's rules for the name of a bucket. */
const BUCKET = /^(?!xn--|sthree-)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]$/;

type Say = (path: string, message: string, hint?: string) => void;

/** What the shapes cannot say: rules between fields, Slipway's own needs, and what only runs into trouble later. */
export function createTrainingJobRuleProblems(body: JsonObject, mode: CreateTrainingJobMode): Problem[] {
  const problems: Problem[] = [];
  const say: Say = (path, message, hint) => problems.push({ path, message, ...(hint === undefined ? {} : { hint }) });
  needed(body, mode, say);
  stopping(body, say);
  resources(body, say);
  algorithm(body, mode, say);
  channels(body, say);
  s3Paths(body, "", say);
  tags(body, mode, say);
  if (mode !== "request") slipwaysOwn(body, say);
  return problems;
}

/** What is allowed but will probably disappoint. */
export function createTrainingJobWarnings(body: JsonObject): Problem[] {
  const warnings: Problem[] = [];
  if (body.EnableManagedSpotTraining === true && body.CheckpointConfig === undefined)
    warnings.push({
      path: "CheckpointConfig",
      message: "Spot training without CheckpointConfig begins anew after each interruption",
      hint: 'Give {"S3Uri": "s3://BUCKET/PREFIX"} and save to /opt/ml/checkpoints.',
    });
  const stopping = objectAt(body, "StoppingCondition");
  if (stopping !== undefined && stopping.MaxRuntimeInSeconds === undefined)
    warnings.push({
      path: "StoppingCondition.MaxRuntimeInSeconds",
      message: "Without MaxRuntimeInSeconds a job may run, and cost, for 24 hours",
    });
  return warnings;
}

function needed(body: JsonObject, mode: CreateTrainingJobMode, say: Say): void {
  if (body.ServerlessJobConfig !== undefined) return;
  for (const name of ["ResourceConfig", "StoppingCondition"])
    if (body[name] === undefined) say(name, `${name} is missing`, MISSING_HINTS[name]);
  if (mode === "request" && body.AlgorithmSpecification === undefined)
    say("AlgorithmSpecification", "AlgorithmSpecification is missing");
}

function stopping(body: JsonObject, say: Say): void {
  const condition = objectAt(body, "StoppingCondition") ?? {};
  const { MaxRuntimeInSeconds: runtime, MaxWaitTimeInSeconds: wait } = condition;
  const spot = body.EnableManagedSpotTraining;
  if (typeof runtime === "number" && runtime > LONGEST_RUNTIME)
    say(
      "StoppingCondition.MaxRuntimeInSeconds",
      `StoppingCondition.MaxRuntimeInSeconds must be at most ${LONGEST_RUNTIME} (28 days), not ${runtime}`,
    );
  if (spot === true && wait === undefined)
    say(
      "StoppingCondition.MaxWaitTimeInSeconds",
      "Spot training needs StoppingCondition.MaxWaitTimeInSeconds",
      "Give the seconds to wait for capacity and to run together, at least MaxRuntimeInSeconds.",
    );
  if (spot !== true && typeof spot !== "string" && wait !== undefined)
    say(
      "StoppingCondition.MaxWaitTimeInSeconds",
      "MaxWaitTimeInSeconds is for spot training only",
      "Remove it, or set EnableManagedSpotTraining to true.",
    );
  const least = runtime ?? DEFAULT_MAX_RUNTIME;
  if (typeof wait === "number" && typeof least === "number" && wait < least)
    say(
      "StoppingCondition.MaxWaitTimeInSeconds",
      `MaxWaitTimeInSeconds (${wait}) must be at least MaxRuntimeInSeconds (${least}${runtime === undefined ? ", the default" : ""})`,
    );
}

function resources(body: JsonObject, say: Say): void {
  const config = objectAt(body, "ResourceConfig");
  if (config === undefined) return;
  const at = (key: string) => `ResourceConfig.${key}`;
  const groups = listAt(config, "InstanceGroups");
  const preferences = listAt(config, "InstancePreferences");
  if (groups !== undefined && groups.length > 0) {
    for (const key of ["InstanceType", "InstanceCount"])
      if (config[key] !== undefined)
        say(
          at(key),
          `${key} and InstanceGroups exclude each other`,
          `Remove ResourceConfig.${key}, or InstanceGroups.`,
        );
    unique(groups, "InstanceGroupName", at("InstanceGroups"), "instance group", say);
  } else if (preferences === undefined || preferences.length === 0) {
    for (const key of ["InstanceType", "InstanceCount"])
      if (config[key] === undefined)
        say(at(key), `${at(key)} is missing`, key === "InstanceType" ? "For instance ml.m5.large." : "For instance 1.");
  }
  if (config.InstanceCount === 0) say(at("InstanceCount"), "ResourceConfig.InstanceCount must be at least 1, not 0");
  if (
    typeof config.KeepAlivePeriodInSeconds === "number" &&
    config.KeepAlivePeriodInSeconds > 0 &&
    body.EnableManagedSpotTraining === true
  )
    say(
      at("KeepAlivePeriodInSeconds"),
      "Spot instances cannot be kept alive between jobs",
      "Remove KeepAlivePeriodInSeconds or EnableManagedSpotTraining.",
    );
}

function algorithm(body: JsonObject, mode: CreateTrainingJobMode, say: Say): void {
  const specification = objectAt(body, "AlgorithmSpecification");
  if (specification === undefined) return;
  const { TrainingImage: image, AlgorithmName: name } = specification;
  if (image !== undefined && name !== undefined)
    say(
      "AlgorithmSpecification.AlgorithmName",
      "TrainingImage and AlgorithmName exclude each other",
      "Remove one of them.",
    );
  if (mode === "request" && image === undefined && name === undefined)
    say("AlgorithmSpecification.TrainingImage", "AlgorithmSpecification names no image");
  const access = objectAt(specification, "TrainingImageConfig");
  if (access?.TrainingRepositoryAccessMode === "Vpc" && body.VpcConfig === undefined)
    say("VpcConfig", "An image of a private registry (TrainingRepositoryAccessMode Vpc) needs VpcConfig");
  unique(listAt(specification, "MetricDefinitions"), "Name", "AlgorithmSpecification.MetricDefinitions", "metric", say);
  for (const [index, definition] of (listAt(specification, "MetricDefinitions") ?? []).entries()) {
    const pattern = isJsonObject(definition) ? definition.Regex : undefined;
    if (typeof pattern === "string" && !/\((?!\?)/.test(pattern.replace(/\\./g, "")) && !/[{$]/.test(pattern))
      say(
        `${elementPath("AlgorithmSpecification.MetricDefinitions", index)}.Regex`,
        `${JSON.stringify(pattern)} has no group, so the metric would have no value`,
        "Put the number's part into parentheses: loss: ([0-9.]+).",
      );
  }
}

const SOURCES = ["S3DataSource", "FileSystemDataSource", "DatasetSource"];

function channels(body: JsonObject, say: Say): void {
  const list = listAt(body, "InputDataConfig");
  unique(list, "ChannelName", "InputDataConfig", "channel", say);
  const groupNames = (listAt(objectAt(body, "ResourceConfig") ?? {}, "InstanceGroups") ?? []).map((group) =>
    isJsonObject(group) ? group.InstanceGroupName : undefined,
  );
  for (const [index, channel] of (list ?? []).entries()) {
    if (!isJsonObject(channel)) continue;
    const path = elementPath("InputDataConfig", index);
    const source = objectAt(channel, "DataSource");
    if (source === undefined) continue;
    const given = SOURCES.filter((name) => source[name] !== undefined);
    if (given.length === 0 && Object.keys(source).length === 0)
      say(`${path}.DataSource`, `${path}.DataSource names no source`, `Give one of ${SOURCES.join(", ")}.`);
    if (given.length > 1)
      say(`${path}.DataSource`, `A channel has one source, not ${given.join(" and ")}`, "Make a channel of each.");
    if (source.FileSystemDataSource !== undefined) {
      if (body.VpcConfig === undefined)
        say("VpcConfig", `The file system of ${path} can only be reached with VpcConfig`);
      const input = channel.InputMode ?? objectAt(body, "AlgorithmSpecification")?.TrainingInputMode ?? "File";
      if (input === "Pipe" || input === "FastFile")
        say(`${path}.InputMode`, `A file system channel is read in mode File, not ${input}`);
    }
    const wanted = listAt(objectAt(source, "S3DataSource") ?? {}, "InstanceGroupNames") ?? [];
    for (const [at, name] of wanted.entries())
      if (typeof name === "string" && !name.includes("{{") && !groupNames.includes(name))
        say(
          `${path}.DataSource.S3DataSource.InstanceGroupNames[${at}]`,
          `ResourceConfig has no instance group ${name}`,
        );
  }
}

/** Every s3:// text of the body, wherever it is. */
function s3Paths(value: JsonValue, path: string, say: Say): void {
  if (Array.isArray(value)) for (const [index, item] of value.entries()) s3Paths(item, elementPath(path, index), say);
  else if (isJsonObject(value))
    for (const [key, item] of Object.entries(value))
      if (path !== "" || (key !== "HyperParameters" && key !== "Environment"))
        s3Paths(item, memberPath(path, key), say);
  if (typeof value !== "string" || !/(S3Uri|S3OutputPath)$/.test(path)) return;
  const bucket = /^s3:\/\/([^/]*)/.exec(value)?.[1];
  if (bucket === undefined || /[{}$<>]/.test(bucket) || BUCKET.test(bucket) || bucket.startsWith("arn:")) return;
  say(
    path,
    `${path} names the bucket ${JSON.stringify(bucket)}, which S3 does not allow`,
    "A bucket's name has 3 to 63 lower-case letters, digits, . and -.",
  );
}

function tags(body: JsonObject, mode: CreateTrainingJobMode, say: Say): void {
  const list = listAt(body, "Tags");
  unique(list, "Key", "Tags", "tag", say);
  for (const [index, tag] of (list ?? []).entries()) {
    const key = isJsonObject(tag) ? tag.Key : undefined;
    if (typeof key === "string" && /^aws:/i.test(key))
      say(`${elementPath("Tags", index)}.Key`, `Tags that begin with aws: are AWS's own, not ${key}`);
    if (key === RUN_ID_TAG && mode !== "request")
      say(`${elementPath("Tags", index)}.Key`, `The tag ${RUN_ID_TAG} is set by Slipway`, "Remove it.");
  }
  if (mode !== "request" && list !== undefined && list.length === 50)
    say("Tags", `Tags must have at most 49 elements: Slipway adds ${RUN_ID_TAG}`);
}

function slipwaysOwn(body: JsonObject, say: Say): void {
  const name = body.TrainingJobName;
  if (typeof name === "string" && !templateKeepsItemsApart(name))
    say(
      "TrainingJobName",
      "TrainingJobName must contain ${run_id}, or a second job could not have it",
      `Write ${JSON.stringify(`${name}-\${run_id}`)}, or leave it out: the run's id is the name.`,
    );
  for (const key of Object.keys(objectAt(body, "Environment") ?? {}))
    if (isReservedEnvironmentName(key))
      say(
        memberPath("Environment", key),
        `${key} is set by Slipway for every job`,
        key === "WANDB_API_KEY"
          ? "Remove it: a key in the request can be read by everyone who may describe the job."
          : "Remove it; it would come from the item itself.",
      );
}

function unique(list: readonly JsonValue[] | undefined, key: string, path: string, what: string, say: Say): void {
  const seen = new Set<string>();
  for (const [index, item] of (list ?? []).entries()) {
    const name = isJsonObject(item) ? item[key] : undefined;
    if (typeof name !== "string" || name.includes("{{")) continue;
    if (seen.has(name))
      say(`${elementPath(path, index)}.${key}`, `There is a second ${what} ${name}`, "Give each its own name.");
    seen.add(name);
  }
}

function objectAt(value: JsonObject, key: string): JsonObject | undefined {
  const found = value[key];
  return isJsonObject(found) ? found : undefined;
}

function listAt(value: JsonObject, key: string): readonly JsonValue[] | undefined {
  const found = value[key];
  return Array.isArray(found) ? (found as readonly JsonValue[]) : undefined;
}
