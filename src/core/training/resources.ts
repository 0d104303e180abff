/** Kinds of compute that a queue may be for; the wandb client's own list (Api.create_run_queue). */
export const RESOURCES = ["sagemaker", "local-container", "local-process", "kubernetes", "gcp-vertex"] as const;

/** What Slipway's own agents submit to. Items of other resources are for agents of the wandb client. */
export const OWN_RESOURCE = "sagemaker";

/** What the wandb client takes for an item of a queue that has no config. */
export const DEFAULT_RESOURCE = "local-container";
