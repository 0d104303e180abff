import type { Logger } from "pino";
import { backoffDelay } from "../client/backoff.ts";
import type { Client } from "../client/client.ts";
import {
  AcknowledgeItemDocument,
  AppendItemLogsDocument,
  type LeaseFieldsFragment,
  LeaseItemsDocument,
  type LogStreamInput,
  ReleaseItemsDocument,
  RenewLeasesDocument,
  ReportItemDocument,
  type ReportRunQueueItemInput,
  SettleItemDocument,
  type SettleRunQueueItemInput,
  type TypedDocumentString,
  WaitItemDocument,
  type WaitRunQueueItemInput,
} from "../client/generated/operations.ts";
import type { Clock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import type { StoredCursor } from "../sagemaker/log-tail.ts";
import { type HeldItem, Interrupted, LEASE_MS } from "./held-item.ts";

type OfLease<T> = Omit<T, "lease">;

/**
 * What an agent tells the server about its items. The one place where the leased protocol is spoken: another protocol
 * (plain pop and acknowledge) is another implementation of this interface.
 *
 * Calls about an item go on trying while the server cannot be reached; a refused lease ends the work on the item
 * (Interrupted "lost").
 */
export interface ControlPlane {
  /** Waits up to waitSeconds for the first item. Throws when the server cannot be reached. */
  lease(
    max: number,
    waitSeconds: number,
    signal: AbortSignal,
  ): Promise<{ leases: readonly LeaseFieldsFragment[]; stopPolling: boolean; askedAt: number }>;
  /** One call for all; marks what is lost and what must stop. Throws when the server cannot be reached. */
  renew(items: readonly HeldItem[], status: string): Promise<{ stopPolling: boolean }>;
  report(held: HeldItem, input: OfLease<ReportRunQueueItemInput>): Promise<void>;
  acknowledge(held: HeldItem): Promise<void>;
  appendLogs(held: HeldItem, stream: LogStreamInput): Promise<readonly StoredCursor[]>;
  wait(held: HeldItem, input: OfLease<WaitRunQueueItemInput>): Promise<void>;
  settle(held: HeldItem, input: OfLease<SettleRunQueueItemInput>): Promise<void>;
  release(items: readonly HeldItem[]): Promise<void>;
}

export interface ControlPlaneOptions {
  readonly client: Client;
  readonly agentId: () => string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly closing: AbortSignal;
}

/** Waits between tries, in milliseconds. */
export const RETRY = { baseMs: 200, maxMs: 5_000 };

export function createControlPlane(options: ControlPlaneOptions): ControlPlane {
  const { client, clock, logger } = options;

  /** One call about an item, tried until it is answered, the lease is gone or (before the acknowledge) has run out. */
  async function call<R, V>(
    held: HeldItem,
    document: TypedDocumentString<R, V>,
    variables: V,
    signal: AbortSignal = held.ended,
  ): Promise<R> {
    for (let attempt = 1; ; attempt++) {
      held.lost.throwIfAborted();
      try {
        return await client.request(document, variables, { signal, attempts: 1 });
      } catch (error) {
        if (error instanceof SlipwayError && error.code === "STALE_LEASE") held.lose();
        held.lost.throwIfAborted();
        if (options.closing.aborted) throw new Interrupted("closing");
        if (!mayPass(error, attempt)) throw error;
        if (!held.claimed && !held.mayAct()) throw new Interrupted("lost");
        if (attempt === 1) logger.warn({ item: held.id, err: error }, "the server did not take a report; trying again");
        await clock.sleep(backoffDelay(attempt, RETRY, Math.random()), held.ended);
      }
    }
  }

  const heed = (held: HeldItem, answer: { stopRequested: boolean; stopRequestedBy?: string | null }) => {
    if (answer.stopRequested) held.requestStop(answer.stopRequestedBy);
  };

  return {
    async lease(max, waitSeconds, signal) {
      const askedAt = clock.now();
      const { leaseRunQueueItems } = await client.request(
        LeaseItemsDocument,
        { launchAgentId: options.agentId(), max, waitSeconds },
        { signal, attempts: 1, timeoutMs: (waitSeconds + 15) * 1000 },
      );
      // The poll may have waited; the lease began when it was answered, and at the latest now.
      const answered = leaseRunQueueItems.leases.length > 0 ? clock.now() : askedAt;
      return { ...leaseRunQueueItems, askedAt: answered };
    },
    async renew(items, status) {
      const askedAt = clock.now();
      const { renewRunQueueItemLeases } = await client.request(
        RenewLeasesDocument,
        { launchAgentId: options.agentId(), agentStatus: status, leases: items.map((held) => held.ref) },
        { attempts: 1, timeoutMs: 10_000 },
      );
      const byId = new Map(renewRunQueueItemLeases.leases.map((lease) => [lease.runQueueItemId, lease]));
      for (const held of items) {
        const renewed = byId.get(held.id);
        if (renewed === undefined) continue;
        if (renewed.held) held.expiresAt = Math.max(held.expiresAt, askedAt + LEASE_MS);
        else held.lose();
        heed(held, renewed);
      }
      return { stopPolling: renewRunQueueItemLeases.stopPolling };
    },
    async report(held, input) {
      try {
        const { reportRunQueueItem } = await call(held, ReportItemDocument, { input: { lease: held.ref, ...input } });
        heed(held, reportRunQueueItem);
      } catch (error) {
        if (!(error instanceof SlipwayError)) throw error;
        // A report is for people to read: the job does not stand or fall with it.
        logger.error({ item: held.id, err: error, report: input.kind ?? input.phase }, "the server refused a report");
      }
    },
    async acknowledge(held) {
      // A closing agent does not cut this off: the job is submitted, and its item should say so.
      const variables = { ...held.ref, runName: held.lease.runId };
      const { ackRunQueueItem } = await call(held, AcknowledgeItemDocument, variables, held.lost);
      if (ackRunQueueItem === null || !ackRunQueueItem.success) {
        held.lose();
        throw new Interrupted("lost");
      }
      held.claimed = true;
      heed(held, ackRunQueueItem);
    },
    async appendLogs(held, stream) {
      const { appendRunQueueItemLogs } = await call(held, AppendItemLogsDocument, {
        input: { lease: held.ref, streams: [stream] },
      });
      return appendRunQueueItemLogs.cursors;
    },
    async wait(held, input) {
      await call(held, WaitItemDocument, { input: { lease: held.ref, ...input } });
    },
    async settle(held, input) {
      await call(held, SettleItemDocument, { input: { lease: held.ref, ...input } });
    },
    async release(items) {
      await client.request(
        ReleaseItemsDocument,
        { launchAgentId: options.agentId(), leases: items.map((held) => held.ref) },
        { attempts: 2, timeoutMs: 2_000 },
      );
    },
  };
}

/** Tries after which a fault inside the server counts as one that stays. */
const FAULTS = 6;

/** The server could not be reached, could not answer now, or does not take our key at the moment: not the item's fault. */
export function mayPass(error: unknown, attempt: number): boolean {
  if (!(error instanceof SlipwayError)) return false;
  if (error.code === "SERVER_REFUSED") return false;
  if (error.code === "INTERNAL") return attempt < FAULTS;
  return error.status >= 500 || error.status === 429 || error.status === 401;
}
