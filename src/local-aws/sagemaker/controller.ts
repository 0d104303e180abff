import { mkdir, readdir } from "node:fs/promises";
import type { FinalMetric, TrainingJob } from "./job-store.ts";
import { STATUS_MESSAGES } from "./status-messages.ts";
import type { RunControl, TrainingDeps } from "./training-deps.ts";
import { removeJobDirectory, runTrainingJob } from "./training-run.ts";

/** Runs the training jobs of this local AWS. */
export interface TrainingController {
  /** Goes on with every job that has not ended, and clears away what ended ones left. */
  resume(): Promise<void>;
  start(job: TrainingJob): void;
  /** StopTrainingJob of a job that runs. */
  stop(name: string): void;
  /** Metrics of a running job so far. */
  metrics(name: string): readonly FinalMetric[] | undefined;
  /** Stops watching; the containers go on. */
  close(): Promise<void>;
}

export function createTrainingController(deps: TrainingDeps): TrainingController {
  const { jobs, clock } = deps;
  const abandon = new AbortController();
  const running = new Map<string, { control: RunControl; done: Promise<void> }>();

  const start = (job: TrainingJob) => {
    const control: RunControl = { stop: new AbortController(), abandon: abandon.signal };
    if (job.run.stop !== undefined) control.stop.abort(new Error("stopped"));
    const done = runTrainingJob(deps, job.name, control).finally(() => running.delete(job.name));
    running.set(job.name, { control, done });
  };

  return {
    async resume() {
      await mkdir(deps.jobsDir, { recursive: true });
      const unfinished = jobs.unfinished();
      const names = new Set(unfinished.map(({ name }) => name));
      for (const name of await readdir(deps.jobsDir)) if (!names.has(name)) await removeJobDirectory(deps, name);
      for (const job of unfinished) if (!running.has(job.name)) start(job);
    },
    start,
    stop(name) {
      const stop = jobs.get(name)?.run.stop ?? { cause: "stopped", at: clock.now() };
      jobs.update(
        name,
        { status: "Stopping", run: { stop } },
        { status: "Stopping", message: STATUS_MESSAGES.stopping },
      );
      running.get(name)?.control.stop.abort(new Error("stopped"));
    },
    metrics: (name) => running.get(name)?.control.metrics?.finals(),
    async close() {
      abandon.abort(new Error("the local AWS closes"));
      await Promise.all([...running.values()].map(({ done }) => done));
    },
  };
}
