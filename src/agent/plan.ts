import type { RunSpec } from "../core/items/run-spec.ts";
import type { ResolvedJob } from "../core/jobs/resolved-job.ts";
import { planSubmission, type SubmissionPlan } from "../core/training/submission-plan.ts";
import type { HeldItem } from "./held-item.ts";
import type { JobDeps } from "./job-deps.ts";

/**
 * Step 3 of the way of one job: decides everything about the training job before anything is done. Nothing is asked or
 * changed, so a plan made again (after a crash, on another agent) is the same plan. Throws what planSubmission throws.
 */
export function planItem(deps: Pick<JobDeps, "config">, held: HeldItem, job: ResolvedJob | undefined): SubmissionPlan {
  const { lease } = held;
  const { launchConfig, baseUrl } = deps.config;
  return planSubmission({
    item: {
      id: held.id,
      runId: lease.runId,
      attempt: lease.attempt,
      queueName: lease.queueName,
      queueEntityName: lease.queueEntityName,
    },
    spec: lease.runSpec as RunSpec,
    ...(job === undefined ? {} : { job }),
    agent: {
      baseUrl,
      secureMode: launchConfig.secureMode,
      ...(launchConfig.builder.base === undefined ? {} : { builderBase: launchConfig.builder.base }),
    },
  });
}
