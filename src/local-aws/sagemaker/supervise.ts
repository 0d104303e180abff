import type { Clock } from "../../core/clock.ts";
import type { LogStore } from "../logs/log-store.ts";
import type { RunningContainer } from "../runtimes/runtime.ts";
import type { MetricReader } from "./metrics.ts";

/** The log group of all training jobs. */
export const LOG_GROUP = "/aws/sagemaker/TrainingJobs";

export interface HostContainer {
  readonly host: string;
  readonly container: RunningContainer;
}

/**
 * Waits for all containers of a job. When one fails, or `stop` is aborted, the others get SIGTERM and, `graceMs` later, SIGKILL.
 * Returns each host's exit code. `abandon` ends only the watching: it rejects and the containers go on.
 */
export async function superviseContainers(
  containers: readonly HostContainer[],
  options: {
    readonly clock: Clock;
    /** How long SIGTERM may be handled, in milliseconds, asked when it has been sent. */
    readonly graceMs: () => number;
    readonly stop: AbortSignal;
    readonly abandon: AbortSignal;
  },
): Promise<Record<string, number>> {
  const { clock, stop, abandon } = options;
  const failed = new AbortController();
  const allEnded = new AbortController();
  const exits: Record<string, number> = {};
  const waits = Promise.all(
    containers.map(async ({ host, container }) => {
      const { exitCode } = await container.wait(abandon);
      exits[host] = exitCode;
      if (exitCode !== 0) failed.abort();
    }),
  ).finally(() => allEnded.abort());

  const terminate = async () => {
    const end = AbortSignal.any([stop, failed.signal, allEnded.signal, abandon]);
    await aborted(end);
    if (allEnded.signal.aborted || abandon.aborted) return;
    const running = () => containers.filter(({ host }) => exits[host] === undefined);
    await Promise.all(running().map(({ container }) => container.signal("SIGTERM")));
    await clock.sleep(options.graceMs(), AbortSignal.any([allEnded.signal, abandon])).catch(() => {});
    if (abandon.aborted) return;
    await Promise.all(running().map(({ container }) => container.signal("SIGKILL")));
  };
  await Promise.all([waits, terminate()]);
  return exits;
}

/**
 * Copies a container's output into its log stream and shows every line to the metrics. Lines that an earlier process of the local AWS has
 * written already (as many as the stream holds: nobody else writes there) are only shown. Without a log store all of them are.
 */
export async function pumpLog(
  container: RunningContainer,
  logs: LogStore | undefined,
  stream: string,
  metrics: MetricReader,
  abandon: AbortSignal,
): Promise<void> {
  let written = logs?.stream(LOG_GROUP, stream)?.events ?? 0;
  let batch: { timestamp: number; message: string }[] = [];
  let scheduled = false;
  const flush = () => {
    scheduled = false;
    if (batch.length > 0 && !abandon.aborted) logs?.append(LOG_GROUP, stream, batch);
    batch = [];
  };
  for await (const { at, text } of container.output(abandon)) {
    // CloudWatch takes no empty events.
    if (text === "") continue;
    await metrics.read(text, at);
    if (written > 0) {
      written--;
      continue;
    }
    batch.push({ timestamp: at, message: text });
    if (!scheduled) {
      scheduled = true;
      // After all lines of this read have come: they make one append.
      setImmediate(flush);
    }
  }
  flush();
  await metrics.settled();
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
