import type { Problem } from "../errors/slipway-error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { elementPath, memberPath } from "../json-path.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { own } from "../own.ts";
import { hasTemplatePlace, isWholeTemplatePlace } from "../queues/template-variables.ts";
import { type Shape, shapeNamed, wholePattern } from "../sagemaker-model/model.ts";
import type { CreateTrainingJobMode } from "./create-training-job.ts";
import { hasMacro } from "./macros.ts";

export interface ShapeCheck {
  readonly mode: CreateTrainingJobMode;
  readonly problems: Problem[];
  /** Paths of fields that were probably meant by a misspelt name: they are not reported as missing too. */
  readonly meant: Set<string>;
}

/** Fields that the plan of a job adds when they are missing: no one needs to write them. */
const ADDED_LATER = new Set(["TrainingJobName", "AlgorithmSpecification.TrainingInputMode"]);
/** Fields of other programs that are found in configs of the wandb agent, and what to do instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  region: "The region is the agent's: environment.region in launch-config.yaml.",
  profile: "The profile is the agent's: environment.profile in launch-config.yaml.",
  EcrRepoName: "The repository is the agent's: registry.uri in launch-config.yaml.",
  ecr_repo_name: "The repository is the agent's: registry.uri in launch-config.yaml.",
};
/** The API's integers have 32 bits; a longer one cannot be read by the service. */
const INT32_MAX = 2 ** 31 - 1;
/** Text that is the user's own, where `<...>` may be meant. */
const FREE_TEXT = /^(HyperParameters|Environment|AlgorithmSpecification\.(MetricDefinitions|Container\w+))\b/;

/** Checks a value against a shape of the API, by its name, and adds what is wrong to `check.problems`. */
export function checkShape(value: JsonValue, shapeName: string, path: string, check: ShapeCheck): void {
  const shape = shapeNamed(shapeName);
  const say = (message: string, hint?: string) =>
    check.problems.push({ path, message, ...(hint === undefined ? {} : { hint }) });
  if (typeof value === "string") {
    const placeholder = FREE_TEXT.test(path) ? /^<REQUIRED>$/.exec(value) : /<[^<>]*>/.exec(value);
    if (placeholder !== null) {
      say(
        `${leaf(path)} still has the placeholder ${placeholder[0]}`,
        own(PLACEHOLDER_HINTS, path) ?? "Replace it by your own value.",
      );
      return;
    }
    if (check.mode === "queue" && isWholeTemplatePlace(value)) return;
  }
  switch (shape.type) {
    case "structure":
      if (isJsonObject(value)) checkStructure(value, shape, path, check);
      else say(`${leaf(path)} must be an object with ${someOf(Object.keys(shape.members!))}, not ${show(value)}`);
      return;
    case "list":
      if (!Array.isArray(value)) {
        say(`${leaf(path)} must be a list, not ${show(value)}`);
        return;
      }
      checkCount(value.length, shape, "elements", say, path);
      for (const [index, item] of value.entries())
        checkShape(item as JsonValue, shape.member!, elementPath(path, index), check);
      return;
    case "map":
      if (!isJsonObject(value)) {
        say(`${leaf(path)} must be an object of names and values, not ${show(value)}`);
        return;
      }
      checkCount(Object.keys(value).length, shape, "entries", say, path);
      for (const [key, item] of Object.entries(value)) {
        const at = memberPath(path, key);
        const keyProblem = textProblem(key, shapeNamed(shape.key!));
        if (keyProblem)
          check.problems.push({
            path: at,
            message: `The name ${show(key)} ${keyProblem.message}`,
            ...hinted(keyProblem.hint),
          });
        checkShape(item, shape.value!, at, check);
      }
      return;
    case "string": {
      if (typeof value !== "string") {
        say(
          `${leaf(path)} must be a text, not ${show(value)}`,
          typeof value === "number" || typeof value === "boolean" ? `Put it in quotes: "${value}".` : undefined,
        );
        return;
      }
      if (check.mode !== "request" && (hasMacro(value) || (check.mode === "queue" && hasTemplatePlace(value)))) return;
      const problem = textProblem(value, shape);
      if (problem)
        say(`${leaf(path)} ${problem.message}`, (path === "RoleArn" ? roleHint(value) : undefined) ?? problem.hint);
      return;
    }
    case "integer":
    case "long":
      if (!Number.isInteger(value)) {
        const written =
          typeof value === "string" && /^-?\d+$/.test(value) ? `Write ${value} without quotes.` : undefined;
        say(`${leaf(path)} must be a whole number, not ${show(value)}`, written);
        return;
      }
      if (!Number.isSafeInteger(value) || (shape.type === "integer" && Math.abs(value as number) > INT32_MAX))
        say(`${leaf(path)} is too large a number: ${show(value)}`);
      else checkRange(value as number, shape, path, say);
      return;
    case "float":
    case "double":
      if (typeof value !== "number") say(`${leaf(path)} must be a number, not ${show(value)}`);
      return;
    case "boolean":
      if (typeof value !== "boolean") {
        const written = /^(true|false)$/i.test(String(value))
          ? `Write ${String(value).toLowerCase()} without quotes.`
          : undefined;
        say(`${leaf(path)} must be true or false, not ${show(value)}`, written);
      }
      return;
    case "timestamp":
      if (typeof value !== "number" && Number.isNaN(Date.parse(String(value))))
        say(`${leaf(path)} must be a time, not ${show(value)}`);
  }
}

