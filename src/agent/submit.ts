import type { CreateTrainingJobRequest } from "@aws-sdk/client-sagemaker";
import { maskSecrets, type RunSpec } from "../core/run-spec.ts";
import { type SubmissionPlan, withImage } from "../core/submission-plan.ts";
import { submitTrainingJob } from "../sagemaker/submit.ts";
import type { HeldItem } from "./held-item.ts";
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

  await controlPlane.acknowledge(held);
  deps.pass("acknowledged");
  await controlPlane.report(held, {
    kind: submission.adopted ? "adopted" : "request",
    phase: "starting",
    message: submission.adopted
      ? `Training job ${name} had been submitted before; it is this item's and is followed`
      : `Training job ${name} submitted in ${took}`,
    training: { name, arn: submission.arn, imageUri },
  });
  return name;
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
