import type { Problem } from "../errors/slipway-error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { shapeNamed } from "../sagemaker-model/model.ts";
import { createTrainingJobRuleProblems } from "./create-training-job-rules.ts";
import { checkShape } from "./create-training-job-shape.ts";
import { macroProblems } from "./macros.ts";

/**
 * What of a CreateTrainingJob body must be there already.
 * - `queue`: the config of a queue. `{{name}}` places and `${macros}` stand for values that are not known yet, and items may add
 *   what is missing of the algorithm.
 * - `item`: an item's body at push: places are filled in, macros stand; the name, the image and Slipway's environment are still to come.
 * - `request`: the complete request.
 */
export type CreateTrainingJobMode = "queue" | "item" | "request";

/**
 * Everything that is wrong with a CreateTrainingJob body: unknown fields, types, ranges and patterns of the API (from botocore's model), the
 * rules between fields that the service applies, placeholders that were never replaced, unknown macros, and what Slipway needs (RoleArn,
 * OutputDataConfig.S3OutputPath, ResourceConfig, StoppingCondition). Each problem has its JSON path, the rule and, where there is one, the
 * nearest valid name. Empty: SageMaker would take it. Call normaliseCreateTrainingJob first.
 */
export function checkCreateTrainingJob(config: unknown, { mode }: { readonly mode: CreateTrainingJobMode }): Problem[] {
  if (config === null || typeof config !== "object" || Array.isArray(config))
    return [
      {
        path: "",
        message: "The config must be an object: the body of CreateTrainingJob",
        hint: "It begins with RoleArn, OutputDataConfig, ResourceConfig and StoppingCondition.",
      },
    ];
  const body = config as JsonObject;
  const problems: Problem[] = [];
  const meant = new Set<string>();
  checkShape(body, "CreateTrainingJobRequest", "", { mode, problems, meant });
  if (mode !== "request") problems.push(...macroProblems(body));
  const broken = new Set([...problems.map((problem) => problem.path), ...meant]);
  problems.push(...createTrainingJobRuleProblems(body, mode).filter((problem) => !broken.has(problem.path)));
  return problems;
}

const TOP_LEVEL = Object.keys(shapeNamed("CreateTrainingJobRequest").members!);

/**
 * The body as the API wants it: top-level keys in snake_case become CamelCase (the wandb agent takes `resource_config`), keys without a value
 * are left out, and numbers and booleans in HyperParameters and Environment become the text that these maps hold. Everything else stays.
 */
export function normaliseCreateTrainingJob(config: JsonObject): JsonObject {
  const body: Record<string, JsonValue> = {};
  const given = withoutNulls(config);
  for (const [key, value] of Object.entries(given)) {
    const camel = key.replace(/(^|_)([a-z])/g, (_, __, letter: string) => letter.toUpperCase());
    const known = /^[a-z0-9_]+$/.test(key)
      ? TOP_LEVEL.find((name) => name.toLowerCase() === camel.toLowerCase())
      : undefined;
    const name = known !== undefined && !(known in given) ? known : key;
    body[name] = name === "HyperParameters" || name === "Environment" ? withTexts(value) : value;
  }
  return body;
}

function withoutNulls(value: JsonObject): JsonObject {
  const entries = Object.entries(value).filter(([, item]) => item !== null && item !== undefined);
  return Object.fromEntries(
    entries.map(([key, item]) => [
      key,
      isJsonObject(item)
        ? withoutNulls(item)
        : Array.isArray(item)
          ? item.map((element) => (isJsonObject(element) ? withoutNulls(element) : element))
          : item,
    ]),
  );
}

function withTexts(map: JsonValue): JsonValue {
  if (!isJsonObject(map)) return map;
  return Object.fromEntries(
    Object.entries(map).map(([key, item]) => [
      key,
      typeof item === "number" || typeof item === "boolean" ? String(item) : item,
    ]),
  );
}
