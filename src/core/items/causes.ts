import type { ItemCause, ItemPhase, ItemState } from "./item-states.ts";
import { lastWords } from "./last-words.ts";

/** What is known of an item when its state is to be explained. Everything but state and phase may be missing. */
export interface ItemFacts {
  readonly state: ItemState;
  readonly phase: ItemPhase;
  readonly cause?: ItemCause | null;
  /** What the agent or the server said when the item ended or began to wait. */
  readonly message?: string | null;
  /** The error's own advice, if it had any. */
  readonly hint?: string | null;
  readonly attempt?: number | null;
  readonly waitingReason?: string | null;
  /** Milliseconds since 1970. */
  readonly waitUntil?: number | null;
  /** Milliseconds since 1970; needed to say how long a wait lasts. */
  readonly now?: number;
  /** Items of the queue that come first. */
  readonly position?: number | null;
  readonly queueName?: string | null;
  /** Agents that serve the queue and were heard of lately. */
  readonly agentsAlive?: number | null;
  readonly agentName?: string | null;
  readonly stopRequested?: boolean;
  readonly stopRequestedBy?: string | null;
  readonly trainingJobName?: string | null;
  readonly failureReason?: string | null;
  readonly statusMessage?: string | null;
  readonly exitCode?: number | null;
  readonly billableSeconds?: number | null;
  readonly modelArtifacts?: string | null;
  /** The code's last log lines, oldest first. */
  readonly lastLogLines?: readonly string[];
}

/** One sentence on what happened or is happening, and one on what to do about it where there is something to do. */
export interface ItemExplanation {
  readonly summary: string;
  readonly next: string | null;
}

/** Says in words where an item stands and why. Pure: the server, the CLI and the browser say the same. */
export function explainItem(facts: ItemFacts): ItemExplanation {
  if (facts.phase === "settled" || facts.cause != null) {
    if (facts.state !== "PENDING" && facts.state !== "LEASED" && facts.state !== "CLAIMED") return explainEnd(facts);
  }
  if (facts.state === "PENDING") return explainWaiting(facts);
  if (facts.stopRequested) return explainStopping(facts);
  return explainPhase(facts);
}

function explainWaiting(facts: ItemFacts): ItemExplanation {
  const queue = facts.queueName ? ` on queue ${facts.queueName}` : "";
  if (facts.phase === "waiting") {
    const attempt = (facts.attempt ?? 1) > 1 ? ` before attempt ${facts.attempt}` : "";
    return {
      summary: sentence(
        `Waiting${attempt}${forHowLong(facts)}: ${facts.waitingReason || facts.message || waitingFor(facts.cause)}`,
      ),
      next: WAIT_ADVICE[facts.cause ?? "internal"] ?? "It goes on by itself; nothing needs to be done.",
    };
  }
  if (facts.agentsAlive === 0) {
    return {
      summary: `Waiting${queue}: no agent serves it`,
      next: facts.queueName
        ? `Start one: slipway launch-agent -q ${facts.queueName}`
        : "Start one with slipway launch-agent.",
    };
  }
  const position = facts.position ?? 0;
  if (position > 0)
    return { summary: `Waiting${queue} behind ${position} ${position === 1 ? "item" : "items"}`, next: null };
  return {
    summary: `Next${queue}`,
    next: facts.agentsAlive ? "It starts as soon as an agent has room (max_jobs in its launch-config.yaml)." : null,
  };
}

function explainStopping(facts: ItemFacts): ItemExplanation {
  const by = facts.stopRequestedBy ? `, asked for by ${facts.stopRequestedBy}` : "";
  const submitted = facts.state === "CLAIMED";
  return {
    summary: `Stopping${by}`,
    next: submitted ? "The training code has 120 seconds to save its work before SageMaker ends it." : null,
  };
}

const PHASES: Readonly<Record<ItemPhase, { summary: string; next?: string }>> = {
  queued: { summary: "Queued" },
  waiting: { summary: "Waiting" },
  planning: { summary: "An agent has taken the item and reads what is to be run" },
  building: { summary: "The image is being built" },
  pushing: { summary: "The image is being pushed to the registry" },
  submitting: { summary: "The training job is being submitted to SageMaker" },
  starting: { summary: "SageMaker is starting the instances" },
  pending_capacity: {
    summary: "SageMaker waits for capacity of this instance type",
    next: "Wait, or stop the item and choose another instance type or region.",
  },
  downloading: { summary: "SageMaker is downloading the input data and the image" },
  training: { summary: "The training code is running" },
  interrupted: {
    summary: "The spot instance was taken back; SageMaker looks for another",
    next: "With CheckpointConfig the training goes on where its last checkpoint stands.",
  },
  uploading: { summary: "SageMaker is uploading the model" },
  stopping: { summary: "Stopping" },
  settled: { summary: "Ended" },
};

function explainPhase(facts: ItemFacts): ItemExplanation {
  const { summary, next } = PHASES[facts.phase];
  const attempt = (facts.attempt ?? 1) > 1 ? ` (attempt ${facts.attempt})` : "";
  return { summary: summary + attempt, next: next ?? null };
}

function explainEnd(facts: ItemFacts): ItemExplanation {
  const cause =
    facts.cause ?? (facts.state === "FINISHED" ? "completed" : facts.state === "STOPPED" ? "stopped" : "internal");
  const { summary, next } = ENDS[cause](facts);
  return { summary: sentence(summary), next: facts.hint || next || null };
}

type End = (facts: ItemFacts) => { summary: string; next?: string };

