import { type Problem, SlipwayError } from "../errors/slipway-error.ts";
import { isJsonObject, type JsonObject } from "../json.ts";
import { renderTemplate, type TemplateVariableDefinition } from "../queues/template-variables.ts";
import { isSchedulerSpec } from "../sweeps/launch-scheduler.ts";
import { checkCreateTrainingJob, normaliseCreateTrainingJob } from "../training/create-training-job.ts";
import { createTrainingJobWarnings } from "../training/create-training-job-rules.ts";
import {
  ENVIRONMENT_MAX_ENTRIES,
  ENVIRONMENT_VALUE_MAX,
  launchArtifacts,
  launchEnvironment,
} from "../training/launch-environment.ts";
import { mergeJson } from "../training/resource-args.ts";
import { OWN_RESOURCE } from "../training/resources.ts";
import { parseRunSpec, type RunSpec, sourcesOf } from "./run-spec.ts";

export interface CompleteRunSpecInput {
  /** As parseRunSpec gave it. */
  readonly spec: RunSpec;
  readonly queue: {
    readonly name: string;
    readonly entityName: string;
    /** `sagemaker` */
    readonly resource: string;
    /** The resource's body; what resourceBody (resource-args.ts) gives. */
    readonly config: JsonObject;
    readonly templateVariables: readonly TemplateVariableDefinition[];
  };
  readonly templateVariableValues?: Readonly<Record<string, unknown>>;
  /** The person who pushes. */
  readonly author: string;
  /** Taken if the spec has no run_id of its own. */
  readonly mintedRunId: string;
}

export interface CompletedRunSpec {
  /** The spec as agents get it. */
  readonly spec: RunSpec & { readonly run_id: string; readonly author: string; readonly resource: string };
  readonly runId: string;
  readonly warnings: readonly Problem[];
}

/**
 * What the server does with a spec at push: fills in author, run_id and resource, fills the queue's config with the item's template values, lays
 * the item's own resource_args over it (the item wins, key by key) and, for SageMaker, checks the result against the CreateTrainingJob API.
 * Throws RUN_SPEC_INVALID, TEMPLATE_VALUES_INVALID or RESOURCE_CONFIG_INVALID with every problem of that kind.
 */
export function completeRunSpec(input: CompleteRunSpecInput): CompletedRunSpec {
  const { queue } = input;
  const spec = parseRunSpec(input.spec, { entity: queue.entityName });
  const runId = spec.run_id ?? input.mintedRunId;
  const resource = spec.resource ?? queue.resource;
  const identity = { author: spec.author ?? input.author, run_id: runId, resource };
  // There is nothing of SageMaker in a sweep's scheduler.
  if (isSchedulerSpec({ ...spec, resource })) return { spec: { ...spec, ...identity }, runId, warnings: [] };

  const rendered = renderTemplate(queue.config, queue.templateVariables, input.templateVariableValues ?? {});
  refuse("TEMPLATE_VALUES_INVALID", rendered.problems);
  const own = spec.resource_args?.[resource] ?? {};
  if (resource !== OWN_RESOURCE) {
    const body = mergeJson(rendered.config, own);
    refuse("RUN_SPEC_INVALID", [...resourceProblems(spec, queue.resource), ...sourceProblems(spec, {})]);
    return {
      spec: { ...spec, ...identity, resource_args: { ...spec.resource_args, [resource]: body } },
      runId,
      warnings: [],
    };
  }
  const body = normaliseCreateTrainingJob(
    mergeJson(normaliseCreateTrainingJob(rendered.config), normaliseCreateTrainingJob(own)),
  );
  const completed = { ...spec, ...identity, resource_args: { ...spec.resource_args, [resource]: body } };

  refuse("RUN_SPEC_INVALID", [
    ...resourceProblems(spec, queue.resource),
    ...sourceProblems(spec, body),
    ...limitProblems(completed, body, input),
  ]);
  refuse("RESOURCE_CONFIG_INVALID", checkCreateTrainingJob(body, { mode: "item" }), "resource_args.sagemaker");
  return { spec: completed, runId, warnings: createTrainingJobWarnings(body) };
}

function resourceProblems(spec: RunSpec, queueResource: string): Problem[] {
  if (spec.resource == null || spec.resource === queueResource) return [];
  return [
    {
      path: "resource",
      message: `The queue runs its items on ${queueResource}, not on ${spec.resource}`,
      hint: "Leave resource out, or choose another queue.",
    },
  ];
}

function sourceProblems(spec: RunSpec, body: JsonObject): Problem[] {
  const problems: Problem[] = [];
  const sources = sourcesOf(spec);
  const algorithm = isJsonObject(body.AlgorithmSpecification) ? body.AlgorithmSpecification : {};
  const fixed = algorithm.AlgorithmName !== undefined || algorithm.TrainingImage !== undefined;
  if (sources.length > 1)
    problems.push({
      path: sources[1] === "docker" ? "docker.docker_image" : sources[1]!,
      message: `The spec names ${sources.join(" and ")}; only one of them can be run`,
    });
  if (sources.length === 0 && !fixed) {
    const wanted = typeof spec.uri === "string" ? "Slipway does not build from a uri" : "The spec names nothing to run";
    problems.push({
      path: "docker.docker_image",
      message: wanted,
      hint: "Give an image (-d IMAGE), a directory of code, or a git repository and its commit (repo).",
    });
  }
  return problems;
}

/** SageMaker's limits on the environment, which is known at push but for the server's address. */
function limitProblems(spec: RunSpec & { run_id: string }, body: JsonObject, input: CompleteRunSpecInput): Problem[] {
  const problems: Problem[] = [];
  const artifacts = launchArtifacts(spec).length;
  if (artifacts > ENVIRONMENT_VALUE_MAX)
    problems.push({
      path: "overrides.artifacts",
      message: `overrides.artifacts takes ${artifacts} characters as JSON; SageMaker passes on ${ENVIRONMENT_VALUE_MAX}`,
    });
  const environment = launchEnvironment({
    spec,
    runId: spec.run_id,
    itemId: "",
    queueName: input.queue.name,
    queueEntityName: input.queue.entityName,
    baseUrl: "",
    attempt: 2,
  });
  const names = new Set([
    ...Object.keys(environment),
    ...Object.keys(isJsonObject(body.Environment) ? body.Environment : {}),
    "WANDB_API_KEY",
  ]);
  if (names.size > ENVIRONMENT_MAX_ENTRIES)
    problems.push({
      path: "overrides.run_config",
      message: `The job would have ${names.size} environment variables (a config of ${JSON.stringify(spec.overrides?.run_config ?? {}).length} characters is cut into pieces of ${ENVIRONMENT_VALUE_MAX}); SageMaker takes ${ENVIRONMENT_MAX_ENTRIES}`,
      hint: "Put large configs into a file of the code or into an input channel.",
    });
  return problems;
}

function refuse(
  code: "RUN_SPEC_INVALID" | "TEMPLATE_VALUES_INVALID" | "RESOURCE_CONFIG_INVALID",
  problems: readonly Problem[],
  where?: string,
): void {
  if (problems.length === 0) return;
  throw new SlipwayError(code, {
    values: { count: problems.length },
    where: problems[0]!.path || where || "run_spec",
    problems,
  });
}
