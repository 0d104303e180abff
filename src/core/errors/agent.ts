import type { ErrorEntry } from "./registry.ts";

/** Why an agent could not carry out a job. */
export const AGENT_ERRORS = {
  TRAINING_JOB_NAME_TAKEN: {
    status: 409,
    exit: 1,
    message: "The training job name {name} is already used by a job that is not this item's",
    hint: "Choose another TrainingJobName in the queue config (it must contain ${run_id}), or push the job again.",
  },
} as const satisfies Record<string, ErrorEntry>;
