import { constants } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import type { Clock } from "../../core/clock.ts";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { ImageStore } from "../ecr/image-store.ts";
import type { LogStore } from "../logs/log-store.ts";
import type { ContainerSpec, TrainingRuntime } from "../runtimes/runtime.ts";
import { AwsError } from "../service.ts";
import { hasContent, uploadArtifacts } from "./artifacts.ts";
import { downloadChannel } from "./channel-files.ts";
import { type ChannelData, DataError, listChannel } from "./channel-objects.ts";
import { feedPipes, preparePipes } from "./channel-pipe.ts";
import { createCheckpointSync, restoreCheckpoints } from "./checkpoints.ts";
import { credentialEnvironment } from "./credentials.ts";
import type { JobStore, TrainingJob } from "./job-store.ts";
import { createMetricReader, type MetricReader } from "./metrics.ts";
import { ML_PATHS, makeMlDirectory } from "./ml-directory.ts";
import type { TrainingObjects } from "./ports.ts";
import { type Channel, hostsOf, inputModeOf, type JobHost, joinKey, parseS3Uri } from "./request.ts";
import { STATUS_MESSAGES } from "./status-messages.ts";
import { type HostContainer, pumpLog, superviseContainers } from "./supervise.ts";

export interface TrainingDeps {
  readonly jobs: JobStore;
  readonly objects: TrainingObjects;
  readonly images: ImageStore;
  readonly logs: LogStore;
  readonly chooseRuntime: (job: TrainingJob) => Promise<TrainingRuntime>;
  readonly runtimeNamed: (kind: "process" | "docker") => TrainingRuntime | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** `DATA/local-aws/jobs`. */
  readonly jobsDir: string;
  readonly baseUrl: () => string;
  /** Between SIGTERM and SIGKILL; SageMaker's is 120 s. */
  readonly stopGraceMs: number;
}

/** What one run of a job is steered by. */
export interface RunControl {
  /** StopTrainingJob or a limit; the cause is in the job's row. */
  readonly stop: AbortController;
  /** The local AWS closes: leave everything as it is. */
  readonly abandon: AbortSignal;
  /** The metrics seen so far, for Describe. */
  metrics?: MetricReader;
}

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
    await run(deps, name, control);
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

async function run(deps: TrainingDeps, name: string, control: RunControl): Promise<void> {
  const { jobs, clock } = deps;
  const { abandon } = control;
  let job = jobs.get(name)!;
  const hosts = hostsOf(job.request);
  const places = hosts.map((host) => placeOf(deps, job, host));
  control.metrics = createMetricReader(job.request.AlgorithmSpecification.MetricDefinitions ?? [], (metric, reason) =>
    deps.logger.warn({ job: name, metric, reason }, "the metric's regular expression cannot be read"),
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
    job = await train(deps, job, hosts, places, control, fresh);
  }
  await conclude(deps, job, places, control);
}

/** One host's directories. */
interface Place {
  readonly host: JobHost;
  readonly mlDir: string;
  readonly stateDir: string;
  readonly dataDir: string;
  /** Where the checkpoint path of the container lies here. */
  readonly checkpoints: string;
}

