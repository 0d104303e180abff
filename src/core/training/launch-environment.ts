import type { RunSpec } from "../items/run-spec.ts";
import type { ResolvedJob } from "../jobs/resolved-job.ts";
import type { JsonObject, JsonValue } from "../json.ts";

/** The tag that names the run on its training job, as the wandb agent sets it. */
export const RUN_ID_TAG = "WandbRunId";
/** SageMaker's limits for Environment (botocore, TrainingEnvironmentMap). */
export const ENVIRONMENT_MAX_ENTRIES = 100;
export const ENVIRONMENT_VALUE_MAX = 512;

/** Names that Slipway sets; WANDB_BASE_URL is not among them, since only the queue's owner may know how its jobs reach the server. */
const RESERVED = new Set([
  "WANDB_API_KEY",
  "WANDB_PROJECT",
  "WANDB_ENTITY",
  "WANDB_LAUNCH",
  "WANDB_RUN_ID",
  "WANDB_DOCKER",
  "WANDB_NAME",
  "WANDB_USERNAME",
  "WANDB_SWEEP_ID",
  "WANDB_RESUME",
  "WANDB_LAUNCH_QUEUE_NAME",
  "WANDB_LAUNCH_QUEUE_ENTITY",
  "WANDB_LAUNCH_TRACE_ID",
  "WANDB_ARTIFACTS",
]);

/** Whether a variable is Slipway's: in a queue's config it would silently send runs elsewhere, so it is refused. */
export function isReservedEnvironmentName(name: string): boolean {
  return RESERVED.has(name) || /^WANDB_(CONFIG|LAUNCH_FILE_OVERRIDES)(_\d+)?$/.test(name);
}

export interface LaunchEnvironmentInput {
  readonly spec: RunSpec;
  readonly runId: string;
  readonly itemId: string;
  readonly queueName: string;
  readonly queueEntityName: string;
  /** Where the training code finds the server. */
  readonly baseUrl: string;
  readonly attempt: number;
  /** Of a spec that names a job, once it is looked up. */
  readonly job?: ResolvedJob;
}

/**
 * The environment that makes `wandb.init()` inside the training code report to the item's run: what the wandb agent sets
 * (wandb/sdk/launch/_project_spec.py, get_env_vars_dict), but never an API key. Configs longer than a value may be are cut into
 * numbered variables, which the wandb client puts together again. WANDB_RESUME is set from the second attempt on: it is the same run.
 */
export function launchEnvironment(input: LaunchEnvironmentInput): Record<string, string> {
  const { spec } = input;
  const overrides = spec.overrides ?? {};
  const { job } = input;
  const image = spec.docker?.docker_image ?? (job !== undefined && "image" in job ? job.image : undefined);
  const repo =
    spec.repo ?? (job !== undefined && "code" in job && "remote" in job.code.from ? job.code.from : undefined);
  const resumed = input.attempt > 1 || Number(spec._resume_count ?? 0) > 0;
  return {
    WANDB_BASE_URL: input.baseUrl,
    WANDB_PROJECT: spec.project,
    WANDB_ENTITY: spec.entity,
    WANDB_LAUNCH: "True",
    WANDB_RUN_ID: input.runId,
    ...(image ? { WANDB_DOCKER: image } : {}),
    ...(spec.name ? { WANDB_NAME: spec.name } : {}),
    ...(spec.author ? { WANDB_USERNAME: spec.author } : {}),
    ...(spec.sweep_id ? { WANDB_SWEEP_ID: spec.sweep_id } : {}),
    ...(repo ? { WANDB_GIT_REMOTE_URL: repo.remote, WANDB_GIT_COMMIT: repo.commit } : {}),
    ...(resumed ? { WANDB_RESUME: "allow" } : {}),
    WANDB_LAUNCH_QUEUE_NAME: input.queueName,
    WANDB_LAUNCH_QUEUE_ENTITY: input.queueEntityName,
    WANDB_LAUNCH_TRACE_ID: input.itemId,
    ...split("WANDB_CONFIG", overrides.run_config ?? {}),
    ...split("WANDB_LAUNCH_FILE_OVERRIDES", overrides.files ?? {}),
    WANDB_ARTIFACTS: launchArtifacts(spec),
  };
}

/**
 * The value of WANDB_ARTIFACTS. It is the one JSON that is never cut: the wandb client reads it as a single variable only and would
 * quietly use other artifacts (wandb_run.py), so an item whose value is too long is refused at push.
 */
export function launchArtifacts(spec: RunSpec): string {
  return asciiJson({ ...(spec.job ? { _wandb_job: spec.job } : {}), ...(spec.overrides?.artifacts ?? {}) });
}

function split(name: string, value: JsonObject): Record<string, string> {
  const text = asciiJson(value);
  if (text.length <= ENVIRONMENT_VALUE_MAX) return { [name]: text };
  const parts: Record<string, string> = {};
  for (let at = 0; at < text.length; at += ENVIRONMENT_VALUE_MAX)
    parts[`${name}_${at / ENVIRONMENT_VALUE_MAX}`] = text.slice(at, at + ENVIRONMENT_VALUE_MAX);
  return parts;
}

/** JSON in ASCII, as Python's json.dumps writes it: a cut can then never fall inside a character. */
function asciiJson(value: JsonValue): string {
  return JSON.stringify(value).replace(/[^\0-~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
