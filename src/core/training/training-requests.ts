import { MASK } from "../items/run-spec.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { elementPath, memberPath } from "../json-path.ts";
import { RUN_ID_TAG } from "./launch-environment.ts";

/* CreateTrainingJob requests that have been made: compared with each other, and as a command of the aws CLI. */

/** What two requests do not have in common at one place. A side that has nothing there is undefined. */
export interface RequestDifference {
  /** As people write it: `ResourceConfig.InstanceCount`, `InputDataConfig[train].DataSource`. */
  readonly path: string;
  readonly left: JsonValue | undefined;
  readonly right: JsonValue | undefined;
}

/** Members by which the entries of SageMaker's lists are known, whatever their order. */
const NAMES = ["Key", "ChannelName", "InstanceGroupName", "Name", "RuleConfigurationName"] as const;

/** Where two requests differ, in the order of the left one and then of the right one; empty when they say the same. */
export function diffRequests(left: JsonObject, right: JsonObject): RequestDifference[] {
  const differences: RequestDifference[] = [];
  compare("", left, right, differences);
  return differences;
}

function compare(
  path: string,
  left: JsonValue | undefined,
  right: JsonValue | undefined,
  into: RequestDifference[],
): void {
  const pairs = membersOf(path, left, right);
  if (pairs === undefined) {
    if (left !== right) into.push({ path, left, right });
    return;
  }
  for (const pair of pairs) compare(pair.path, pair.left, pair.right, into);
}

interface Pair {
  readonly path: string;
  readonly left: JsonValue | undefined;
  readonly right: JsonValue | undefined;
}

/** The members to be compared one by one; undefined where the values can only be compared as a whole. */
function membersOf(path: string, left: JsonValue | undefined, right: JsonValue | undefined): Pair[] | undefined {
  if (isJsonObject(left) && isJsonObject(right)) {
    const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])];
    return keys.map((key) => ({ path: memberPath(path, key), left: own(left, key), right: own(right, key) }));
  }
  if (!Array.isArray(left) || !Array.isArray(right)) return undefined;
  const name = NAMES.find((each) => isNamedBy(each, left) && isNamedBy(each, right));
  if (name === undefined)
    return Array.from({ length: Math.max(left.length, right.length) }, (_, index) => ({
      path: elementPath(path, index),
      left: left[index],
      right: right[index],
    }));
  const [ours, theirs] = [byName(name, left), byName(name, right)];
  return [...new Set([...ours.keys(), ...theirs.keys()])].map((key) => ({
    path: `${path}[${key}]`,
    left: ours.get(key),
    right: theirs.get(key),
  }));
}

const own = (object: JsonObject, key: string) => (Object.hasOwn(object, key) ? object[key] : undefined);

function isNamedBy(name: string, list: readonly JsonValue[]): boolean {
  const names = list.map((entry) => (isJsonObject(entry) ? entry[name] : undefined));
  return names.every((each) => typeof each === "string") && new Set(names).size === names.length;
}

const byName = (name: string, list: readonly JsonValue[]) =>
  new Map(list.map((entry) => [String((entry as JsonObject)[name]), entry]));

/** Variables that name the one item that a request was made for. */
const OF_ONE_ITEM = ["WANDB_RUN_ID", "WANDB_LAUNCH_TRACE_ID", "WANDB_RESUME", "WANDB_API_KEY"];

/** The request without what is different for every item: its name, its run, its key. */
export function withoutItem(request: JsonObject): JsonObject {
  const { TrainingJobName: _name, ...rest } = request;
  const { Environment: environment, Tags: tags } = rest;
  return {
    ...rest,
    ...(isJsonObject(environment) ? { Environment: without(environment, OF_ONE_ITEM) } : {}),
    ...(Array.isArray(tags) ? { Tags: tags.filter((tag) => !isJsonObject(tag) || tag.Key !== RUN_ID_TAG) } : {}),
  };
}

const without = (object: JsonObject, keys: readonly string[]): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));

/** A request as a command of the aws CLI. */
export interface AwsCliCommand {
  /** For a POSIX shell. */
  readonly command: string;
  /** Places whose values are secret and so not kept with the item: to be filled in before the command is run. */
  readonly masked: readonly string[];
}

/**
 * `aws sagemaker create-training-job` with exactly this request, for a POSIX shell. The job's own key is left out: it is good for the
 * item's own job alone. `name` replaces the training job's name, which SageMaker gives only once in an account and region.
 */
export function awsCliCommand(
  request: JsonObject,
  options: { readonly region?: string; readonly name?: string } = {},
): AwsCliCommand {
  const { Environment: environment } = request;
  const given: JsonObject = {
    ...request,
    ...(options.name === undefined ? {} : { TrainingJobName: options.name }),
    ...(isJsonObject(environment) ? { Environment: without(environment, ["WANDB_API_KEY"]) } : {}),
  };
  const region = options.region === undefined ? "" : ` --region ${options.region}`;
  const input = JSON.stringify(given, undefined, 2).replaceAll("'", `'\\''`);
  const masked: string[] = [];
  findMasked("", given, masked);
  return { command: `aws sagemaker create-training-job${region} --cli-input-json '${input}'`, masked };
}

function findMasked(path: string, value: JsonValue | undefined, into: string[]): void {
  if (value === MASK) into.push(path);
  else if (Array.isArray(value))
    for (const [index, item] of value.entries()) findMasked(elementPath(path, index), item, into);
  else if (isJsonObject(value))
    for (const [key, item] of Object.entries(value)) findMasked(memberPath(path, key), item, into);
}
