import type { Logger } from "pino";
import type { Clock } from "../../core/clock.ts";
import type { ImageStore } from "../ecr/image-store.ts";
import type { LogStore } from "../logs/log-store.ts";
import type { TrainingRuntime } from "../runtimes/runtime.ts";
import type { JobStore, TrainingJob } from "./job-store.ts";
import type { MetricReader } from "./metrics.ts";
import type { ExecutionRoles, TrainingObjects } from "./ports.ts";

export interface TrainingDeps {
  readonly jobs: JobStore;
  readonly objects: TrainingObjects;
  readonly roles: Pick<ExecutionRoles, "access">;
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
