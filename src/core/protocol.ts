/** The feature (serverInfo.features) of a server that leases items; without it, only the plain protocol can be spoken. */
export const LEASES_FEATURE = "slipway-leases";

/** The wandb client keeps every queue in this project, whatever project the runs go to. */
export const QUEUE_PROJECT = "model-registry";
