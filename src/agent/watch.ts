import type { DescribeTrainingJobResponse } from "@aws-sdk/client-sagemaker";
import type { Logger } from "pino";
import { backoffDelay } from "../client/backoff.ts";
import type { TrainingJobInput } from "../client/generated/operations.ts";
import type { Clock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import type { ItemPhase } from "../core/items/item-states.ts";
import type { AwsClients } from "../sagemaker/aws-clients.ts";
import { classifyAwsError } from "../sagemaker/aws-problem.ts";
import { createLogTail, type LogTail } from "../sagemaker/log-tail.ts";
import type { RateLimit } from "../sagemaker/rate-limit.ts";
import { stopTrainingJob } from "../sagemaker/submit.ts";
import { trainingFacts } from "../sagemaker/training-facts.ts";
import { type TrainingEnd, type TrainingStep, trainingEnd, trainingSteps } from "../sagemaker/training-status.ts";
import type { TrainingWatcher } from "../sagemaker/watcher.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { PassPoint } from "./crash-point.ts";
import { type HeldItem, Interrupted } from "./held-item.ts";
import { seconds, stepSentence } from "./step-words.ts";

export interface WatchDeps {
  readonly controlPlane: ControlPlane;
  readonly watcher: TrainingWatcher;
  readonly aws: AwsClients;
  readonly logRate: RateLimit;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stopDelaySeconds: number;
  readonly pass: PassPoint;
}

/** A training job that has ended, all its log lines stored. */
export interface WatchedEnd {
  readonly end: TrainingEnd;
  readonly training: TrainingJobInput;
  readonly job: DescribeTrainingJobResponse;
}

/** Log lines may reach CloudWatch this long after the job's end (milliseconds); only then an empty read means the end. */
const LOG_SETTLE_MS = 2_000;
const LOG_FASTEST_MS = 500;
const LOG_SLOWEST_MS = 5_000;

/**
 * Steps 6 of the way of one job: follows the training job to its end. Each of SageMaker's steps is told to the server
 * as it begins, log lines of every node as they appear; a stop request becomes StopTrainingJob. Resolves when the job
 * has ended and its logs are drained. Throws TRAINING_JOB_MISSING, or Interrupted (lost, closing).
 */
export async function watchTrainingJob(deps: WatchDeps, held: HeldItem, jobName: string): Promise<WatchedEnd> {
  const news = createMailbox<DescribeTrainingJobResponse | undefined>();
  const unwatch = deps.watcher.watch({ name: jobName, onReading: news.put });
  const over = new AbortController();
  const end = () => over.abort(held.ended.reason);
  held.ended.addEventListener("abort", end, { once: true });
  if (held.ended.aborted) end();
  const logs = createLogReader(deps, held, jobName, over.signal);
  // A failure of either side task must end the watch, not the process.
  let failed: unknown;
  const side = (task: Promise<void>) =>
    task.catch((error: unknown) => {
      if (over.signal.aborted) return;
      failed = error;
      over.abort(error);
    });
  const tasks = [side(obeyStop(deps, held, jobName, over.signal)), side(logs.run())];
  try {
    return await followReadings(deps, held, jobName, news, logs, over.signal);
  } catch (error) {
    if (held.lost.aborted) throw new Interrupted("lost");
    throw failed ?? error;
  } finally {
    unwatch();
    held.ended.removeEventListener("abort", end);
    over.abort(new Interrupted("closing"));
    await Promise.all(tasks);
  }
}

async function followReadings(
  deps: WatchDeps,
  held: HeldItem,
  jobName: string,
  news: Mailbox<DescribeTrainingJobResponse | undefined>,
  logs: LogReader,
  signal: AbortSignal,
): Promise<WatchedEnd> {
  for (;;) {
    const job = await news.take(signal);
    if (job === undefined) throw new SlipwayError("TRAINING_JOB_MISSING", { values: { name: jobName } });
    const steps = trainingSteps(job);
    held.stepsTold ??= stepsToldBefore(steps, held);
    const training = trainingFacts(jobName, job);
    for (; held.stepsTold < steps.length; held.stepsTold++) {
      const told = held.stepsTold;
      const step = steps[told] as TrainingStep;
      logs.expect(step.phase, job.ResourceConfig?.InstanceCount);
      const newest = told === steps.length - 1;
      await deps.controlPlane.report(held, {
        phase: step.phase,
        message: stepSentence(step, steps[told - 1]),
        at: new Date(step.startedAt).toISOString(),
        ...(newest ? { training } : {}),
      });
      deps.pass("step-reported");
    }
    const end = trainingEnd(job);
    if (end === undefined) continue;
    deps.pass("ended");
    logs.expect("settled", job.ResourceConfig?.InstanceCount);
    await logs.drained(job.TrainingEndTime?.getTime() ?? deps.clock.now());
    deps.pass("logs-drained");
    return { end, training, job };
  }
}

/** How many steps a predecessor told already: up to the last one of the phase in which the item stands. */
function stepsToldBefore(steps: readonly TrainingStep[], held: HeldItem): number {
  if (held.lease.state !== "CLAIMED") return 0;
  return steps.findLastIndex((step) => step.phase === held.lease.phase) + 1;
}

/** Waits for a stop request, then tells SageMaker, as often as it takes. */
async function obeyStop(deps: WatchDeps, held: HeldItem, jobName: string, signal: AbortSignal): Promise<void> {
  await aborted(held.stopped, signal);
  if (signal.aborted) return;
  const askedAt = deps.clock.now();
  if (deps.stopDelaySeconds > 0) {
    const by = held.stopRequestedBy === undefined ? "" : ` by ${held.stopRequestedBy}`;
    const message = `Stop asked for${by}; the code has ${deps.stopDelaySeconds} s to end by itself`;
    await deps.controlPlane.report(held, { kind: "stop_requested", message });
    await deps.clock.sleep(deps.stopDelaySeconds * 1000, signal);
  }
  for (let attempt = 1; ; attempt++) {
    if (held.mayAct()) {
      try {
        await stopTrainingJob(deps.aws.sagemaker, jobName);
        break;
      } catch (error) {
        const problem = classifyAwsError(error);
        deps.logger.warn({ item: held.id, job: jobName, code: problem.code }, "StopTrainingJob failed; trying again");
        if (attempt === 1) {
          const message = `SageMaker did not take the stop yet: ${problem.message}`;
          await deps.controlPlane.report(held, { kind: "warning", message });
        }
      }
    }
    await deps.clock.sleep(backoffDelay(attempt, { baseMs: 500, maxMs: 30_000 }, Math.random()), signal);
  }
  deps.pass("stop-sent");
  deps.watcher.nudge();
  const by = held.stopRequestedBy === undefined ? "" : `, asked for by ${held.stopRequestedBy}`;
  await deps.controlPlane.report(held, {
    phase: "stopping",
    kind: "stopping",
    message: `StopTrainingJob sent after ${seconds(deps.clock.now() - askedAt)}${by}`,
  });
}

interface LogReader {
  /** What the job's phase says of its logs: whether there can be any, how many nodes, and that some may come soon. */
  expect(phase: ItemPhase, nodes: number | undefined): void;
  /** Reads and stores until the signal is aborted. */
  run(): Promise<void>;
  /** Resolves when every line of a job that ended at this time is stored. */
  drained(endedAt: number): Promise<void>;
}

const PHASES_WITH_LOGS: ReadonlySet<ItemPhase> = new Set([
  "training",
  "interrupted",
  "uploading",
  "stopping",
  "settled",
]);

function createLogReader(deps: WatchDeps, held: HeldItem, jobName: string, signal: AbortSignal): LogReader {
  const { clock, logRate } = deps;
  let tail: LogTail | undefined;
  let newestLine = 0;
  let wake = () => {};
  let final: { endedAt: number; done: () => void } | undefined;
  let unreadable = false;

  async function poll(): Promise<number> {
    if (tail === undefined || unreadable) return 0;
    try {
      const lines = await tail.poll(signal);
      if (lines > 0) deps.pass("logs-stored");
      return lines;
    } catch (error) {
      if (signal.aborted || error instanceof SlipwayError || error instanceof Interrupted) throw error;
      const problem = classifyAwsError(error);
      if (problem.kind === "throttled") logRate.throttled();
      if (problem.passing) return -1;
      unreadable = true;
      deps.logger.warn({ item: held.id, job: jobName, code: problem.code }, "log lines cannot be read");
      const message = `Log lines cannot be read: ${problem.message}`;
      await deps.controlPlane.report(held, { kind: "warning", message });
      return 0;
    }
  }

  return {
    expect(phase, nodes) {
      if (!PHASES_WITH_LOGS.has(phase)) return;
      newestLine = clock.now();
      tail ??= createLogTail({
        logs: deps.aws.logs,
        jobName,
        nodes,
        cursors: held.lease.logCursors,
        clock,
        store: (batch) => deps.controlPlane.appendLogs(held, batch),
        allow: (one) => logRate.take(one),
      });
      wake();
    },
    async run() {
      while (!signal.aborted) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const ending = final;
        const asked = clock.now();
        const lines = await poll();
        if (lines > 0) newestLine = clock.now();
        // -1: AWS could not answer now. Lines that were written before the end may still be on their way.
        if (ending !== undefined && lines === 0 && asked - ending.endedAt >= LOG_SETTLE_MS) return ending.done();
        const idle = Math.min(LOG_SLOWEST_MS, Math.max(LOG_FASTEST_MS, (clock.now() - newestLine) / 10));
        if (tail === undefined) await Promise.race([woken, aborted(signal, signal)]);
        else await Promise.race([woken, clock.sleep(ending === undefined ? idle : LOG_FASTEST_MS, signal)]);
      }
    },
    async drained(endedAt) {
      const done = new Promise<void>((resolve) => {
        final = { endedAt, done: resolve };
      });
      wake();
      await Promise.race([done, aborted(signal, signal)]);
      signal.throwIfAborted();
    },
  };
}

/** Resolves when either signal is aborted. */
function aborted(one: AbortSignal, other: AbortSignal): Promise<void> {
  if (one.aborted || other.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      one.removeEventListener("abort", done);
      other.removeEventListener("abort", done);
      resolve();
    };
    one.addEventListener("abort", done);
    other.addEventListener("abort", done);
  });
}

interface Mailbox<T> {
  put(value: T): void;
  /** The newest value that was put; waits for one. Throws the signal's reason. */
  take(signal: AbortSignal): Promise<T>;
}

/** Holds the newest value only: a reader that was busy skips what is out of date. */
function createMailbox<T>(): Mailbox<T> {
  let waiting: { value: T } | undefined;
  let notify = () => {};
  return {
    put(value) {
      waiting = { value };
      notify();
    },
    async take(signal) {
      while (waiting === undefined) {
        signal.throwIfAborted();
        await new Promise<void>((resolve) => {
          notify = resolve;
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
      }
      const { value } = waiting;
      waiting = undefined;
      return value;
    },
  };
}
