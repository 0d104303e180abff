import { SlipwayError } from "../errors/slipway-error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import type { RunSpec } from "../run-spec.ts";

/** What the wandb client writes where the sweep's id belongs: it does not know it before the sweep is made. */
const ID_PLACE = "WANDB_SWEEP_ID";
/** The uri of a scheduler's run spec: its program is on the agent's host, or in the server, and is not built from anything. */
const SCHEDULER_URI = "placeholder-uri-scheduler";

/** A sweep's scheduler as the client gives it (`launchScheduler` of upsertSweep). */
export interface LaunchScheduler {
  readonly queue: string;
  /** JSON text of the scheduler's own run spec, with the sweep's id in its places. */
  readonly runSpec: string;
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
