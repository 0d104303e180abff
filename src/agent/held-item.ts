import type { LeaseFieldsFragment, LeaseRefInput } from "../client/generated/operations.ts";
import type { Clock } from "../core/clock.ts";

/** How long a lease lasts from the moment it is asked for or renewed (the server's rule), in milliseconds. */
export const LEASE_MS = 60_000;

/** Why work on an item ends before its end. */
export type Interruption = "lost" | "stop" | "closing";

/** Thrown between two steps; nothing is wrong. */
export class Interrupted extends Error {
  readonly reason: Interruption;
  constructor(reason: Interruption) {
    super(`interrupted: ${reason}`);
    this.name = "Interrupted";
    this.reason = reason;
  }
}

/** An item this agent holds: its lease, and whatever may end the work on it. */
export interface HeldItem {
  readonly id: string;
  readonly lease: LeaseFieldsFragment;
  readonly ref: LeaseRefInput;
  /** LEASED until acknowledged. */
  claimed: boolean;
  /** How many of the training job's steps the server has been told; undefined until the first reading. */
  stepsTold: number | undefined;
  /** This agent's clock; the server may put the item back from then on. */
  expiresAt: number;
  /** Somebody asked for the item to stop. */
  readonly stopRequested: boolean;
  readonly stopRequestedBy: string | undefined;
  /** Aborted when the lease is known to be another's. */
  readonly lost: AbortSignal;
  /** Aborted when a stop is asked for. */
  readonly stopped: AbortSignal;
  /** Aborted by whichever comes first: lost, closing. */
  readonly ended: AbortSignal;
  requestStop(by: string | null | undefined): void;
  lose(): void;
  /** Throws Interrupted if work must not go on: the lease is gone, the agent closes, or a stop came in. */
  check(): void;
  /** True while nobody else may act on the item. */
  mayAct(): boolean;
}

/** `closing` is the agent's own end. `askedAt`: when the lease was asked for, by this agent's clock. */
export function createHeldItem(
  lease: LeaseFieldsFragment,
  options: { readonly clock: Clock; readonly askedAt: number; readonly closing: AbortSignal },
): HeldItem {
  const { clock, closing } = options;
  const lost = new AbortController();
  const stopped = new AbortController();
  let stopRequestedBy: string | undefined;
  const held: HeldItem = {
    id: lease.runQueueItemId,
    lease,
    ref: { runQueueItemId: lease.runQueueItemId, attempt: lease.attempt, fencingToken: lease.fencingToken },
    claimed: lease.state === "CLAIMED",
    stepsTold: undefined,
    expiresAt: options.askedAt + LEASE_MS,
    get stopRequested() {
      return stopped.signal.aborted;
    },
    get stopRequestedBy() {
      return stopRequestedBy;
    },
    lost: lost.signal,
    stopped: stopped.signal,
    ended: AbortSignal.any([lost.signal, closing]),
    requestStop(by) {
      stopRequestedBy ??= by ?? undefined;
      if (!stopped.signal.aborted) stopped.abort(new Interrupted("stop"));
    },
    lose() {
      if (!lost.signal.aborted) lost.abort(new Interrupted("lost"));
    },
    check() {
      if (lost.signal.aborted) throw new Interrupted("lost");
      if (closing.aborted) throw new Interrupted("closing");
      if (held.claimed) return;
      if (stopped.signal.aborted) throw new Interrupted("stop");
      if (!held.mayAct()) throw new Interrupted("lost");
    },
    mayAct: () => !lost.signal.aborted && clock.now() < held.expiresAt,
  };
  if (lease.stopRequested) held.requestStop(undefined);
  return held;
}
