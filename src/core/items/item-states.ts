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

/** Who brings an event about. `agent` holds the item's lease, but for `lease`, `pop` and `adopt`, by which it comes to it. */
export type ItemActor = "agent" | "person" | "server";

/** What can happen to an item. */
export const ITEM_EVENTS = [
  "lease",
  "pop",
  "report",
  "wait",
  "acknowledge",
  "adopt",
  "release",
  "expire",
  "retry",
  "finish",
  "fail",
  "stop",
  "request_stop",
  "delete",
] as const;
export type ItemEvent = (typeof ITEM_EVENTS)[number];

/** One row of the table: what an event does to an item in `from`. */
export interface ItemTransition {
  readonly event: ItemEvent;
  readonly from: ItemState;
  readonly to: ItemState;
  readonly by: readonly ItemActor[];
  /**
   * What the statement must find, besides the state: `lease`: the attempt and fencing token of the caller's lease; `no_lease`: no
   * lease, or one that has run out; `due`: the item does not wait, or its wait is over; `no_job`, `may_have_job`: an agent has
   * not, or has, come so far in this attempt that a training job may exist; `none`: nothing more.
   */
  readonly needs: "lease" | "no_lease" | "due" | "no_job" | "may_have_job" | "none";
  /** `raise`: the statement takes the next fencing token, so that every older one is stale. */
  readonly token: "raise" | "keep";
  /** `next`: the attempt goes up by one. Only a retry does that. */
  readonly attempt: "same" | "next";
  /** The phase that the item has afterwards; undefined: the event says which, or it stays. */
  readonly phase: ItemPhase | undefined;
}

type Rest = Partial<Pick<ItemTransition, "token" | "attempt" | "phase">>;
function row(
  event: ItemEvent,
  from: ItemState,
  to: ItemState,
  by: ItemActor[],
  needs: ItemTransition["needs"],
  rest: Rest = {},
): ItemTransition {
  return {
    event,
    from,
    to,
    by,
    needs,
    token: rest.token ?? "keep",
    attempt: rest.attempt ?? "same",
    phase: rest.phase,
  };
}

/**
 * Every allowed change of an item. What is not here does not happen: a statement that finds another state changes nothing.
 * - A stop of a PENDING item ends it at once, unless its training job may run already (its agent died or lost its lease): then,
 *   as for an item that an agent holds, it is a request, which the next agent follows.
 * - A lease that runs out takes a LEASED item back to PENDING with the same attempt, since nothing of it can be running that the
 *   next agent would not find by name. A CLAIMED item stays CLAIMED and waits to be adopted.
 * - `server` ends items of agents that never renew a lease (the plain protocol), by what their run tells.
 */
