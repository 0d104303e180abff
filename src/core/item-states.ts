/** The wire's item states. */
export const ITEM_STATES = ["PENDING", "LEASED", "CLAIMED", "FINISHED", "FAILED", "STOPPED"] as const;
export type ItemState = (typeof ITEM_STATES)[number];

/** Where an item stands inside its state, in the order of the way of one job. */
export const ITEM_PHASES = [
  "queued",
  "waiting",
  "planning",
  "building",
  "pushing",
  "submitting",
  "starting",
  "pending_capacity",
  "downloading",
  "training",
  "interrupted",
  "uploading",
  "stopping",
  "settled",
] as const;
export type ItemPhase = (typeof ITEM_PHASES)[number];

/** Why an item ended, or why it waits. */
export const ITEM_CAUSES = [
  "completed",
  "code_failed",
  "max_runtime",
  "max_wait",
  "capacity",
  "quota",
  "build",
  "validation",
  "access_denied",
  "credentials",
  "name_conflict",
  "stopped",
  "deleted",
  "agent_lost",
  "run_failed",
  "internal",
] as const;
export type ItemCause = (typeof ITEM_CAUSES)[number];
