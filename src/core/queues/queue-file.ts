import { type Problem, SlipwayError } from "../errors/slipway-error.ts";
import { isJsonObject, type JsonObject } from "../json.ts";
import { didYouMean } from "../nearest.ts";
import { readYaml } from "../yaml-document.ts";

/** A queue's config as a person writes it: YAML or JSON (which is YAML). */
export interface QueueFile {
  /** The kind of compute, if the file says it. */
  readonly resource: string | undefined;
  /** V0 or DISABLED, if the file says it; unchecked. */
  readonly prioritizationMode: string | undefined;
  /** The body for the resource; for sagemaker that of CreateTrainingJob. */
  readonly resourceConfig: JsonObject;
  /** Name -> `{schema}` with the bounds of its values. */
  readonly templateVariables: JsonObject | undefined;
  /** Where a JSON path of the config (`Tags[0].Key`) stands in the file, or the nearest place around it; counted from 1. */
  locate(path: string): { readonly line: number; readonly column: number };
}

/** The keys of a file that says more than the body. */
const KEYS = ["resource", "prioritization_mode", "resource_config", "template_variables"];

/**
 * Reads either the bare body, or `{resource?, prioritization_mode?, resource_config, template_variables?}` as the wandb client's
 * create_run_queue names them; `resource_config` may also be its `{resource_args: {<resource>: body}}`.
 * Throws QUEUE_FILE_INVALID with line and column.
 */
export function parseQueueFile(text: string, fileName: string, resource: string): QueueFile {
  const document = readYaml(text);
  const refuse = (path: readonly string[], message: string, hint: { hint?: string } = {}): never => {
    throw invalid(fileName, [{ path: path.join("."), message, ...hint, ...document.positionOf(path) }]);
  };
  if (document.problems.length > 0) throw invalid(fileName, document.problems);
  const content = document.value;
  if (!isJsonObject(content)) return refuse([], "The file must be a mapping: the body of CreateTrainingJob");
  const isSettings = "resource_config" in content;
  if (isSettings) {
    for (const key of Object.keys(content)) {
      if (!KEYS.includes(key)) refuse([key], `${key} is not a key of a queue file`, didYouMean(key, KEYS));
    }
  }
  const kind = isSettings && typeof content.resource === "string" ? content.resource : resource;
  const outer = isSettings ? content.resource_config : content;
  const root = isSettings ? ["resource_config"] : [];
  if (!isJsonObject(outer)) return refuse(root, "It must be a mapping: the body of CreateTrainingJob");
  const wrapped = "resource_args" in outer;
  if (wrapped) root.push("resource_args", kind);
  const body = wrapped ? (isJsonObject(outer.resource_args) ? outer.resource_args[kind] : undefined) : outer;
  if (!isJsonObject(body)) return refuse(root, `There is no body for ${kind} here`);
  const variables = isSettings ? content.template_variables : undefined;
  if (variables !== undefined && !isJsonObject(variables)) {
    return refuse(["template_variables"], "It must map variable names to {schema, description}");
  }
  return {
    resource: isSettings && typeof content.resource === "string" ? content.resource : undefined,
    prioritizationMode:
      isSettings && typeof content.prioritization_mode === "string" ? content.prioritization_mode : undefined,
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

function invalid(file: string, problems: readonly Problem[]): SlipwayError {
  return new SlipwayError("QUEUE_FILE_INVALID", { values: { file, count: problems.length }, where: file, problems });
}
