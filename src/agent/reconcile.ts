import { trainingJobName } from "../core/training-job-name.ts";
import type { HeldItem } from "./held-item.ts";
import type { JobDeps } from "./job-deps.ts";
import { planItem } from "./plan.ts";

/**
 * An item that an agent left behind after its acknowledge (a restart, a handover): its training job was submitted.
 * Answers the job's name: what the server was told of it, else what the same plan gives again.
 */
export function adopt(deps: JobDeps, held: HeldItem): string {
  const known = held.lease.trainingJobName;
  if (known !== null && known !== "") return known;
  try {
    return planItem(deps, held).trainingJobName;
  } catch {
    // The plan is not possible any more (the agent's config has changed); the name follows from the run all the same.
    return trainingJobName(held.lease.runId, held.lease.attempt);
  }
}
