import type { RunSpec } from "../core/items/run-spec.ts";
import { plannedJobName } from "../core/training/submission-plan.ts";
import type { HeldItem } from "./held-item.ts";

/**
 * An item that an agent left behind after its acknowledge (a restart, a handover): its training job was submitted.
 * Answers the job's name: what the server was told of it, else what its plan has named it.
 */
export function adopt(held: HeldItem): string {
  const { trainingJobName: known, runSpec } = held.lease;
  if (known !== null && known !== "") return known;
  return plannedJobName(held.lease, runSpec as RunSpec);
}
