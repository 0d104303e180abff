import { randomBytes } from "node:crypto";
import { backoffDelay } from "../../client/backoff.ts";
import type { RequestOptions } from "../../client/client.ts";
import {
  type LeaseFieldsFragment,
  PlainAcknowledgeDocument,
  PlainAgentDocument,
  PlainItemDocument,
  PlainPopDocument,
  PlainRunDocument,
  PlainWarningDocument,
  AgentStatusDocument as StatusDocument,
  type TypedDocumentString,
} from "../../client/generated/operations.ts";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { RunSpec } from "../../core/items/run-spec.ts";
import { QUEUE_PROJECT } from "../../core/protocol.ts";
import { type ControlPlane, type ControlPlaneOptions, mayPass, RETRY } from "../control-plane.ts";
import type { PassPoint } from "../crash-point.ts";
import { type HeldItem, Interrupted } from "../held-item.ts";
import { createPlainEnds } from "./ends.ts";
import type { PlainRecord, PlainRecords } from "./records.ts";

export interface PlainOptions extends ControlPlaneOptions {
  readonly entity: string;
  readonly queueNames: readonly string[];
  readonly records: () => PlainRecords;
  readonly pass: PassPoint;
  /** The key the agent itself has, for the run's file stream. */
  readonly apiKey: string;
  readonly fetch: typeof globalThis.fetch;
}

/** How often the queues are asked, as the wandb agent's own loop does every 10 s; spread by a fifth either way. */
const POLL_MS = 5_000;
/** So many items that wait (for a quota, say) are enough; the others stay in their queue for other agents. */
const MOST_WAITING = 10;
/** Lines of the log that go into a failure's message. */
const LAST_LINES = 20;
const LINE_LENGTH = 500;

/**
 * The plain protocol: pop and acknowledge, and little more. An item is acknowledged before anything else is done, since
 * nobody knows how long the server waits for that; from then on it is ours alone, so what there is to know of it is kept
 * on disk, and waits are the agent's own. A crash costs nothing: the successor reads the records, and the names of
 * training jobs follow from the items.
 */
