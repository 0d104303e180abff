import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { LogStore } from "../logs/log-store.ts";
import { downloadChannel } from "./channel-files.ts";
import { listChannel } from "./channel-objects.ts";
import { feedPipes, preparePipes } from "./channel-pipe.ts";
import { createCheckpointSync, restoreCheckpoints } from "./checkpoints.ts";
import { conclude, failureReason, finish, finishStopped } from "./conclude.ts";
import { checkpointTarget, containerSpec, type Place, pipeChannels, placeOf } from "./container-spec.ts";
import type { TrainingJob } from "./job-store.ts";
import { createMetricReader } from "./metrics.ts";
import { makeMlDirectory } from "./ml-directory.ts";
import type { RoleAccess } from "./ports.ts";
import { hostsOf, inputModeOf, type JobHost } from "./request.ts";
import { objectsOfRole } from "./role-objects.ts";
import { STATUS_MESSAGES } from "./status-messages.ts";
import { type HostContainer, LOG_GROUP, pumpLog, superviseContainers } from "./supervise.ts";
import type { RunControl, TrainingDeps } from "./training-deps.ts";

/** The longest stop of MaxRuntime's watch at a stretch: timers hold at most 24.8 days. */
const LONGEST_SLEEP_MS = 3_600_000;
/** API reference, StoppingCondition. */
const DEFAULT_MAX_RUNTIME_SECONDS = 86_400;

/**
 * Takes a job from where it is to its end: Starting, Downloading, Training, Uploading, and one of Completed, Failed, Stopped. What has been
 * done is in the job's row, so that the same call goes on with a job after a restart. Never rejects; abandoned, it just ends.
 */
export async function runTrainingJob(deps: TrainingDeps, name: string, control: RunControl): Promise<void> {
  const { jobs, logger } = deps;
  try {
    const role = deps.roles.access(jobs.get(name)!.request.RoleArn);
    await run({ ...deps, objects: objectsOfRole(deps.objects, role) }, role, name, control);
  } catch (error) {
    if (control.abandon.aborted) return;
    const job = jobs.get(name);
    if (job === undefined) return;
    if (job.run.stop !== undefined && control.stop.signal.aborted && error === control.stop.signal.reason) {
      finishStopped(deps, name, control);
    } else {
      const reason = failureReason(error);
      if (reason.startsWith("InternalServerError"))
        logger.error({ job: name, err: error }, "training job failed inside the local AWS");
      finish(deps, name, control, "Failed", STATUS_MESSAGES.failed, reason);
    }
  }
  await removeJobDirectory(deps, name).catch((error: unknown) =>
    logger.warn({ job: name, err: error }, "job directory not removed"),
  );
}

export async function removeJobDirectory(deps: Pick<TrainingDeps, "jobsDir">, name: string): Promise<void> {
  await rm(join(deps.jobsDir, name), { recursive: true, force: true });
}

async function run(deps: TrainingDeps, role: RoleAccess, name: string, control: RunControl): Promise<void> {
  const { jobs, clock } = deps;
  const { abandon } = control;
  let job = jobs.get(name)!;
  const hosts = hostsOf(job.request);
  const places = hosts.map((host) => placeOf(deps, job, host));
  control.metrics = createMetricReader(job.request.AlgorithmSpecification.MetricDefinitions ?? [], (metric, reason) =>
    deps.logger.warn({ job: name, metric, reason }, "the metric's regular expression is not used"),
  );
  if (job.run.exits === undefined) {
    const fresh = job.run.logEpoch === undefined;
    if (fresh) {
      control.stop.signal.throwIfAborted();
      await prepare(deps, job, hosts, places, AbortSignal.any([control.stop.signal, abandon]));
      const runtime = await deps.chooseRuntime(job);
      jobs.update(name, {}, { status: "Downloading", message: STATUS_MESSAGES.downloadingImage });
      job = jobs.update(name, { run: { runtime: runtime.kind, logEpoch: Math.floor(clock.now() / 1000) } });
    }
    job = await train(deps, role, job, hosts, places, control, fresh);
  }
  await conclude(deps, job, places, control);
}

async function prepare(
  deps: TrainingDeps,
  job: TrainingJob,
  hosts: readonly JobHost[],
  places: readonly Place[],
  signal: AbortSignal,
): Promise<void> {
  const { jobs, objects, clock } = deps;
  jobs.update(job.name, {}, { status: "Starting", message: STATUS_MESSAGES.preparing });
  await removeJobDirectory(deps, job.name);
  for (const place of places) await makeMlDirectory(place.mlDir, job.request, hosts, place.host);
  jobs.update(
    job.name,
    { trainingStart: clock.now() },
    { status: "Downloading", message: STATUS_MESSAGES.downloadingData },
  );
  const checkpoint = checkpointTarget(job);
  for (const place of places) {
    for (const channel of job.request.InputDataConfig ?? []) {
      const data = await listChannel(objects, channel, hosts, place.host);
      signal.throwIfAborted();
      if (inputModeOf(job.request, channel) === "Pipe") await preparePipes(channel, place.dataDir);
      else await downloadChannel(objects, data, join(place.dataDir, channel.ChannelName), signal);
    }
    await mkdir(place.checkpoints, { recursive: true });
    if (checkpoint !== undefined) await restoreCheckpoints(objects, checkpoint, place.checkpoints, signal);
  }
}

