import {
  type DescribeTrainingJobResponse,
  ListTrainingJobsCommand,
  type SageMakerClient,
  type TrainingJobSummary,
} from "@aws-sdk/client-sagemaker";
import type { Clock } from "../core/clock.ts";
import { type AwsProblem, classifyAwsError } from "./aws-problem.ts";
import { describeTrainingJob } from "./submit.ts";
import { createSweepPace } from "./sweep-pace.ts";

export interface WatchedJob {
  readonly name: string;
  /** A fresh answer of DescribeTrainingJob; undefined: there is no such job. */
  onReading(job: DescribeTrainingJobResponse | undefined): void;
}

export interface TrainingWatcher {
  /** Watches a job from now on: it is described at once, then whenever it moves. Answers how to end the watch. */
  watch(job: WatchedJob): () => void;
  /** Something is about to change (a stop was asked for): look often again. */
  nudge(): void;
  /** Watches until the signal is aborted; never throws. */
  run(signal: AbortSignal): Promise<void>;
  /** What keeps the watcher from seeing anything now; undefined if all is well. */
  problem(): AwsProblem | undefined;
}

export interface WatcherOptions {
  readonly sagemaker: SageMakerClient;
  readonly clock: Clock;
  /** Trouble that keeps the jobs out of sight began (at the second failure in a row), or ended (undefined). */
  readonly onProblem?: (problem: AwsProblem | undefined) => void;
}

interface Watched {
  readonly job: WatchedJob;
  due: boolean;
  describedAt: number;
  /** As of the last Describe. */
  moved: number | undefined;
  status: string | undefined;
  secondaryStatus: string | undefined;
}

/** A list answer may lag behind: what moved this shortly before the newest move seen is read again. */
const OVERLAP_MS = 5_000;
/** A job that no list named for this long is described all the same. */
const UNSEEN_MS = 300_000;
const DESCRIBES_AT_A_TIME = 4;

/**
 * One watcher for all jobs of an agent: a ListTrainingJobs sweep of what moved since the newest move seen, and
 * DescribeTrainingJob only for those of ours that did. The cost of a quiet agent does not grow with its jobs.
 */
export function createTrainingWatcher(options: WatcherOptions): TrainingWatcher {
  const { sagemaker, clock } = options;
  const jobs = new Map<string, Watched>();
  const pace = createSweepPace(clock.now());
  let newestMove = 0;
  let problem: AwsProblem | undefined;
  let failures = 0;
  let told = false;
  let wake = () => {};

  const nudge = () => {
    pace.moved(clock.now());
    wake();
  };

  function seen(next: AwsProblem | undefined): void {
    problem = next;
    if (next?.kind === "throttled") {
      pace.throttled();
      return;
    }
    failures = next === undefined ? 0 : failures + 1;
    if (failures === 2 && !told) {
      told = true;
      options.onProblem?.(next);
    } else if (failures === 0 && told) {
      told = false;
      options.onProblem?.(undefined);
    }
  }

  async function sweep(signal: AbortSignal): Promise<void> {
    // A job just added is described anyway; a list is needed only for those that stand still as far as we know.
    if ([...jobs.values()].some((watched) => !watched.due)) await list(signal);
    const due = [...jobs.values()].filter((one) => one.due || clock.now() - one.describedAt > UNSEEN_MS);
    await inParallel(due, DESCRIBES_AT_A_TIME, (watched) => describe(watched, signal));
  }

  async function list(signal: AbortSignal): Promise<void> {
    const after = newestMove === 0 ? {} : { LastModifiedTimeAfter: new Date(newestMove - OVERLAP_MS) };
    let token: string | undefined;
    let newest = newestMove;
    do {
      const page = await sagemaker.send(
        new ListTrainingJobsCommand({
          ...after,
          MaxResults: 100,
          ...(token === undefined ? {} : { NextToken: token }),
        }),
        { abortSignal: signal },
      );
      for (const summary of page.TrainingJobSummaries ?? []) {
        newest = Math.max(newest, summary.LastModifiedTime?.getTime() ?? 0);
        const watched = jobs.get(summary.TrainingJobName ?? "");
        if (watched !== undefined && hasMoved(watched, summary)) watched.due = true;
      }
      token = page.NextToken;
    } while (token !== undefined && token !== "");
    newestMove = newest;
  }

  async function describe(watched: Watched, signal: AbortSignal): Promise<void> {
    const { name } = watched.job;
    const job = await describeTrainingJob(sagemaker, name, signal);
    if (jobs.get(name) !== watched) return;
    const first = watched.describedAt === 0;
    const moved = job?.LastModifiedTime?.getTime();
    if (first || moved !== watched.moved || job?.SecondaryStatus !== watched.secondaryStatus) pace.moved(clock.now());
    newestMove = Math.max(newestMove, moved ?? 0);
    Object.assign(watched, {
      due: false,
      describedAt: clock.now(),
      moved,
      status: job?.TrainingJobStatus,
      secondaryStatus: job?.SecondaryStatus,
    });
    watched.job.onReading(job);
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      if (jobs.size > 0) {
        try {
          await sweep(signal);
          pace.succeeded();
          seen(undefined);
        } catch (error) {
          if (signal.aborted) return;
          seen(classifyAwsError(error));
        }
      }
      await pause(clock, jobs.size === 0 ? undefined : pace.interval(clock.now()), woken, signal);
    }
  }

  return {
    watch(job) {
      const watched: Watched = {
        job,
        due: true,
        describedAt: 0,
        moved: undefined,
        status: undefined,
        secondaryStatus: undefined,
      };
      jobs.set(job.name, watched);
      nudge();
      return () => {
        if (jobs.get(job.name) === watched) jobs.delete(job.name);
      };
    },
    nudge,
    run,
    problem: () => problem,
  };
}

function hasMoved(watched: Watched, summary: TrainingJobSummary): boolean {
  return (
    summary.LastModifiedTime?.getTime() !== watched.moved ||
    summary.TrainingJobStatus !== watched.status ||
    // Older answers of the API have no secondary status in the list.
    (summary.SecondaryStatus !== undefined && summary.SecondaryStatus !== watched.secondaryStatus)
  );
}

/** Waits for the time (undefined: without end), the wake or the signal, whichever is first. */
async function pause(clock: Clock, ms: number | undefined, woken: Promise<void>, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const stop = () => done.abort();
  if (signal.aborted) return;
  signal.addEventListener("abort", stop, { once: true });
  const stopped = new Promise<void>((resolve) =>
    done.signal.addEventListener("abort", () => resolve(), { once: true }),
  );
  const slept = ms === undefined ? stopped : clock.sleep(ms, done.signal).catch(() => {});
  await Promise.race([slept, woken, stopped]);
  signal.removeEventListener("abort", stop);
  done.abort();
}

async function inParallel<T>(items: readonly T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
}
