import { SlipwayError } from "../errors/slipway-error.ts";
import type { RunSpec } from "../items/run-spec.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";

/** What the wandb client writes where the sweep's id belongs: it does not know it before the sweep is made. */
const ID_PLACE = "WANDB_SWEEP_ID";
/** The uri of a scheduler's run spec: its program is on the agent's host, or in the server, and is not built from anything. */
const SCHEDULER_URI = "placeholder-uri-scheduler";

/** Runs at once where the sweep does not say it: as many as the wandb client's own scheduler has. */
const DEFAULT_WORKERS = 8;
const MOST_WORKERS = 1000;

/** A sweep's scheduler as the client gives it (`launchScheduler` of upsertSweep). */
export interface LaunchScheduler {
  readonly queue: string;
  /** JSON text of the scheduler's own run spec, with the sweep's id in its places. */
  readonly runSpec: string;
}

/** What the scheduler's run spec says of the sweep's runs. */
export interface SchedulerSettings {
  /** How many runs are in the queue or running at once. */
  readonly workers: number;
  readonly queue: string;
  readonly job: string | null;
  readonly imageUri: string | null;
  /** `launch` of the sweep's config file: what every run's spec has besides the sweep's values. */
  readonly launch: JsonObject;
}

/** Is it the item of a sweep's scheduler, which is not trained but pushes the sweep's runs? */
export function isSchedulerSpec(spec: Pick<RunSpec, "uri" | "resource">): boolean {
  return spec.uri === SCHEDULER_URI && spec.resource === "local-process";
}

/**
 * Reads the launch scheduler of a sweep and puts the sweep's id in place. Throws SWEEP_SCHEDULER_INVALID, and SWEEP_SCHEDULER_JOB
 * for a scheduler that is a program of the user's own.
 */
export function readLaunchScheduler(text: string, sweepId: string): LaunchScheduler {
  const given = objectOf(text, "launchScheduler");
  const { queue, run_spec: specText } = given;
  if (typeof queue !== "string" || queue === "") throw invalid("it names no queue", "launchScheduler.queue");
  if (typeof specText !== "string") throw invalid("run_spec must be a JSON text", "launchScheduler.run_spec");
  const spec = objectOf(specText.replaceAll(ID_PLACE, sweepId), "launchScheduler.run_spec");
  if (spec.job != null) throw new SlipwayError("SWEEP_SCHEDULER_JOB", { where: "scheduler.job" });
  if (!isSchedulerSpec(spec as unknown as RunSpec))
    throw new SlipwayError("SWEEP_SCHEDULER_JOB", { where: "scheduler.resource" });
  const overrides = isJsonObject(spec.overrides) ? spec.overrides : {};
  const args = Array.isArray(overrides.args) ? overrides.args.map((arg) => unquoted(String(arg))) : [];
  return { queue, runSpec: JSON.stringify({ ...spec, overrides: { ...overrides, args } }) };
}

/** The client writes names the way Python shows texts, and its newer releases hand the quotes on to the scheduler. */
function unquoted(arg: string): string {
  const [, , inner] = /^(['"])(.*)\1$/s.exec(arg) ?? [];
  return inner === undefined ? arg : inner.replace(/\\(.)/gs, "$1");
}

/** What a scheduler's run spec says, for whoever does the scheduling. `queueName`: where it says no queue. */
export function schedulerSettings(spec: RunSpec, queueName: string): SchedulerSettings {
  const named = new Map<string, string>();
  const args = spec.overrides?.args ?? [];
  for (const [at, arg] of args.entries()) if (arg.startsWith("--")) named.set(arg.slice(2), args[at + 1] ?? "");
  const config = spec.overrides?.run_config ?? {};
  const scheduler = isJsonObject(config.scheduler) ? config.scheduler : {};
  const workers = Number(scheduler.num_workers ?? DEFAULT_WORKERS);
  return {
    workers: Number.isInteger(workers) && workers > 0 ? Math.min(workers, MOST_WORKERS) : DEFAULT_WORKERS,
    queue: named.get("queue") || queueName,
    job: named.get("job") || null,
    imageUri: named.get("image_uri") || null,
    launch: isJsonObject(config.launch) ? config.launch : {},
  };
}

/** The launch scheduler of a sweep that is made without the wandb client, as that client would write it. */
export function writeLaunchScheduler(input: {
  readonly queue: string;
  readonly entity: string;
  readonly project: string;
  readonly author: string;
  readonly source: { readonly job: string } | { readonly imageUri: string };
  readonly scheduler: JsonObject;
  readonly launch: JsonObject;
}): string {
  const { queue, entity, project, author, source, scheduler, launch } = input;
  const from = "job" in source ? ["--job", source.job] : ["--image_uri", source.imageUri];
  const spec = {
    entity,
    project,
    name: `Scheduler.${ID_PLACE}`,
    uri: SCHEDULER_URI,
    resource: "local-process",
    run_id: ID_PLACE,
    docker: {},
    git: {},
    overrides: {
      entry_point: ["wandb", "scheduler", ID_PLACE],
      args: ["--queue", queue, "--project", project, "--author", author, ...from],
      run_config: { scheduler, ...(Object.keys(launch).length === 0 ? {} : { launch }) },
    },
  };
  return JSON.stringify({ queue, run_queue_project: "model-registry", run_spec: JSON.stringify(spec) });
}

function objectOf(text: string, where: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SlipwayError("SWEEP_SCHEDULER_INVALID", { values: { problem: "it is not JSON" }, where, cause: error });
  }
  if (!isJsonObject(value as JsonValue)) throw invalid("it must be an object", where);
  return value as JsonObject;
}

const invalid = (problem: string, where: string) =>
  new SlipwayError("SWEEP_SCHEDULER_INVALID", { values: { problem }, where });
