import { isJsonObject } from "../../../core/json.ts";
import { parseLooseJson } from "../../../core/loose-json.ts";

/** Where a run begins in the history of another. */
export interface BranchPoint {
  readonly runName: string;
  /** The last `_step` that both have. */
  readonly step: number;
}

/**
 * What `wandb.init(fork_from="RUN?_step=N")` leaves in the run's config: `_wandb.value.branch_point {run_id, step}`
 * (wandb/sdk/wandb_init.py). `resume_from` leaves the same with the run's own name, and asks for rewindRun itself.
 */
export function branchPointOf(config: string | null | undefined, runName: string): BranchPoint | undefined {
  if (!config?.includes("branch_point")) return undefined;
  const given = parseLooseJson(config);
  const internal = isJsonObject(given) ? given._wandb : undefined;
  const value = isJsonObject(internal) ? internal.value : undefined;
  const point = isJsonObject(value) ? value.branch_point : undefined;
  if (!isJsonObject(point)) return undefined;
  const { run_id: name, step } = point;
  if (typeof name !== "string" || name === runName || typeof step !== "number" || !(step >= 0)) return undefined;
  return { runName: name, step };
}
