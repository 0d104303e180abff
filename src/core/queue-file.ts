import { type Problem, SlipwayError } from "./errors/slipway-error.ts";
import type { JsonObject } from "./json.ts";
import { readYaml } from "./yaml-document.ts";

/** A queue's config as a person writes it: YAML or JSON (which is YAML). */
export interface QueueFile {
  /** The body for the resource; for sagemaker that of CreateTrainingJob. */
  readonly resourceConfig: JsonObject;
  /** Name -> `{schema}` with the bounds of its values. */
  readonly templateVariables: JsonObject | undefined;
  /** Where a JSON path of the config (`Tags[0].Key`) stands in the file, or the nearest place around it; counted from 1. */
  locate(path: string): { readonly line: number; readonly column: number };
}

/**
 * Reads either the bare body, or `{resource_args: {<resource>: body}, template_variables: {...}}` as the wandb client names them.
 * Throws QUEUE_FILE_INVALID with line and column.
 */
export function parseQueueFile(text: string, fileName: string, resource: string): QueueFile {
  const document = readYaml(text);
  const refuse = (path: readonly string[], message: string) => {
    throw invalid(fileName, [{ path: path.join("."), message, ...document.positionOf(path) }]);
  };
  if (document.problems.length > 0) throw invalid(fileName, document.problems);
  const content = document.value;
  if (!isObject(content)) return refuse([], "The file must be a mapping: the body of CreateTrainingJob") as never;
  const wrapped = "resource_args" in content;
  const body = wrapped ? (isObject(content.resource_args) ? content.resource_args[resource] : undefined) : content;
  if (!isObject(body)) return refuse(["resource_args"], `There is no body for ${resource} in it`) as never;
  const variables = wrapped ? content.template_variables : undefined;
  if (variables !== undefined && !isObject(variables)) {
    return refuse(["template_variables"], "It must map variable names to their JSON schemas") as never;
  }
  const root = wrapped ? ["resource_args", resource] : [];
  return {
    resourceConfig: body,
    templateVariables: variables,
    locate: (path) => document.positionOf([...root, ...pathSegments(path)]),
  };
}

/** `Tags[0].Key` -> `["Tags", 0, "Key"]` */
function pathSegments(path: string): (string | number)[] {
  return [...path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map((match) =>
    match[1] === undefined ? (match[2] as string) : Number(match[1]),
  );
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(file: string, problems: readonly Problem[]): SlipwayError {
  return new SlipwayError("QUEUE_FILE_INVALID", { values: { file, count: problems.length }, where: file, problems });
}