function checkStructure(value: JsonObject, shape: Shape, path: string, check: ShapeCheck): void {
  const members = shape.members!;
  const missing = (shape.required ?? []).filter(
    (name) => !(name in value) && !(check.mode !== "request" && ADDED_LATER.has(memberPath(path, name))),
  );
  for (const [key, item] of Object.entries(value)) {
    const member = Object.hasOwn(members, key) ? members[key] : undefined;
    const at = memberPath(path, key);
    if (member !== undefined) checkShape(item, member, at, check);
    else {
      const meant = nearest(
        key,
        [...missing, ...Object.keys(members)].filter((name) => !(name in value)),
      );
      const message = path === "" ? `CreateTrainingJob has no field ${key}` : `${leaf(path)} has no field ${key}`;
      check.problems.push({
        path: at,
        message,
        ...hinted(
          (path === "" ? own(ELSEWHERE, key) : undefined) ??
            (meant === undefined ? belongsTo(key) : `Did you mean ${meant}?`) ??
            `Its fields are ${Object.keys(members).join(", ")}.`,
        ),
      });
      if (meant !== undefined) check.meant.add(memberPath(path, meant));
    }
  }
  for (const name of missing) {
    const at = memberPath(path, name);
    if (check.meant.has(at)) continue;
    check.problems.push({ path: at, message: `${at} is missing`, ...hinted(own(MISSING_HINTS, at)) });
  }
}

const PLACEHOLDER_HINTS: Readonly<Record<string, string>> = {
  RoleArn: "Give the ARN of the SageMaker execution role: arn:aws:iam::ACCOUNT:role/NAME.",
  "OutputDataConfig.S3OutputPath": "Give the place for the model: s3://BUCKET/PREFIX.",
};
export const MISSING_HINTS: Readonly<Record<string, string>> = {
  ...PLACEHOLDER_HINTS,
  OutputDataConfig: 'Give {"S3OutputPath": "s3://BUCKET/PREFIX"}.',
  ResourceConfig: 'Give {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}.',
  StoppingCondition: 'Give {"MaxRuntimeInSeconds": 3600}.',
};

/** Where in the request a field of this name does exist, two levels deep. */
function belongsTo(key: string): string | undefined {
  for (const [name, shapeName] of Object.entries(shapeNamed("CreateTrainingJobRequest").members!)) {
    if (name === key) return `${key} belongs to the top level.`;
    if (Object.hasOwn(shapeNamed(shapeName).members ?? {}, key)) return `${key} belongs to ${name}.`;
  }
  return undefined;
}

function textProblem(text: string, shape: Shape): { message: string; hint?: string } | undefined {
  if (shape.enum !== undefined) {
    if (shape.enum.includes(text)) return undefined;
    const few = shape.enum.length <= 8 ? `; it is one of ${shape.enum.join(", ")}` : "";
    return { message: `cannot be ${show(text)}${few}`, ...didYouMean(text, shape.enum) };
  }
  const length = [...text].length;
  if (shape.min !== undefined && length < shape.min)
    return {
      message: length === 0 ? "must not be empty" : `must have at least ${shape.min} characters, not ${length}`,
    };
  if (shape.max !== undefined && length > shape.max)
    return { message: `must have at most ${shape.max} characters, not ${length}` };
  if (shape.pattern !== undefined && !wholePattern(shape.pattern).test(text))
    return {
      message: `must match ${shape.pattern}, which ${show(text)} does not`,
      ...patternHint(shape.pattern, text),
    };
  return undefined;
}

function patternHint(pattern: string, text: string): { hint?: string } {
  if (pattern.includes("s3)://")) return { hint: "An S3 path reads s3://BUCKET/PREFIX." };
  if (pattern === ".*" || pattern === ".+") return { hint: "It must be a single line." };
  if (pattern === "[a-zA-Z_][a-zA-Z0-9_]*")
    return { hint: `A variable's name has letters, digits and _ only: ${text.replace(/[^a-zA-Z0-9_]/g, "_")}.` };
  return {};
}

/** A role is often given by its name alone. */
function roleHint(value: string): string {
  if (/^[\w+=,.@/-]+$/.test(value) && !value.startsWith("arn:"))
    return `Give the whole ARN: arn:aws:iam::ACCOUNT:role/${value}.`;
  return "A role's ARN reads arn:aws:iam::ACCOUNT:role/NAME, with an account of twelve digits.";
}

type Say = (message: string, hint?: string) => void;

function checkCount(count: number, shape: Shape, what: string, say: Say, path: string): void {
  if (shape.min !== undefined && count < shape.min)
    say(
      `${leaf(path)} must have at least ${shape.min} ${shape.min === 1 ? what.replace(/ies$/, "y").replace(/s$/, "") : what}`,
    );
  if (shape.max !== undefined && count > shape.max)
    say(`${leaf(path)} must have at most ${shape.max} ${what}, not ${count}`);
}

function checkRange(value: number, shape: Shape, path: string, say: Say): void {
  if (shape.min !== undefined && value < shape.min) say(`${leaf(path)} must be at least ${shape.min}, not ${value}`);
  if (shape.max !== undefined && value > shape.max) say(`${leaf(path)} must be at most ${shape.max}, not ${value}`);
}

function leaf(path: string): string {
  return path === "" ? "The config" : path;
}

function someOf(names: readonly string[]): string {
  return names.length <= 3 ? names.join(", ") : `${names.slice(0, 3).join(", ")}, ...`;
}

function hinted(hint: string | undefined): { hint?: string } {
  return hint === undefined ? {} : { hint };
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
