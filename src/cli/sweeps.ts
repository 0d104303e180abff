import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import colors from "picocolors";
import { SweepDocument, UpsertSweepDocument, ViewerDocument } from "../client/generated/operations.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../core/json.ts";
import { writeLaunchScheduler } from "../core/sweeps/launch-scheduler.ts";
import { parseSweepConfig } from "../core/sweeps/sweep-config.ts";
import { readYaml } from "../core/yaml-document.ts";
import { projectOf } from "./project.ts";
import type { Session } from "./session.ts";

interface Options {
  readonly project?: string;
  readonly json?: boolean;
}

/** Makes a sweep of a file that `wandb launch-sweep` takes too. @throws SWEEP_CONFIG_INVALID, SWEEP_SOURCE_MISSING, FILE_NOT_FOUND */
export async function createSweep(
  session: Session,
  file: string,
  options: Options & { readonly queue?: string; readonly workers?: number },
): Promise<void> {
  const { config, launch, scheduler } = readSweepFile(await readInput(file));
  const { job, imageUri } = parseSweepConfig(config);
  if (scheduler.job != null) throw new SlipwayError("SWEEP_SCHEDULER_JOB", { where: "scheduler.job" });
  if ((job === null) === (imageUri === null))
    throw new SlipwayError("SWEEP_SOURCE_MISSING", { where: job === null ? "job" : "image_uri" });
  const queue = options.queue ?? launch.queue;
  if (typeof queue !== "string" || queue === "")
    throw invalid("No queue is named: give -q QUEUE, or launch.queue in the file", "queue");
  const workers = options.workers ?? scheduler.num_workers;
  if (workers !== undefined && !(Number.isInteger(workers) && Number(workers) > 0))
    throw invalid(
      "There must be 1 worker or more",
      options.workers === undefined ? "scheduler.num_workers" : "--workers",
    );
  const entityName = await session.entity();
  const projectName = projectOf(session, options.project);
  const { viewer } = await session.client.request(ViewerDocument, {});
  const launchScheduler = writeLaunchScheduler({
    queue,
    entity: entityName,
    project: projectName,
    author: viewer?.username ?? entityName,
    launch,
    source: job === null ? { imageUri: imageUri ?? "" } : { job },
    scheduler: { ...scheduler, ...(workers === undefined ? {} : { num_workers: Number(workers) }) },
  });
  const values = scheduler.template_variables;
  const { upsertSweep } = await session.client.request(UpsertSweepDocument, {
    input: {
      entityName,
      projectName,
      config,
      launchScheduler,
      state: "PENDING",
      ...(isJsonObject(values) ? { templateVariableValues: JSON.stringify(values) } : {}),
    },
  });
  const sweep = upsertSweep?.sweep;
  if (options.json) return console.log(JSON.stringify(sweep));
  const count = sweep?.runCountExpected == null ? "runs without end" : `${sweep.runCountExpected} runs`;
  console.log(`${colors.green("created")} sweep ${sweep?.name} on ${queue}: ${sweep?.method}, ${count}`);
  console.log(colors.dim(`slipway sweep show ${sweep?.name} -p ${projectName}`));
}

const STATES = { pause: "PAUSED", stop: "FINISHED", cancel: "CANCELED" } as const;
const DONE = { pause: "paused", stop: "stopped", cancel: "cancelled", resume: "resumed" } as const;

/** @throws SWEEP_NOT_FOUND, SWEEP_STATE_REFUSED, SWEEP_GOES_ON */
export async function changeSweep(
  session: Session,
  name: string,
  verb: keyof typeof DONE,
  options: Options,
): Promise<void> {
  const entityName = await session.entity();
  const projectName = projectOf(session, options.project);
  const { project } = await session.client.request(SweepDocument, { entityName, projectName, name });
  const before = project?.sweep;
  if (!before) throw new SlipwayError("SWEEP_NOT_FOUND", { values: { sweep: name }, where: "sweep" });
  const { id, config, scheduler } = before;
  const state = { id, state: verb === "resume" ? "RUNNING" : STATES[verb] };
  // Its scheduler may have ended: then another one takes its place.
  const again = { id, config, launchScheduler: scheduler ?? "", state: "PENDING" };
  const { upsertSweep } = await session.client.request(UpsertSweepDocument, {
    input: verb === "resume" && scheduler != null ? again : state,
  });
  if (options.json) return console.log(JSON.stringify(upsertSweep?.sweep));
  console.log(`${colors.green(DONE[verb])} sweep ${name}`);
}

/** The file's search, and what it says of the launching. */
function readSweepFile(text: string): { config: string; launch: JsonObject; scheduler: JsonObject } {
  const { value, problems } = readYaml(text);
  const fields = value as JsonValue | undefined;
  // What is wrong with it is told with its place by the check of the whole.
  if (problems.length > 0 || !isJsonObject(fields)) return { config: text, launch: {}, scheduler: {} };
  const { launch = {}, scheduler = {}, ...search } = fields;
  for (const [name, part] of Object.entries({ launch, scheduler }))
    if (part !== null && !isJsonObject(part)) throw invalid(`${name} must be a mapping`, name);
  return {
    config: JSON.stringify(search),
    launch: isJsonObject(launch) ? launch : {},
    scheduler: isJsonObject(scheduler) ? scheduler : {},
  };
}

const invalid = (problem: string, where: string) => new SlipwayError("INPUT_INVALID", { values: { problem }, where });

async function readInput(file: string): Promise<string> {
  if (file === "-") return readAll(process.stdin);
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new SlipwayError("FILE_NOT_FOUND", { values: { file }, where: "file" });
  }
}