const ENDS: Readonly<Record<ItemCause, End>> = {
  completed: (facts) => ({
    summary: facts.billableSeconds != null ? `Completed; ${facts.billableSeconds} s are billed` : "Completed",
    ...(facts.modelArtifacts ? { next: `The model is at ${facts.modelArtifacts}` } : {}),
  }),
  code_failed: (facts) => ({
    summary: `The training code ${facts.exitCode == null ? "failed" : `ended with exit code ${facts.exitCode}`}${because(whatTheCodeSaid(facts))}`,
    next:
      facts.exitCode === 137
        ? "Exit code 137 is a kill, mostly for lack of memory: try a larger instance type."
        : "Read the last lines of the log, correct the code and push again.",
  }),
  max_runtime: (facts) => ({
    summary: `The training reached MaxRuntimeInSeconds and was stopped${because(facts.message)}`,
    next: "Raise StoppingCondition.MaxRuntimeInSeconds, or save checkpoints and go on from them.",
  }),
  max_wait: (facts) => ({
    summary: `No spot instance was free before MaxWaitTimeInSeconds${because(facts.message)}`,
    next: "Raise StoppingCondition.MaxWaitTimeInSeconds, or push without EnableManagedSpotTraining.",
  }),
  capacity: (facts) => ({
    summary: `SageMaker had no capacity for this instance type${because(facts.message ?? facts.failureReason)}`,
    next: "Choose another instance type or region, or push again later.",
  }),
  quota: (facts) => ({
    summary: `The account's quota does not allow this job${because(facts.message)}`,
    next: "Ask AWS for a higher quota (Service Quotas, Amazon SageMaker), or use fewer or other instances.",
  }),
  build: (facts) => ({
    summary: `The image could not be made${because(facts.message)}`,
    next: "Correct the code's requirements or entry point and push again.",
  }),
  validation: (facts) => ({
    summary: `The request was refused${because(facts.message)}`,
    next: "Correct the queue's config or the item's resource args and push again.",
  }),
  access_denied: (facts) => ({
    summary: `AWS refused a call${because(facts.message)}`,
    next: "Add the named action to the policy of the agent's role (or of the execution role, if RoleArn is named).",
  }),
  credentials: (facts) => ({
    summary: `The agent's AWS credentials are missing or have run out${because(facts.message)}`,
    next: "Give the agent valid credentials (AWS_PROFILE, an instance role, ...) and push again.",
  }),
  name_conflict: (facts) => ({
    summary: `The training job's name${facts.trainingJobName ? ` ${facts.trainingJobName}` : ""} belongs to another job`,
    next: "Push again: the new item has a new name. If the queue sets TrainingJobName, make it contain ${run_id}.",
  }),
  stopped: (facts) => ({
    summary: `Stopped${facts.stopRequestedBy ? ` by ${facts.stopRequestedBy}` : ""}${facts.stopRequestedBy ? "" : because(facts.message)}`,
  }),
  deleted: (facts) => ({
    summary: `Taken off the queue${facts.stopRequestedBy ? ` by ${facts.stopRequestedBy}` : ""}`,
  }),
  agent_lost: (facts) => ({
    summary: `Nothing was heard of the job any more${facts.agentName ? ` after agent ${facts.agentName} was lost` : ""}${because(facts.message)}`,
    next: facts.trainingJobName
      ? `Look at training job ${facts.trainingJobName} in SageMaker before you push again: it may still run.`
      : "Push it again.",
  }),
  run_failed: (facts) => ({
    summary: `The run reported that it failed${facts.exitCode == null ? "" : ` (exit code ${facts.exitCode})`}${because(facts.message)}`,
    next: "Read the run's log, correct the code and push again.",
  }),
  internal: (facts) => ({
    summary: `Something went wrong that Slipway has no name for${because(facts.message)}`,
    next: "The agent's log has the details.",
  }),
};

const WAIT_ADVICE: Partial<Record<ItemCause, string>> = {
  quota:
    "It is tried again by itself. To run more at once, ask AWS for a higher quota (Service Quotas, Amazon SageMaker).",
  capacity: "It is tried again by itself. Another instance type or region may be free sooner.",
  access_denied: "Add the named action to the policy of the agent's role; the item is tried again by itself.",
  credentials: "Give the agent valid AWS credentials; the item is tried again by itself.",
};

function waitingFor(cause: ItemCause | null | undefined): string {
  if (cause === "quota") return "the account's quota is used up";
  if (cause === "capacity") return "SageMaker has no capacity for this instance type";
  return "it is tried again";
}

function forHowLong(facts: ItemFacts): string {
  if (facts.waitUntil == null || facts.now === undefined || facts.waitUntil <= facts.now) return "";
  const seconds = Math.ceil((facts.waitUntil - facts.now) / 1000);
  if (seconds < 120) return ` for ${seconds} s`;
  return seconds < 7200 ? ` for ${Math.round(seconds / 60)} min` : ` for ${Math.round(seconds / 3600)} h`;
}

function because(text: string | null | undefined): string {
  return text ? `: ${text}` : "";
}

function sentence(text: string): string {
  return text.trim().replace(/[.:\s]+$/, "");
}

/** SageMaker puts `AlgorithmError: ` before and `, exit code: N` behind what the failure file holds. */
function withoutWrapping(reason: string | null | undefined): string {
  return (reason ?? "").replace(/^AlgorithmError:\s*,?\s*/, "").replace(/,?\s*exit code: \d+\s*$/, "");
}

/** Its failure file first: it was written for this. Then its log. Not the wrapping alone: that the exit code says already. */
function whatTheCodeSaid(facts: ItemFacts): string | undefined {
  const fromFile = lastLine(withoutWrapping(facts.failureReason));
  return (
    fromFile || lastWords(facts.lastLogLines ?? []) || (facts.failureReason ? undefined : (facts.message ?? undefined))
  );
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1)!.trim();
}
