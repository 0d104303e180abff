import { type Logger, pino } from "pino";
import { backoffDelay } from "../client/backoff.ts";
import { createClient } from "../client/client.ts";
import { isUnavailable } from "../client/errors.ts";
import { AgentStatusDocument } from "../client/generated/operations.ts";
import { hasLeases } from "../client/server-features.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { createAwsClients } from "../sagemaker/aws-clients.ts";
import type { AwsProblem } from "../sagemaker/aws-problem.ts";
import { createImageLookup } from "../sagemaker/ecr-images.ts";
import { createRateLimit } from "../sagemaker/rate-limit.ts";
import { createTrainingWatcher } from "../sagemaker/watcher.ts";
import type { AgentConfig } from "./config.ts";
import { createControlPlane } from "./control-plane.ts";
import { createPassPoint } from "./crash-point.ts";
import { dispatch } from "./dispatch.ts";
import { type HeldItem, Interrupted } from "./held-item.ts";
import { runJob, type Waits } from "./job.ts";
import type { JobDeps } from "./job-deps.ts";
import { createLeaseBook, createRenewals } from "./lease.ts";
import { createPlainControlPlane } from "./plain/control-plane.ts";
import { type PlainRegistration, registerPlain } from "./plain/register.ts";
import { type Registration, register } from "./register.ts";
import { waitingReason } from "./settle.ts";
import { listenForStops } from "./stop-events.ts";

export interface AgentDeps {
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly fetch?: typeof globalThis.fetch;
  /** Slipway's version, told to the server. */
  readonly version?: string;
}

export interface RunningAgent {
  readonly id: string;
  readonly name: string;
  /** Resolves when the agent has ended, by close() or because the server asked it to. */
  readonly closed: Promise<void>;
  /** Stops taking items, hands over what it holds and ends within 5 s; the training jobs run on. */
  close(): Promise<void>;
}

/** CloudWatch Logs allows 25 GetLogEvents a second in an account; several agents and people share them. */
const LOG_CALLS_PER_SECOND = 10;
/** How long close() lets work in hand come to a good place (a submit and its acknowledge). */
const HAND_OVER_MS = 3_000;

/**
 * Starts an agent: registers it (waiting for a server that cannot be reached yet), adopts what a dead predecessor left,
 * and works on items until it is closed. Throws NOT_LOGGED_IN, AGENT_QUEUE_UNKNOWN.
 */
