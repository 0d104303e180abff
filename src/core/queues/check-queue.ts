import { type Problem, SlipwayError } from "../errors/slipway-error.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { memberPath } from "../json-path.ts";
import { didYouMean } from "../nearest.ts";
import { checkCreateTrainingJob, normaliseCreateTrainingJob } from "../training/create-training-job.ts";
import { createTrainingJobWarnings } from "../training/create-training-job-rules.ts";
import { resourceBody } from "../training/resource-args.ts";
import { OWN_RESOURCE, RESOURCES } from "../training/resources.ts";
import {
  checkTemplateVariables,
  findTemplateVariables,
  parseTemplateVariables,
  renderTemplate,
  type TemplateVariableDefinition,
} from "./template-variables.ts";

export interface CheckedQueue {
  /** The body to keep: CreateTrainingJob's, with `{{places}}` and `${macros}`. */
  readonly config: JsonObject;
  readonly templateVariables: readonly TemplateVariableDefinition[];
  /** Not empty: the queue is not to be saved. */
  readonly problems: readonly Problem[];
  /** What is allowed but will probably disappoint. */
  readonly warnings: readonly Problem[];
}

/** Values of a variable that are tried in the config, at most. */
const MOST_VALUES = 64;

/**
 * Checks what a person wants to save as a queue: the config (the body itself, or wrapped as the wandb client sends it) and its template
 * variables (`{name: {schema, description?}}`). Every value that a variable's enum or default allows is tried in the config too, so that a
 * queue cannot offer an instance type that does not exist.
 */
export function checkQueue(input: {
  readonly resource: string;
  readonly config: JsonValue;
  readonly templateVariables?: unknown;
}): CheckedQueue {
  const { definitions, problems: schemaProblems } = parseTemplateVariables(input.templateVariables);
  const body = resourceBody(input.config, input.resource);
  if (!(RESOURCES as readonly string[]).includes(input.resource)) {
    const hint = { hint: `Use one of ${RESOURCES.join(", ")}.`, ...didYouMean(input.resource, RESOURCES) };
    const problem = { path: "resource", message: `There is no resource ${JSON.stringify(input.resource)}`, ...hint };
    return { config: body, templateVariables: definitions, problems: [problem], warnings: [] };
  }
  if (input.resource !== OWN_RESOURCE) {
    // What the body may hold is known to the agent that serves the queue alone.
    const problems = schemaProblems.length === 0 ? checkTemplateVariables(body, definitions) : schemaProblems;
    return { config: body, templateVariables: definitions, problems, warnings: [] };
  }
  const config = normaliseCreateTrainingJob(body);
  const problems = [
    ...checkCreateTrainingJob(config, { mode: "queue" }),
    ...schemaProblems,
    ...(schemaProblems.length === 0 ? checkTemplateVariables(config, definitions) : []),
  ];
  if (problems.length === 0) problems.push(...valueProblems(config, definitions));
  return { config, templateVariables: definitions, problems, warnings: createTrainingJobWarnings(config) };
}

/**
 * checkQueue for a server that saves: throws RESOURCE_UNKNOWN, TEMPLATE_VARIABLES_INVALID if only the variables are wrong, else RESOURCE_CONFIG_INVALID, with
 * every problem.
 */
export function requireValidQueue(input: Parameters<typeof checkQueue>[0]): CheckedQueue {
  const checked = checkQueue(input);
  const { problems } = checked;
  if (problems.length === 0) return checked;
  if (problems[0]!.path === "resource")
    throw new SlipwayError("RESOURCE_UNKNOWN", {
      values: { resource: input.resource },
      where: "resource",
      ...(problems[0]!.hint === undefined ? {} : { hint: problems[0]!.hint }),
    });
  const onlyVariables = problems.every((problem) => problem.path.startsWith("template_variables"));
  throw new SlipwayError(onlyVariables ? "TEMPLATE_VARIABLES_INVALID" : "RESOURCE_CONFIG_INVALID", {
    values: { count: problems.length },
    where: problems[0]!.path || "config",
    problems,
  });
}

function valueProblems(config: JsonObject, definitions: readonly TemplateVariableDefinition[]): Problem[] {
  const places = findTemplateVariables(config);
  return definitions.flatMap((definition) => {
    const { name, schema } = definition;
    const values = schema.enum?.slice(0, MOST_VALUES) ?? [];
    const tried =
      schema.default === undefined || values.includes(schema.default) ? values : [...values, schema.default];
    const own = new Set(places.filter((place) => place.name === name).map((place) => place.path));
    return tried.flatMap((value) => {
      const { config: filled } = renderTemplate(config, [definition], { [name]: value });
      return checkCreateTrainingJob(normaliseCreateTrainingJob(filled), { mode: "queue" })
        .filter((problem) => own.has(problem.path))
        .map((problem) => ({
          ...problem,
          path: memberPath("template_variables", name),
          message: `${name} allows ${JSON.stringify(value)}, but ${problem.message}`,
        }));
    });
  });
}