export const ITEM_TRANSITIONS: readonly ItemTransition[] = [
  row("lease", "PENDING", "LEASED", ["agent"], "due", { token: "raise", phase: "planning" }),
  row("pop", "PENDING", "LEASED", ["agent"], "due", { token: "raise", phase: "planning" }),
  row("request_stop", "PENDING", "STOPPED", ["person", "server"], "no_job", { token: "raise", phase: "settled" }),
  row("request_stop", "PENDING", "PENDING", ["person", "server"], "may_have_job", { phase: "queued" }),
  row("delete", "PENDING", "STOPPED", ["person"], "no_job", { token: "raise", phase: "settled" }),
  row("delete", "PENDING", "PENDING", ["person"], "may_have_job", { phase: "queued" }),
  row("fail", "PENDING", "FAILED", ["server"], "none", { token: "raise", phase: "settled" }),

  row("report", "LEASED", "LEASED", ["agent"], "lease"),
  row("wait", "LEASED", "PENDING", ["agent"], "lease", { token: "raise", phase: "waiting" }),
  row("acknowledge", "LEASED", "CLAIMED", ["agent"], "lease", { phase: "starting" }),
  row("release", "LEASED", "PENDING", ["agent"], "lease", { token: "raise", phase: "queued" }),
  row("expire", "LEASED", "PENDING", ["server"], "no_lease", { token: "raise", phase: "queued" }),
  row("fail", "LEASED", "FAILED", ["agent"], "lease", { token: "raise", phase: "settled" }),
  row("stop", "LEASED", "STOPPED", ["agent"], "lease", { token: "raise", phase: "settled" }),
  row("request_stop", "LEASED", "LEASED", ["person", "server"], "none"),
  row("delete", "LEASED", "LEASED", ["person"], "none"),

  row("report", "CLAIMED", "CLAIMED", ["agent"], "lease"),
  row("release", "CLAIMED", "CLAIMED", ["agent"], "lease", { token: "raise" }),
  row("expire", "CLAIMED", "CLAIMED", ["server"], "no_lease", { token: "raise" }),
  row("adopt", "CLAIMED", "CLAIMED", ["agent"], "no_lease", { token: "raise" }),
  row("retry", "CLAIMED", "PENDING", ["agent"], "lease", { token: "raise", attempt: "next", phase: "waiting" }),
  row("finish", "CLAIMED", "FINISHED", ["agent"], "lease", { token: "raise", phase: "settled" }),
  row("finish", "CLAIMED", "FINISHED", ["server"], "no_lease", { token: "raise", phase: "settled" }),
  row("fail", "CLAIMED", "FAILED", ["agent"], "lease", { token: "raise", phase: "settled" }),
  row("fail", "CLAIMED", "FAILED", ["server"], "no_lease", { token: "raise", phase: "settled" }),
  row("stop", "CLAIMED", "STOPPED", ["agent"], "lease", { token: "raise", phase: "settled" }),
  row("stop", "CLAIMED", "STOPPED", ["server"], "no_lease", { token: "raise", phase: "settled" }),
  row("request_stop", "CLAIMED", "CLAIMED", ["person", "server"], "none"),
  row("delete", "CLAIMED", "CLAIMED", ["person"], "none"),
];

/**
 * The row for an event in a state and by an actor; undefined: it is not allowed. `mayHaveJob`: a training job of the current
 * attempt may exist.
 */
export function transition(
  from: ItemState,
  event: ItemEvent,
  by: ItemActor,
  mayHaveJob = false,
): ItemTransition | undefined {
  const other = mayHaveJob ? "no_job" : "may_have_job";
  return ITEM_TRANSITIONS.find(
    (row) => row.from === from && row.event === event && row.by.includes(by) && row.needs !== other,
  );
}

/** The states in which an actor may bring an event about: what a statement names after `state in`. */
export function statesAllowing(event: ItemEvent, by: ItemActor): ItemState[] {
  return ITEM_STATES.filter((state) => transition(state, event, by) !== undefined);
}

/** Whether a statement may take an item from one state to the other (by any event). */
export function mayGo(from: ItemState, to: ItemState): boolean {
  return ITEM_TRANSITIONS.some((row) => row.from === from && row.to === to);
}

/** FINISHED, FAILED and STOPPED are for ever; a retry is a new item. */
export function isSettled(state: ItemState): boolean {
  return state === "FINISHED" || state === "FAILED" || state === "STOPPED";
}

const PHASES_OF: Readonly<Record<ItemState, readonly ItemPhase[]>> = {
  PENDING: ["queued", "waiting"],
  LEASED: ["planning", "building", "pushing", "submitting", "stopping"],
  CLAIMED: ["starting", "pending_capacity", "downloading", "training", "interrupted", "uploading", "stopping"],
  FINISHED: ["settled"],
  FAILED: ["settled"],
  STOPPED: ["settled"],
};

/** The phases that an item in this state can have, and that an agent may report. */
export function phasesOf(state: ItemState): readonly ItemPhase[] {
  return PHASES_OF[state];
}

/** The event that settles an item in a state. */
export function settlingEvent(state: "FINISHED" | "FAILED" | "STOPPED"): ItemEvent {
  return state === "FINISHED" ? "finish" : state === "FAILED" ? "fail" : "stop";
}