export function createPlainControlPlane(options: PlainOptions): ControlPlane {
  const { client, clock, logger, closing, entity } = options;
  /** Handed to the dispatcher and not yet ended. */
  const out = new Set<string>();
  const lines = new Map<string, string[]>();
  const ends = createPlainEnds(options, call);

  /** Tried until the server answers; a refusal is thrown. */
  async function call<R, V>(document: TypedDocumentString<R, V>, variables: V, signal?: AbortSignal): Promise<R> {
    for (let attempt = 1; ; attempt++) {
      try {
        const request: RequestOptions = { attempts: 1, ...(signal === undefined ? {} : { signal }) };
        return await client.request(document, variables, request);
      } catch (error) {
        if (closing.aborted) throw new Interrupted("closing");
        if (!mayPass(error, attempt)) throw error;
        if (attempt === 1) logger.warn({ err: error }, "the server did not take a report; trying again");
        await clock.sleep(backoffDelay(attempt, RETRY, Math.random()), closing);
      }
    }
  }

  function change(itemId: string, values: Partial<PlainRecord>): void {
    const record = options.records().get(itemId);
    if (record !== undefined) options.records().put({ ...record, ...values });
  }

  async function pop(queue: string): Promise<PlainRecord | undefined> {
    const { popFromRunQueue: popped } = await client.request(
      PlainPopDocument,
      { entity, project: QUEUE_PROJECT, queue, agent: options.agentId() },
      // Not cut off by the agent's end: an answer that nobody reads is an item that nobody has.
      { attempts: 1 },
    );
    if (popped === null) return undefined;
    const runSpec = popped.runSpec as RunSpec;
    const runId = runSpec.run_id || randomBytes(4).toString("hex");
    const record: PlainRecord = { itemId: popped.runQueueItemId, queue, runId, runSpec, attempt: 1, state: "popped" };
    options.records().put(record);
    options.pass("popped");
    return record;
  }

  /** False: another agent has it by now. */
  async function makeMine(record: PlainRecord, fresh: boolean): Promise<boolean> {
    let mine = false;
    const state = fresh ? "LEASED" : await stateOf(record);
    if (state === "LEASED" || state === "PENDING") {
      const { itemId: item, runId: run } = record;
      const { ackRunQueueItem } = await client.request(PlainAcknowledgeDocument, { item, run }, { attempts: 1 });
      options.pass("item-acknowledged");
      mine = ackRunQueueItem?.success === true;
    } else mine = state === "ours";
    if (mine) change(record.itemId, { state: "mine" });
    else {
      logger.info({ item: record.itemId }, "another agent has the item");
      options.records().remove(record.itemId);
    }
    return mine;
  }

  async function stateOf(record: PlainRecord): Promise<string | undefined> {
    const { project } = await client.request(
      PlainItemDocument,
      { entity, project: QUEUE_PROJECT, queue: record.queue, item: record.itemId },
      { attempts: 1 },
    );
    const item = project?.runQueue?.runQueueItem;
    return item?.state === "CLAIMED" && item.associatedRunId === record.runId ? "ours" : item?.state;
  }

  async function ready(record: PlainRecord, fresh: boolean): Promise<LeaseFieldsFragment | undefined> {
    if (record.state === "popped" && !(await makeMine(record, fresh))) return undefined;
    out.add(record.itemId);
    return leaseOf(options.records().get(record.itemId) ?? record, entity);
  }

  const isDue = (record: PlainRecord) => !out.has(record.itemId) && (record.notBefore ?? 0) <= clock.now();

  return {
    async lease(max, _waitSeconds, signal) {
      const { launchAgent } = await client.request(
        PlainAgentDocument,
        { id: options.agentId() },
        { attempts: 1, signal },
      );
      if (launchAgent === null)
        throw new SlipwayError("AGENT_FORGOTTEN", { values: { url: client.baseUrl, id: options.agentId() } });
      const leases: LeaseFieldsFragment[] = [];
      const answer = () => ({ leases, stopPolling: launchAgent.stopPolling, askedAt: Number.POSITIVE_INFINITY });
      if (launchAgent.stopPolling) return answer();
      try {
        for (const record of options.records().all().filter(isDue)) {
          if (leases.length >= max) return answer();
          const lease = await ready(record, false);
          if (lease !== undefined) leases.push(lease);
        }
        for (const queue of options.queueNames) {
          while (leases.length < max && waiting() < MOST_WAITING && !signal.aborted) {
            const record = await pop(queue);
            if (record === undefined) break;
            const lease = await ready(record, true);
            if (lease !== undefined) leases.push(lease);
          }
        }
      } catch (error) {
        // What was taken already must be worked on; the trouble shows again at the next call.
        if (leases.length === 0) throw error;
        logger.warn({ err: error }, "the server gave no further items");
      }
      if (leases.length === 0) await clock.sleep(pause(), signal);
      return answer();
    },
    async renew(items, status) {
      await client.request(StatusDocument, { launchAgentId: options.agentId(), agentStatus: status }, { attempts: 1 });
      const { launchAgent } = await client.request(PlainAgentDocument, { id: options.agentId() }, { attempts: 1 });
      await Promise.all(items.filter((held) => !held.stopRequested).map(heedStop));
      return { stopPolling: launchAgent?.stopPolling === true };
    },
    async report(held, input) {
      const { phase, kind, message, training } = input;
      logger.debug({ item: held.id, phase, kind }, message ?? "");
      if (phase === "submitting") {
        if (training?.name != null) change(held.id, { trainingJobName: training.name });
        // The last moment at which a stop costs nothing.
        await heedStop(held).catch((error: unknown) => logger.debug({ err: error }, "a stop could not be asked for"));
      }
      if (kind === "warning" && message) await warn(held, message);
    },
    async acknowledge(held) {
      change(held.id, { state: "submitted" });
      held.claimed = true;
    },
    async appendLogs(held, stream) {
      const kept = lines.get(held.id) ?? [];
      for (const { text } of stream.lines) kept.push(`${stream.node} ${text.slice(0, LINE_LENGTH)}`);
      lines.set(held.id, kept.slice(-LAST_LINES));
      return [{ node: stream.node, stream: stream.stream, cursor: stream.to }];
    },
    async wait(held, { reason, until }) {
      await warn(held, `${reason}; tried again at ${until}`);
      change(held.id, { notBefore: Date.parse(until) });
      out.delete(held.id);
    },
    async settle(held, input) {
      const record = options.records().get(held.id);
      if (record === undefined) return;
      if (input.retry) {
        await warn(held, input.message ?? "The job is submitted again");
        const { trainingJobName: _, ...rest } = record;
        const notBefore = input.retryAt == null ? clock.now() : Date.parse(input.retryAt);
        options.records().put({ ...rest, attempt: record.attempt + 1, state: "mine", notBefore });
      } else {
        await ends.tell(held, record, input, lines.get(held.id) ?? []);
        options.records().remove(held.id);
      }
      lines.delete(held.id);
      out.delete(held.id);
    },
    async release(items) {
      // Nothing can be given back; the records stay for the next agent of this directory.
      logger.info({ items: items.length }, "the next agent of this data directory goes on with the items");
    },
  };

  function waiting(): number {
    return options
      .records()
      .all()
      .filter((record) => !out.has(record.itemId)).length;
  }

  function pause(): number {
    const due = options
      .records()
      .all()
      .filter((record) => !out.has(record.itemId));
    const next = Math.min(...due.map((record) => (record.notBefore ?? 0) - clock.now()));
    return Math.max(50, Math.min(POLL_MS * (0.8 + 0.4 * Math.random()), next));
  }

  async function heedStop(held: HeldItem): Promise<void> {
    const { entity: owner, project } = held.lease.runSpec as RunSpec;
    const variables = { entity: owner, project, run: held.lease.runId };
    const answer = await client.request(PlainRunDocument, variables, { attempts: 1 });
    if (answer.project?.run?.stopped === true) held.requestStop(undefined);
  }

  async function warn(held: HeldItem, message: string): Promise<void> {
    try {
      await call(PlainWarningDocument, { item: held.id, message, stage: "agent" });
    } catch (error) {
      if (!(error instanceof SlipwayError)) throw error;
      logger.warn({ item: held.id, err: error }, "the server refused a warning");
    }
  }
}

function leaseOf(record: PlainRecord, entity: string): LeaseFieldsFragment {
  const submitted = record.state === "submitted" || record.state === "ending";
  return {
    runQueueItemId: record.itemId,
    attempt: record.attempt,
    fencingToken: 0,
    expiresAt: "",
    state: submitted ? "CLAIMED" : "LEASED",
    phase: submitted ? "starting" : "planning",
    runId: record.runId,
    runSpec: record.runSpec,
    queueId: "",
    queueName: record.queue,
    queueEntityName: entity,
    stopRequested: false,
    trainingJobName: record.trainingJobName ?? null,
    logCursors: [],
  };
}
