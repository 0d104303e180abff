import { join } from "node:path";
import type { JsonObject } from "../../core/json.ts";
import { SAGEMAKER_MODEL } from "../../core/sagemaker-model/model.ts";
import type { ImageStore } from "../ecr/image-store.ts";
import { createJsonService, type JsonOperation } from "../json-protocol.ts";
import type { LogStore } from "../logs/log-store.ts";
import type { TrainingRuntime } from "../runtimes/runtime.ts";
import { AwsError, type AwsService, type HttpRoutes, type LocalAwsContext } from "../service.ts";
import { createTrainingController } from "./controller.ts";
import { createJob } from "./create-job.ts";
import { createContainerCredentials } from "./credentials.ts";
import { describeJob } from "./describe.ts";
import { createJobStore, type TrainingJob } from "./job-store.ts";
import { listJobs } from "./list-jobs.ts";
import { trainingPermissions } from "./permissions.ts";
import type { ExecutionRoles, TrainingObjects } from "./ports.ts";
import type { TrainingRequest } from "./request.ts";
import { invalid } from "./rules.ts";
import { createTagOperations } from "./tags.ts";
import { readInput } from "./validate.ts";

export interface SageMakerDeps {
  readonly objects: TrainingObjects;
  readonly images: ImageStore;
  readonly logs: LogStore;
  readonly roles: ExecutionRoles;
  readonly process: TrainingRuntime;
  /** Absent on a machine that shall not use an engine. */
  readonly docker?: TrainingRuntime;
  /** `auto`: images of the machine's own file system as processes, others in the engine if one answers. */
  readonly runtime: "auto" | "process" | "docker";
  /** Between SIGTERM and SIGKILL in milliseconds; SageMaker's 120 s unless told. */
  readonly stopGraceMs?: number;
}

export interface SageMaker {
  readonly service: AwsService;
  /** The containers' credentials, to be put into the gateway. */
  readonly routes: HttpRoutes;
  /** Goes on with the jobs of an earlier process; call it once the gateway listens. */
  resume(): Promise<void>;
}

const STOP_GRACE_MS = 120_000;

/** SageMaker's training jobs: the API, and the controller that runs them. Closing the service leaves running jobs running. */
export function createSageMaker(context: LocalAwsContext, deps: SageMakerDeps): SageMaker {
  const { clock, logger } = context;
  const jobs = createJobStore(context.db, clock);
  const docker = deps.runtime === "process" ? undefined : deps.docker;
  const controller = createTrainingController({
    jobs,
    objects: deps.objects,
    images: deps.images,
    logs: deps.logs,
    roles: deps.roles,
    clock,
    logger,
    jobsDir: join(context.dataDir, "jobs"),
    baseUrl: context.baseUrl,
    stopGraceMs: deps.stopGraceMs ?? STOP_GRACE_MS,
    runtimeNamed: (kind) => (kind === "process" ? deps.process : deps.docker),
    async chooseRuntime(job) {
      const image = await deps.images.resolve(job.run.imageUri);
      if (image?.labels["io.slipway.base"] === "host") return deps.process;
      if (docker !== undefined && (image === undefined || deps.runtime === "docker" || (await docker.available())))
        return docker;
      return deps.process;
    },
  });
  const tags = createTagOperations(jobs);

  const find = (input: JsonObject): TrainingJob => {
    const job = jobs.get(input.TrainingJobName as string);
    // The model names ResourceNotFound here; the service answers so.
    if (job === undefined) throw invalid("Requested resource not found.");
    return job;
  };

  const operations: Record<string, JsonOperation> = {
    async CreateTrainingJob(input, request) {
      const job = await createJob({ ...deps, jobs, docker, clock }, input as unknown as TrainingRequest, request);
      controller.start(job);
      return { TrainingJobArn: job.arn };
    },
    DescribeTrainingJob(input) {
      const job = find(input);
      const live = controller.metrics(job.name);
      return describeJob(live === undefined || live.length === 0 ? job : { ...job, metrics: live });
    },
    ListTrainingJobs: (input) => listJobs(jobs, input),
    StopTrainingJob(input) {
      const job = find(input);
      if (job.status !== "InProgress" && job.status !== "Stopping") {
        throw invalid(`The request was rejected because the training job is in status ${job.status}.`);
      }
      if (job.status === "InProgress") controller.stop(job.name);
      return undefined;
    },
    DeleteTrainingJob(input) {
      const job = find(input);
      if (job.status === "InProgress" || job.status === "Stopping") {
        throw new AwsError(
          "ResourceInUse",
          `The training job ${job.name} is in status ${job.status} and cannot be deleted.`,
        );
      }
      jobs.delete(job.name);
      return undefined;
    },
    UpdateTrainingJob(input) {
      const job = find(input);
      if (job.status !== "InProgress") {
        throw invalid(`The request was rejected because the training job is in status ${job.status}.`);
      }
      jobs.setRequest(job.name, updated(job.request, input));
      return { TrainingJobArn: job.arn };
    },
    AddTags: (input) => tags.add(input),
    ListTags: (input) => tags.list(input),
    DeleteTags: (input) => tags.remove(input),
  };
  const validated = Object.entries(operations).map(([name, run]): [string, JsonOperation] => {
    const shape = SAGEMAKER_MODEL.operations[name]!.input!;
    return [name, (input, request) => run(readInput(shape, input), request)];
  });

  return {
    service: createJsonService({
      scope: "sagemaker",
      targetPrefix: SAGEMAKER_MODEL.metadata.targetPrefix,
      operations: Object.fromEntries(validated),
      permissions: trainingPermissions(jobs),
      close: () => controller.close(),
    }),
    routes: createContainerCredentials(jobs, deps.roles),
    resume: () => controller.resume(),
  };
}

/** The members that UpdateTrainingJob may change; of ResourceConfig only how long the instances are kept. */
function updated(request: TrainingRequest, input: JsonObject): TrainingRequest {
  const { TrainingJobName: _name, ResourceConfig, ...changes } = input;
  return {
    ...request,
    ...changes,
    ResourceConfig: { ...request.ResourceConfig, ...(ResourceConfig as object | undefined) },
  };
}
