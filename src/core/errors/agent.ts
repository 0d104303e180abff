import type { ErrorEntry } from "./registry.ts";

/** Why an agent could not carry out a job, or could not start. */
export const AGENT_ERRORS = {
  TRAINING_JOB_NAME_TAKEN: {
    status: 409,
    exit: 1,
    message: "The training job name {name} is already used by a job that is not this item's",
    hint: "Choose another TrainingJobName in the queue config (it must contain ${run_id}), or push the job again.",
  },
  RESOURCE_FOREIGN: {
    status: 422,
    exit: 2,
    message: "The item is for {resource}, and Slipway's agents submit to sagemaker alone",
    hint: "Serve its queue with `wandb launch-agent`, or push to a queue for sagemaker.",
  },
  TRAINING_JOB_REFUSED: {
    status: 422,
    exit: 1,
    message: "SageMaker refused the training job: {reason}",
    hint: "Correct the queue's config or the item's resource args and push again; the request is kept with the item.",
  },
  TRAINING_JOB_MISSING: {
    status: 404,
    exit: 1,
    message: "The training job {name} does not exist at SageMaker any more",
    hint: "It was deleted, or the agent's AWS account or region has changed since it was submitted.",
  },
  TRAINING_CODE_FAILED: {
    status: 422,
    exit: 1,
    message: "{reason}",
    hint: "Read the last lines of the log, correct the code and push again.",
  },
  TRAINING_JOB_FAILED: {
    status: 422,
    exit: 1,
    message: "{reason}",
    hint: "The reason is SageMaker's own; the request is kept with the item.",
  },
  AWS_ACCESS_DENIED: {
    status: 403,
    exit: 1,
    message: "AWS refused the agent's call: {reason}",
    hint: "Add the named action to the policy of the agent's role, or correct the execution role in RoleArn.",
  },
  AGENT_STEP_FAILED: {
    status: 500,
    exit: 1,
    message: "The agent failed while {step}: {reason}",
    hint: "The agent's log has the details.",
  },
  AGENT_QUEUE_UNKNOWN: {
    status: 404,
    exit: 3,
    message: "Entity {entity} has no queue {queue}",
    hint: "Make it with `slipway queue create {queue}`, or correct the name.",
  },
  AGENT_NO_QUEUE: {
    status: 400,
    exit: 2,
    message: "The agent has no queue to serve",
    hint: "Name one with -q, or under `queues` in launch-config.yaml.",
  },
  AGENT_SETTINGS_INVALID: {
    status: 422,
    exit: 2,
    message: "{count} setting(s) of the agent are wrong",
    hint: "Correct each place named below.",
  },
  AGENT_FORGOTTEN: {
    status: 404,
    exit: 4,
    message: "The server at {url} does not know the agent {id} any more",
    hint: "The agent registers again by itself.",
  },
  BUILD_NEEDS_BASE: {
    status: 422,
    exit: 2,
    message: "The job is code without an image, and nothing says what to build it on",
    hint: "Set `builder: {type: layer, base: IMAGE}` (or `base: host` on a local AWS) in launch-config.yaml, or push an image with -d.",
  },
  BUILD_NEEDS_REGISTRY: {
    status: 422,
    exit: 2,
    message: "The job is code without an image, and the agent has no registry to push one to",
    hint: "Set `registry: {type: ecr, uri: ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME}` in launch-config.yaml.",
  },
} as const satisfies Record<string, ErrorEntry>;
