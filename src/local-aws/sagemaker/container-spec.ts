import { join } from "node:path";
import type { ContainerSpec } from "../runtimes/runtime.ts";
import { credentialEnvironment } from "./credentials.ts";
import type { TrainingJob } from "./job-store.ts";
import { ML_PATHS } from "./ml-directory.ts";
import { type Channel, inputModeOf, type JobHost, parseS3Uri } from "./request.ts";
import type { TrainingDeps } from "./training-deps.ts";

/** One host's directories. */
export interface Place {
  readonly host: JobHost;
  readonly mlDir: string;
  readonly stateDir: string;
  readonly dataDir: string;
  /** Where the checkpoint path of the container lies here. */
  readonly checkpoints: string;
}

export function placeOf(deps: TrainingDeps, job: TrainingJob, host: JobHost): Place {
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

export function checkpointTarget(job: TrainingJob): { bucket: string; key: string } | undefined {
  return job.request.CheckpointConfig === undefined ? undefined : parseS3Uri(job.request.CheckpointConfig.S3Uri);
}

export function pipeChannels(job: TrainingJob): Channel[] {
  return (job.request.InputDataConfig ?? []).filter((channel) => inputModeOf(job.request, channel) === "Pipe");
}

export async function containerSpec(
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
