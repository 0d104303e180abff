import type { CreateTrainingJobRequest } from "@aws-sdk/client-sagemaker";
import { maskSecrets, type RunSpec } from "../core/items/run-spec.ts";
import { type SubmissionPlan, withImage } from "../core/training/submission-plan.ts";
import { describeTrainingJob, ITEM_VARIABLE, submitTrainingJob } from "../sagemaker/submit.ts";
import { type HeldItem, Interrupted } from "./held-item.ts";
import type { JobDeps } from "./job-deps.ts";
import { seconds } from "./step-words.ts";

/**
 * Step 5 of the way of one job: tells the server that the job is about to be submitted (its answer may bring a stop,
 * which wins), submits it and acknowledges the item. Dying anywhere in here is harmless: the item comes back, the
 * request is the same, and a job that exists already is adopted. Throws what the AWS SDK threw,
 * TRAINING_JOB_NAME_TAKEN, or Interrupted.
 */
export async function submit(deps: JobDeps, held: HeldItem, plan: SubmissionPlan, imageUri: string): Promise<string> {
  const { controlPlane, clock } = deps;
  const request = withJobKey(withImage(plan, imageUri), held.lease.runSpec as RunSpec);
  const name = plan.trainingJobName;
  await controlPlane.report(held, {
    phase: "submitting",
    message: `Submitting training job ${name}`,
    training: { name, imageUri, request: JSON.stringify(maskSecrets(request)) },
  });
  deps.pass("submit-reported");
  held.check();

  const startedAt = clock.now();
  const submission = await submitTrainingJob(
    deps.aws.sagemaker,
    request as unknown as CreateTrainingJobRequest,
    held.id,
  );
  const took = seconds(clock.now() - startedAt);
  deps.pass("created");
  deps.logger.info({ item: held.id, job: name, adopted: submission.adopted, took }, "training job submitted");

  await acknowledge(deps, held);
  await controlPlane.report(held, {
    kind: submission.adopted ? "adopted" : "request",
    phase: "starting",
    message: submission.adopted ? foundMessage(name) : `Training job ${name} submitted in ${took}`,
    training: { name, arn: submission.arn, imageUri },
  });
  return name;
}

/**
 * Acknowledges an item whose job has been submitted. If the server will not have it, the item is let go: its lease runs
 * out, and whoever takes it next finds the job and follows it. It must not fail while its job runs.
 */
async function acknowledge(deps: JobDeps, held: HeldItem): Promise<void> {
  try {
    await deps.controlPlane.acknowledge(held);
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    deps.logger.error({ item: held.id, err: error }, "the server refused the acknowledge");
    held.lose();
    throw new Interrupted("lost");
  }
  deps.pass("acknowledged");
}

/** Looks for a job that an agent before may have submitted for this attempt; acknowledges the item if it is there. */
export async function findSubmitted(deps: JobDeps, held: HeldItem, name: string): Promise<boolean> {
  const job = await describeTrainingJob(deps.aws.sagemaker, name);
  if (job?.Environment?.[ITEM_VARIABLE] !== held.id) return false;
  await acknowledge(deps, held);
  await deps.controlPlane.report(held, {
    kind: "adopted",
    phase: "starting",
    message: foundMessage(name),
    training: { name, ...(job.TrainingJobArn === undefined ? {} : { arn: job.TrainingJobArn }) },
  });
  return true;
}

function foundMessage(name: string): string {
  return `Training job ${name} had been submitted before; it is this item's and is followed`;
}

/**
 * Gives the training code the key that the server made for this one run (never a person's), so that `wandb.init()`
 * works in it. Only the request that leaves carries it; what is stored and shown is masked.
 */
function withJobKey(request: PlannedRequest, spec: RunSpec): PlannedRequest {
  const { _wandb_api_key: key } = spec as { readonly _wandb_api_key?: unknown };
  if (typeof key !== "string") return request;
  return { ...request, Environment: { ...request.Environment, WANDB_API_KEY: key } };
}

type PlannedRequest = ReturnType<typeof withImage>;
