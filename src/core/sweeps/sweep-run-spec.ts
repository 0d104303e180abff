import { SlipwayError } from "../errors/slipway-error.ts";
import { isJsonObject, type JsonValue } from "../json.ts";
import type { SchedulerSettings } from "./launch-scheduler.ts";
import { fillCommand } from "./sweep-command.ts";
import type { SweepConfig } from "./sweep-config.ts";

export interface SweepRun {
  readonly sweepId: string;
  readonly entity: string;
  readonly project: string;
  readonly author: string;
  /** As `argumentsOf` (next-point.ts) gives them. */
  readonly args: Readonly<Record<string, { readonly value: JsonValue }>>;
}

/** What is pushed for one run of a sweep. */
export interface SweepRunPush {
  /** JSON text of its run spec. */
  readonly runSpec: string;
  readonly priority: number | null;
  /** JSON text. */
  readonly templateVariableValues: string | null;
}

/** The item of one run: the sweep's job or image with the run's values, as config and as arguments. SWEEP_SOURCE_MISSING. */
export function sweepRunPush(config: SweepConfig, settings: SchedulerSettings, run: SweepRun): SweepRunPush {
  const { launch } = settings;
  const job = settings.job ?? config.job;
  const image = settings.imageUri ?? config.imageUri;
  if ((job === null) === (image === null))
    throw new SlipwayError("SWEEP_SOURCE_MISSING", { where: job === null ? "job" : "image_uri" });
  const { entryPoint, args } = fillCommand(config.command, config.program, run.args);
  const above = isJsonObject(launch.overrides) ? launch.overrides : {};
  const runConfig = isJsonObject(above.run_config) ? above.run_config : {};
  const values = Object.fromEntries(Object.entries(run.args).map(([name, { value }]) => [name, value]));
  const overrides = {
    ...above,
    ...(entryPoint.length > 0 ? { entry_point: entryPoint } : {}),
    ...(args.length > 0 ? { args } : {}),
    run_config: { ...runConfig, ...values },
  };
  const spec = {
    entity: run.entity,
    project: run.project,
    author: run.author,
    sweep_id: run.sweepId,
    ...(job === null ? { docker: { docker_image: image } } : { job, docker: {} }),
    ...(typeof launch.resource === "string" ? { resource: launch.resource } : {}),
    ...(isJsonObject(launch.resource_args) ? { resource_args: launch.resource_args } : {}),
    git: {},
    overrides,
  };
  return {
    runSpec: JSON.stringify(spec),
    priority: typeof launch.priority === "number" ? launch.priority : null,
    templateVariableValues: isJsonObject(launch.template_variables) ? JSON.stringify(launch.template_variables) : null,
  };
}
