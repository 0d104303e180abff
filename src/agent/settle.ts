import type { SettleRunQueueItemInput, TrainingJobInput } from "../client/generated/operations.ts";
import { IMAGE_ERRORS } from "../core/errors/image.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import type { ItemCause } from "../core/items/item-states.ts";
import { type AwsProblem, classifyAwsError } from "../sagemaker/aws-problem.ts";
import type { HeldItem } from "./held-item.ts";
import type { JobDeps } from "./job-deps.ts";
import { seconds } from "./step-words.ts";
import type { WatchedEnd } from "./watch.ts";

type Settlement = Omit<SettleRunQueueItemInput, "lease">;

/** Waits (milliseconds) before an item that met passing trouble is taken up again; doubled each time, up to the last. */
const WAITS: Partial<Record<AwsProblem["kind"], { first: number; longest: number }>> = {
  throttled: { first: 5_000, longest: 60_000 },
  quota: { first: 30_000, longest: 300_000 },
  capacity: { first: 30_000, longest: 300_000 },
  credentials: { first: 15_000, longest: 60_000 },
  network: { first: 5_000, longest: 60_000 },
  service: { first: 10_000, longest: 120_000 },
};
/** How long SageMaker gets before a job that found no capacity is submitted again. */
const CAPACITY_RETRY_MS = 60_000;

/** Step 7 of the way of one job: the end of a watched training job becomes the end of the item, or its next attempt. */
export async function settleTrainingEnd(deps: JobDeps, held: HeldItem, watched: WatchedEnd): Promise<void> {
  const { end, training, job } = watched;
  const stopped = end.cause === "stopped";
  const by = held.stopRequestedBy === undefined ? "on request" : `by ${held.stopRequestedBy}`;
  const message = stopped
    ? held.stopRequested
      ? `Stopped ${by}`
      : "Stopped at SageMaker, not through Slipway"
    : end.message;
  await deps.controlPlane.settle(held, {
    state: end.state,
    cause: end.cause,
    message: `${message}${durations(job.TrainingTimeInSeconds, job.BillableTimeInSeconds)}`,
    training,
    ...(end.retry && !held.stopRequested
      ? { retry: true, retryAt: new Date(deps.clock.now() + CAPACITY_RETRY_MS).toISOString() }
      : {}),
    ...(end.state === "FAILED"
      ? { stage: "run", code: end.cause === "code_failed" ? "TRAINING_CODE_FAILED" : "TRAINING_JOB_FAILED" }
      : {}),
  });
  deps.pass("settled");
}

function durations(trainingSeconds: number | undefined, billableSeconds: number | undefined): string {
  if (trainingSeconds === undefined) return "";
  const billed = billableSeconds === undefined ? "" : `, ${billableSeconds} s are billed`;
  return ` (${seconds(trainingSeconds * 1000)} of training${billed})`;
}

/** A stop that came before the job was submitted. */
export async function settleStopped(deps: JobDeps, held: HeldItem): Promise<void> {
  const by = held.stopRequestedBy === undefined ? "" : ` by ${held.stopRequestedBy}`;
  await deps.controlPlane.settle(held, {
    state: "STOPPED",
    cause: "stopped",
    message: `Stopped${by} before it was submitted`,
  });
  deps.pass("settled");
}

/** What an error before the acknowledge means for the item: it waits (the trouble may pass) or it has failed. */
export type Verdict =
  | { readonly kind: "wait"; readonly problem: AwsProblem; readonly reason: string }
  | { readonly kind: "fail"; readonly settlement: Settlement };

/** Judges an error of the steps plan, image and submit. */
export function judge(error: unknown, step: string): Verdict {
  if (error instanceof SlipwayError && error.code === "SERVER_UNREACHABLE") return serverAway(error);
  if (error instanceof SlipwayError) return { kind: "fail", settlement: failureOf(error, step) };
  const problem = classifyAwsError(error);
  if (problem.passing && isAws(error, problem)) return { kind: "wait", problem, reason: waitingReason(problem) };
  return {
    kind: "fail",
    settlement: failureOf(asSlipwayError(problem, step, isAws(error, problem)), step, problem.cause),
  };
}