function placeOf(deps: TrainingDeps, job: TrainingJob, host: JobHost): Place {
  const directory = join(deps.jobsDir, job.name, host.name);
  const mlDir = join(directory, "ml");
  const local = job.request.CheckpointConfig?.LocalPath ?? "/opt/ml/checkpoints";
  const inside = local.startsWith("/opt/ml/") ? join(mlDir, local.slice("/opt/ml/".length)) : "";
  return {
    host,
    mlDir,
    stateDir: join(directory, "state"),
    dataDir: join(mlDir, ML_PATHS.data),
    checkpoints: inside.startsWith(`${mlDir}/`) ? inside : join(directory, "checkpoints"),
  };
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
        const data: ChannelData = await listChannel(objects, channel, hosts, place.host);
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
      pumpLog(container, logs, `${job.name}/${host}-${job.run.logEpoch}`, control.metrics!, abandon),
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

/** Uploads what the job has made and writes its end. */
async function conclude(
  deps: TrainingDeps,
  job: TrainingJob,
  places: readonly Place[],
  control: RunControl,
): Promise<void> {
  const { jobs, objects } = deps;
  const { bucket, key } = parseS3Uri(job.request.OutputDataConfig.S3OutputPath)!;
  const target = {
    bucket,
    prefix: joinKey(key, `${job.name}/output`),
    compress: job.request.OutputDataConfig.CompressionType !== "NONE",
  };
  const failed = Object.entries(job.run.exits!).find(([, code]) => code !== 0);
  const stopped = job.run.stop !== undefined;
  if (!(failed !== undefined && !stopped)) {
    jobs.update(job.name, {}, { status: "Uploading", message: STATUS_MESSAGES.uploading });
    const models = places.map((place) => join(place.mlDir, ML_PATHS.model));
    const modelArtifacts = await uploadArtifacts(objects, models, { ...target, name: "model" });
    jobs.update(job.name, { modelArtifacts });
  }
  const outputs = places.map((place) => join(place.mlDir, ML_PATHS.outputData));
  if ((await Promise.all(outputs.map(hasContent))).some((some) => some)) {
    await uploadArtifacts(objects, outputs, { ...target, name: target.compress ? "output" : "data" });
  }
  control.abandon.throwIfAborted();
  if (stopped) finishStopped(deps, job.name, control);
  else if (failed === undefined) finish(deps, job.name, control, "Completed", STATUS_MESSAGES.completed);
  else {
    const first = places.find((place) => place.host.name === failed[0])!;
    const text = await readFailure([first, ...places].map((place) => join(place.mlDir, ML_PATHS.failure)));
    finish(
      deps,
      job.name,
      control,
      "Failed",
      STATUS_MESSAGES.failed,
      `AlgorithmError: ${text}, exit code: ${failed[1]}`,
    );
  }
}

function finishStopped(deps: TrainingDeps, name: string, control: RunControl): void {
  const cause = deps.jobs.get(name)!.run.stop!.cause;
  if (cause === "stopped") finish(deps, name, control, "Stopped", STATUS_MESSAGES.stopped);
  else if (cause === "maxRuntime") finish(deps, name, control, "MaxRuntimeExceeded", STATUS_MESSAGES.maxRuntime);
  else finish(deps, name, control, "MaxWaitTimeExceeded", STATUS_MESSAGES.maxWait);
}

function finish(
  deps: TrainingDeps,
  name: string,
  control: RunControl,
  secondary: "Completed" | "Failed" | "Stopped" | "MaxRuntimeExceeded" | "MaxWaitTimeExceeded",
  message: string,
  reason?: string,
): void {
  const { jobs, clock, logger } = deps;
  const job = jobs.get(name)!;
  const finals = control.metrics?.finals() ?? [];
  const status = secondary === "Completed" || secondary === "Failed" ? secondary : "Stopped";
  jobs.update(
    name,
    {
      status,
      ...(job.trainingStart === undefined ? {} : { trainingEnd: clock.now() }),
      ...(finals.length === 0 ? {} : { metrics: finals }),
      ...(reason === undefined ? {} : { failureReason: reason.slice(0, 1024) }),
    },
    { status: secondary, message },
  );
  logger.info({ job: name, status, secondary, ...(reason === undefined ? {} : { reason }) }, "training job ended");
}

/** The first 1024 characters of the first failure file. Not through a link: the training code could point it anywhere. */
async function readFailure(paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
      () => undefined,
    );
    if (file === undefined) continue;
    try {
      const buffer = Buffer.alloc(8192);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
      const text = buffer.toString("utf8", 0, bytesRead).trim();
      if (text !== "") return text.slice(0, 1024);
    } catch {
      // A directory of that name.
    } finally {
      await file.close();
    }
  }
  return "";
}

function failureReason(error: unknown): string {
  if (error instanceof DataError) return `ClientError: Data download failed:${error.message}`;
  if (error instanceof AwsError) return `ClientError: Artifact upload failed:${error.code}: ${error.message}`;
  if (error instanceof SlipwayError) return `ClientError: ${error.message}. ${error.hint}`;
  return "InternalServerError: We encountered an internal error. Please try again.";
}

function checkpointTarget(job: TrainingJob): { bucket: string; key: string } | undefined {
  return job.request.CheckpointConfig === undefined ? undefined : parseS3Uri(job.request.CheckpointConfig.S3Uri);
}

function pipeChannels(job: TrainingJob): Channel[] {
  return (job.request.InputDataConfig ?? []).filter((channel) => inputModeOf(job.request, channel) === "Pipe");
}

async function containerSpec(
  deps: TrainingDeps,
  job: TrainingJob,
  hosts: readonly JobHost[],
  place: Place,
): Promise<ContainerSpec> {
  const { request } = job;
  const algorithm = request.AlgorithmSpecification;
  const resolved = await deps.images.resolve(job.run.imageUri);
  const region = job.arn.split(":")[3]!;
  const isolated = request.EnableNetworkIsolation === true;
  const mounts = (request.InputDataConfig ?? [])
    .filter((channel) => inputModeOf(request, channel) === "FastFile")
    .map((channel) => ({
      source: join(place.dataDir, channel.ChannelName),
      target: `/opt/ml/input/data/${channel.ChannelName}`,
      readOnly: true,
    }));
  if (!place.checkpoints.startsWith(`${place.mlDir}/`)) {
    mounts.push({ source: place.checkpoints, target: request.CheckpointConfig!.LocalPath!, readOnly: false });
  }
  return {
    jobName: job.name,
    host: place.host.name,
    hosts: hosts.map(({ name }) => name),
    image: resolved ?? { engineImage: job.run.imageUri },
    ...(algorithm.ContainerEntrypoint === undefined ? {} : { entrypoint: algorithm.ContainerEntrypoint }),
    // With an entry point of the request's own there is no `train` (sagemaker developer guide, "run your training script").
    arguments: algorithm.ContainerArguments ?? (algorithm.ContainerEntrypoint === undefined ? ["train"] : []),
    env: {
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      TRAINING_JOB_NAME: job.name,
      TRAINING_JOB_ARN: job.arn,
      // Isolated containers get no credentials on SageMaker either.
      ...(isolated ? {} : credentialEnvironment(deps.baseUrl(), job.name, job.run.token)),
      ...request.Environment,
    },
    mlDir: place.mlDir,
    mounts,
    networkIsolation: isolated,
    stateDir: place.stateDir,
  };
}
