import type { DescribeTrainingJobResponse, SecondaryStatusTransition } from "@aws-sdk/client-sagemaker";
import type { ItemCause, ItemPhase, ItemState } from "../core/items/item-states.ts";
import { own } from "../core/own.ts";

/** How a training job ended, in the words of items. */
export interface TrainingEnd {
  readonly state: Extract<ItemState, "FINISHED" | "FAILED" | "STOPPED">;
  readonly cause: ItemCause;
  /** A sentence. */
  readonly message: string;
  /** The same request may succeed in another attempt: no capacity, a fault inside SageMaker. */
  readonly retry: boolean;
}

/** One step that SageMaker went through. Times in milliseconds since 1970. */
export interface TrainingStep {
  readonly phase: ItemPhase;
  readonly secondaryStatus: string;
  readonly message: string;
  readonly startedAt: number;
  /** Undefined while it lasts. */
  readonly endedAt: number | undefined;
}

/** SageMaker's secondary statuses (API reference, SecondaryStatus), those no longer emitted included. */
const PHASES: Readonly<Record<string, ItemPhase>> = {
  Starting: "starting",
  Pending: "pending_capacity",
  LaunchingMLInstances: "starting",
  PreparingTrainingStack: "starting",
  Restarting: "starting",
  Downloading: "downloading",
  DownloadingTrainingImage: "downloading",
  Training: "training",
  Updating: "training",
  Interrupted: "interrupted",
  Uploading: "uploading",
  Stopping: "stopping",
};

/** The phase of a secondary status; undefined for those that end a job, and for words of the future. */
export function phaseOfSecondaryStatus(secondaryStatus: string, message = ""): ItemPhase | undefined {
  // While EC2 has no instance, SageMaker stays in Starting and tells so in the message only.
  if (secondaryStatus === "Starting" && /insufficient capacity/i.test(message)) return "pending_capacity";
  return own(PHASES, secondaryStatus);
}

/** The steps so far, oldest first; endings are left out. */
export function trainingSteps(job: DescribeTrainingJobResponse): TrainingStep[] {
  return (job.SecondaryStatusTransitions ?? []).flatMap((transition) => {
    const step = stepOf(transition);
    return step === undefined ? [] : [step];
  });
}

function stepOf(transition: SecondaryStatusTransition): TrainingStep | undefined {
  const secondaryStatus = transition.Status ?? "";
  const message = transition.StatusMessage ?? "";
  const phase = phaseOfSecondaryStatus(secondaryStatus, message);
  if (phase === undefined || transition.StartTime === undefined) return undefined;
  return {
    phase,
    secondaryStatus,
    message,
    startedAt: transition.StartTime.getTime(),
    endedAt: transition.EndTime?.getTime(),
  };
}

/** How the job ended; undefined while it runs. Completed, Failed, Stopped and the two time limits are told apart. */
export function trainingEnd(job: DescribeTrainingJobResponse): TrainingEnd | undefined {
  switch (job.TrainingJobStatus) {
    case "Completed":
      return { state: "FINISHED", cause: "completed", message: "The training job completed", retry: false };
    case "Failed":
      return failedEnd(job.FailureReason ?? "");
    case "Stopped":
      return stoppedEnd(job);
    // Deleting and Deleted came with DeleteTrainingJob: the job is over, whatever it was before.
    case "Deleting":
      return { state: "STOPPED", cause: "deleted", message: "The training job was deleted at SageMaker", retry: false };
    default:
      return undefined;
  }
}

function stoppedEnd(job: DescribeTrainingJobResponse): TrainingEnd {
  const limits = job.StoppingCondition;
  if (job.SecondaryStatus === "MaxRuntimeExceeded") {
    const limit = limits?.MaxRuntimeInSeconds;
    const after = limit === undefined ? "" : ` (MaxRuntimeInSeconds ${limit})`;
    return {
      state: "STOPPED",
      cause: "max_runtime",
      message: `SageMaker stopped the training job at its longest runtime${after}`,
      retry: false,
    };
  }
  if (job.SecondaryStatus === "MaxWaitTimeExceeded") {
    const limit = limits?.MaxWaitTimeInSeconds;
    const after = limit === undefined ? "" : ` (MaxWaitTimeInSeconds ${limit})`;
    return {
      state: "STOPPED",
      cause: "max_wait",
      message: `SageMaker stopped the training job at its longest wait for spot capacity${after}`,
      retry: false,
    };
  }
  return { state: "STOPPED", cause: "stopped", message: "The training job was stopped", retry: false };
}

/**
 * FailureReason begins with the kind of failure: AlgorithmError (the code), ClientError (its surroundings: image, data,
 * permissions), CapacityError and InternalServerError (SageMaker's own).
 */
function failedEnd(reason: string): TrainingEnd {
  const exitCode = exitCodeOf(reason);
  const failed = (cause: ItemCause, message: string, retry = false): TrainingEnd => ({
    state: "FAILED",
    cause,
    message: reason === "" ? message : `${message}: ${reason}`,
    retry,
  });
  if (/^CapacityError\b/.test(reason)) return failed("capacity", "SageMaker had no capacity for the job", true);
  if (/^InternalServerError\b/.test(reason)) return failed("internal", "SageMaker failed inside", true);
  if (exitCode !== undefined) return failed("code_failed", `The training code exited with code ${exitCode}`);
  if (/^AlgorithmError\b/.test(reason)) return failed("code_failed", "The training code failed");
  if (/^ClientError\b/.test(reason)) return failed("validation", "SageMaker could not run the job as it was asked for");
  return failed("code_failed", "The training job failed");
}

/** The exit code that FailureReason names (`AlgorithmError: ..., exit code: 3`). */
export function exitCodeOf(failureReason: string): number | undefined {
  // The last one is SageMaker's own: the code's failure file comes before it and may say anything.
  const all = [...failureReason.matchAll(/exit code:?\s*(-?\d+)/gi)];
  const last = all.at(-1);
  return last === undefined ? undefined : Number(last[1]);
}