async function train(
  deps: TrainingDeps,
  role: RoleAccess,
  job: TrainingJob,
  hosts: readonly JobHost[],
  places: readonly Place[],
  control: RunControl,
  fresh: boolean,
): Promise<TrainingJob> {
  const { jobs, clock, logs, objects } = deps;
  const { abandon } = control;
  const runtime = deps.runtimeNamed(job.run.runtime!);
  if (runtime === undefined) throw new Error(`the runtime ${job.run.runtime} is not there any more`);
  const containers: HostContainer[] = [];
  const ended = new AbortController();
  const background: Promise<void>[] = [];
  const over = AbortSignal.any([ended.signal, abandon]);
  // Data or checkpoints that fail while the code runs fail the job: kept here until the containers have ended.
  let trouble: unknown;
  const inBackground = (work: Promise<void>) =>
    background.push(
      work.catch((error: unknown) => {
        if (over.aborted) return;
        trouble ??= error;
        control.stop.abort(error);
      }),
    );
  try {
    for (const place of places) {
      for (const channel of pipeChannels(job)) {
        const data = await listChannel(objects, channel, hosts, place.host);
        inBackground(feedPipes(objects, channel, data, place.dataDir, over));
      }
      const spec = await containerSpec(deps, job, hosts, place);
      const found = fresh ? undefined : await runtime.reattach(spec);
      if (found === undefined && job.secondary !== "Downloading") throw new Error("the container is gone");
      containers.push({ host: place.host.name, container: found ?? (await runtime.start(spec)) });
    }
    if (job.secondary === "Downloading") {
      jobs.update(job.name, {}, { status: "Training", message: STATUS_MESSAGES.training });
      // A stop that came in while the containers were started is the newer state.
      if (jobs.get(job.name)!.status === "Stopping")
        jobs.update(job.name, {}, { status: "Stopping", message: STATUS_MESSAGES.stopping });
    }
    const checkpoint = checkpointTarget(job);
    const syncs =
      checkpoint === undefined
        ? []
        : places.map((place) => createCheckpointSync(objects, checkpoint, place.checkpoints, clock));
    for (const sync of syncs) inBackground(sync.run(over));
    inBackground(watchLimits(deps, job, control, over));
    const pumps = containers.map(({ host, container }) =>
      pumpLog(
        container,
        writable(role, job, logs),
        `${job.name}/${host}-${job.run.logEpoch}`,
        control.metrics!,
        abandon,
      ),
    );
    const exits = await superviseContainers(containers, {
      clock,
      graceMs: () => {
        const since = jobs.get(job.name)?.run.stop?.at ?? clock.now();
        return Math.max(0, since + deps.stopGraceMs - clock.now());
      },
      stop: control.stop.signal,
      abandon,
    });
    await Promise.all(pumps);
    abandon.throwIfAborted();
    ended.abort();
    await Promise.all(background);
    for (const sync of syncs) await sync.flush();
    if (trouble !== undefined) throw trouble;
    const next = jobs.update(job.name, { metrics: control.metrics!.finals(), run: { exits } });
    await Promise.all(containers.map(({ container }) => container.remove()));
    return next;
  } catch (error) {
    ended.abort();
    if (!abandon.aborted) {
      jobs.update(job.name, { metrics: control.metrics!.finals() });
      for (const { container } of containers) await container.remove();
    }
    throw error;
  }
}

/** The log store, or undefined: a role without rights on its log streams trains unseen, as on AWS. */
function writable(role: RoleAccess, job: TrainingJob, logs: LogStore): LogStore | undefined {
  const [, , , region, account] = job.arn.split(":");
  const group = `arn:aws:logs:${region}:${account}:log-group:${LOG_GROUP}`;
  const stream = `${group}:log-stream:${job.name}/${job.run.logEpoch}`;
  const needs = [
    { action: "logs:CreateLogStream", resource: `${group}:log-stream:` },
    { action: "logs:PutLogEvents", resource: stream },
  ];
  return needs.every((permission) => role.denial(permission) === undefined) ? logs : undefined;
}

/** Stops the job when its time is over; the limits count from the training's start, for spot jobs also from the creation. */
async function watchLimits(
  deps: TrainingDeps,
  job: TrainingJob,
  control: RunControl,
  over: AbortSignal,
): Promise<void> {
  const { jobs, clock } = deps;
  const limits = job.request.StoppingCondition;
  const runtimeEnd = job.trainingStart! + (limits?.MaxRuntimeInSeconds ?? DEFAULT_MAX_RUNTIME_SECONDS) * 1000;
  const waitEnd = job.createdAt + (limits?.MaxWaitTimeInSeconds ?? Number.POSITIVE_INFINITY) * 1000;
  const deadline = Math.min(runtimeEnd, waitEnd);
  while (!over.aborted && !control.stop.signal.aborted) {
    const left = deadline - clock.now();
    if (left <= 0) {
      const current = jobs.get(job.name)!;
      if (current.run.stop !== undefined) return;
      jobs.update(
        job.name,
        {
          status: "Stopping",
          run: { stop: { cause: runtimeEnd <= waitEnd ? "maxRuntime" : "maxWait", at: clock.now() } },
        },
        { status: "Stopping", message: STATUS_MESSAGES.stopping },
      );
      control.stop.abort(new Error("time limit"));
      return;
    }
    await clock.sleep(Math.min(left, LONGEST_SLEEP_MS), AbortSignal.any([over, control.stop.signal])).catch(() => {});
  }
}