/** The server (or whoever keeps its files) does not answer: nothing is wrong with the item, and its next attempt asks again. */
function serverAway(error: SlipwayError): Verdict {
  const { message } = error;
  const problem: AwsProblem = {
    kind: "network",
    code: error.code,
    message,
    requestId: undefined,
    passing: true,
    cause: "internal",
  };
  return { kind: "wait", problem, reason: message };
}

/** A programming error of ours has no AWS metadata and no name in the table. */
function isAws(error: unknown, problem: AwsProblem): boolean {
  return problem.kind !== "unknown" || (typeof error === "object" && error !== null && "$metadata" in error);
}

function asSlipwayError(problem: AwsProblem, step: string, aws: boolean): SlipwayError {
  const reason = problem.message;
  if (problem.kind === "access_denied") return new SlipwayError("AWS_ACCESS_DENIED", { values: { reason } });
  if (!aws) return new SlipwayError("AGENT_STEP_FAILED", { values: { step, reason } });
  return new SlipwayError("TRAINING_JOB_REFUSED", { values: { reason }, where: problem.code });
}

function failureOf(error: SlipwayError, step: string, cause: ItemCause = causeOf(error)): Settlement {
  const problems = error.problems.map((one) => `${one.path}: ${one.message}${one.hint ? ` (${one.hint})` : ""}`);
  return {
    state: "FAILED",
    cause,
    message: [error.message, ...problems].join("; "),
    stage: step === "building the image" ? "build" : "agent",
    code: error.code,
    hint: error.hint,
  };
}

function causeOf(error: SlipwayError): ItemCause {
  if (error.code === "TRAINING_JOB_NAME_TAKEN") return "name_conflict";
  if (error.code === "TRAINING_JOB_MISSING") return "agent_lost";
  if (error.code in IMAGE_ERRORS || error.code === "BUILD_NEEDS_BASE" || error.code === "BUILD_NEEDS_REGISTRY")
    return "build";
  if (error.code === "AGENT_STEP_FAILED" || error.code === "INTERNAL") return "internal";
  return "validation";
}

export function waitingReason(problem: AwsProblem): string {
  switch (problem.kind) {
    case "throttled":
      return "AWS asked for fewer calls";
    case "quota":
      return `The account's quota is used up: ${problem.message}`;
    case "capacity":
      return `No capacity: ${problem.message}`;
    case "credentials":
      return /expired/i.test(`${problem.code} ${problem.message}`)
        ? "The agent's AWS credentials have expired"
        : `The agent's AWS credentials cannot be used: ${problem.message}`;
    case "network":
      return `AWS cannot be reached (${problem.code})`;
    default:
      return `AWS cannot answer now: ${problem.message}`;
  }
}

/** Milliseconds until an item is tried again that waits for the `times`-th time (from 1) for the same kind of trouble. */
export function waitMs(kind: AwsProblem["kind"], times: number): number {
  const { first, longest } = WAITS[kind] ?? { first: 10_000, longest: 120_000 };
  return Math.min(longest, first * 2 ** Math.min(times - 1, 20));
}

/** Ends an item as failed, or puts it back to wait. `times`: how often it waited for this before. */
export async function settleFailure(
  deps: JobDeps,
  held: HeldItem,
  verdict: Verdict,
  times: number,
  training?: TrainingJobInput,
): Promise<void> {
  if (verdict.kind === "wait" && !held.claimed) {
    const until = new Date(deps.clock.now() + waitMs(verdict.problem.kind, times)).toISOString();
    deps.logger.warn({ item: held.id, code: verdict.problem.code, reason: verdict.reason, until }, "item waits");
    await deps.controlPlane.wait(held, { reason: verdict.reason, cause: verdict.problem.cause, until });
    return;
  }
  const settlement: Settlement =
    verdict.kind === "fail"
      ? verdict.settlement
      : { state: "FAILED", cause: verdict.problem.cause, message: verdict.reason, stage: "agent" };
  deps.logger.warn({ item: held.id, code: settlement.code, reason: settlement.message }, "item failed");
  await deps.controlPlane.settle(held, { ...settlement, ...(training === undefined ? {} : { training }) });
  deps.pass("settled");
}