export async function startAgent(config: AgentConfig, deps: AgentDeps = {}): Promise<RunningAgent> {
  const clock = deps.clock ?? systemClock;
  const logger = deps.logger ?? pino({ name: "agent", level: config.logLevel }, pino.destination(2));
  const fetch = deps.fetch ?? globalThis.fetch;
  const version = deps.version ?? "unknown";
  const client = createClient({
    baseUrl: config.baseUrl,
    apiKey: config.apiKey,
    userAgent: `slipway-agent/${version}`,
    fetch,
    clock,
  });
  const leases = await whenReachable(() => hasLeases(client), clock, logger);
  let plain: PlainRegistration | undefined;
  const makeKnown = async (): Promise<Registration> => {
    if (leases) return register(client, config, version);
    plain = await registerPlain(client, config, version);
    return plain;
  };
  let registration = await whenReachable(makeKnown, clock, logger);
  logger.info({ agent: registration.name, id: registration.id, queues: config.queues, leases }, "agent started");

  const closing = new AbortController();
  const ended = new AbortController();
  const { environment } = config.launchConfig;
  const aws = createAwsClients(environment);
  const book = createLeaseBook();
  const pass = createPassPoint(config.crashAt);
  const told = { client, agentId: () => registration.id, clock, logger, closing: closing.signal };
  const controlPlane =
    plain === undefined
      ? createControlPlane(told)
      : createPlainControlPlane({
          ...told,
          entity: registration.entity,
          queueNames: config.queues,
          apiKey: config.apiKey,
          fetch,
          pass,
          records: () => (plain as PlainRegistration).plainRecords,
        });
  const watcher = createTrainingWatcher({
    sagemaker: aws.sagemaker,
    clock,
    onProblem: (problem) => tellItems(problem),
  });
  const job: JobDeps = {
    config,
    client,
    controlPlane,
    aws,
    watcher,
    clock,
    logger,
    fetch,
    lookUpImage: createImageLookup(aws.ecr, clock),
    logRate: createRateLimit(LOG_CALLS_PER_SECOND, clock),
    pass,
  };
  const waits: Waits = new Map();

  /** Nobody sees the jobs now (credentials, network): each item's timeline says so, once, and when it is over. */
  function tellItems(problem: AwsProblem | undefined): void {
    const message =
      problem === undefined
        ? "The training job can be seen again"
        : `The training job cannot be seen now, but runs on: ${waitingReason(problem)}`;
    logger.warn({ code: problem?.code }, message);
    for (const held of book.items().filter((one) => one.claimed)) {
      controlPlane.report(held, { kind: "warning", message }).catch((error: unknown) => {
        logger.debug({ item: held.id, err: error }, "a warning was not reported");
      });
    }
  }

  const renewals = createRenewals({ controlPlane, book, clock, logger, onStopPolling: () => void close() });
  const background = [watcher.run(ended.signal), renewals.run(ended.signal)];
  if (leases) {
    const { entity } = registration;
    background.push(listenForStops({ client, entity, book, clock, logger, onStop: renewals.hurry }, ended.signal));
  }
  const working = new Set<Promise<void>>();
  const dispatching = dispatch({
    controlPlane,
    book,
    clock,
    logger,
    maxJobs: config.maxJobs,
    closing: closing.signal,
    work: (held: HeldItem) => {
      const work = runJob(job, held, waits).finally(() => working.delete(work));
      working.add(work);
      return work;
    },
    register: async () => {
      const before = { registration, plain };
      registration = await makeKnown();
      if (before.plain !== undefined) plain?.plainRecords.takeOver(before.registration.id);
      before.registration.forget();
      logger.info({ agent: registration.name, id: registration.id }, "registered again");
    },
    onStopPolling: () => void close(),
  });

  let done: Promise<void> | undefined;
  let resolveClosed = () => {};
  const closed = new Promise<void>((resolve) => {
    resolveClosed = resolve;
  });

  function close(): Promise<void> {
    done ??= handOver().finally(resolveClosed);
    return done;
  }

  async function handOver(): Promise<void> {
    logger.info({ held: book.items().length }, "agent closing; its training jobs run on");
    const held = book.items();
    closing.abort(new Interrupted("closing"));
    await Promise.race([Promise.all([dispatching, ...working]), clock.sleep(HAND_OVER_MS)]);
    const mine = [...new Set([...held, ...book.items()])].filter((one) => !one.lost.aborted);
    ended.abort(new Interrupted("closing"));
    try {
      if (mine.length > 0) await controlPlane.release(mine);
      const variables = { launchAgentId: registration.id, agentStatus: "KILLED" };
      await client.request(AgentStatusDocument, variables, { attempts: 1, timeoutMs: 1_000 });
      registration.forget();
    } catch (error) {
      // The leases run out by themselves; the next agent of this directory frees them sooner.
      logger.warn({ err: error }, "the server was not told of the handover");
    }
    await Promise.race([Promise.all(background), clock.sleep(500)]);
    aws.close();
  }

  return {
    get id() {
      return registration.id;
    },
    name: registration.name,
    closed,
    close,
  };
}

/** Tries until the server answers; a refusal throws at once. */
async function whenReachable<T>(attempt: () => Promise<T>, clock: Clock, logger: Logger): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      if (tries === 1) logger.warn({ err: error }, "waiting for the server");
      await clock.sleep(backoffDelay(tries, { baseMs: 200, maxMs: 5_000 }, Math.random()));
    }
  }
}
