import {
  type CloudWatchLogsClient,
  DescribeLogStreamsCommand,
  GetLogEventsCommand,
  type GetLogEventsCommandOutput,
} from "@aws-sdk/client-cloudwatch-logs";
import type { Clock } from "../core/clock.ts";
import { TRAINING_LOG_GROUP } from "../core/training/training-log-group.ts";
import { classifyAwsError } from "./aws-problem.ts";
import { advanceLogCursor, type LogCursor, readLogCursor, START, skipSeen, writeLogCursor } from "./log-cursor.ts";

export interface LogLine {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly text: string;
}

/** Lines of one node's stream, between two cursors. */
export interface LogBatch {
  /** `algo-1` */
  readonly node: string;
  readonly stream: string;
  readonly from: string;
  readonly to: string;
  readonly lines: readonly LogLine[];
}

export interface StoredCursor {
  readonly node: string;
  readonly stream: string;
  readonly cursor: string;
}

export interface LogTailOptions {
  readonly logs: CloudWatchLogsClient;
  readonly jobName: string;
  /** How many streams to expect (InstanceCount); undefined: unknown. */
  readonly nodes: number | undefined;
  readonly cursors: readonly StoredCursor[];
  readonly clock: Clock;
  /** Keeps a batch and answers what cursors are stored now. Throws if it could not: the batch is read again. */
  readonly store: (batch: LogBatch) => Promise<readonly StoredCursor[]>;
  /** Waits until another call to CloudWatch Logs is all right. */
  readonly allow: (signal?: AbortSignal) => Promise<void>;
}

export interface LogTail {
  /** Reads what is new of every node and stores it; answers the number of lines. Throws what AWS or the store threw. */
  poll(signal?: AbortSignal): Promise<number>;
}

interface Stream {
  readonly node: string;
  readonly name: string;
  /** As stored; `from` of the next batch. */
  stored: string;
  cursor: LogCursor;
}

/** New streams of a job whose nodes are all known appear only if SageMaker restarts them (spot). */
const REDISCOVER_MS = 30_000;
/** A page's lines; CloudWatch sends at most 1 MB in one page whatever the number. */
const PAGE_LINES = 2_000;

/** Reads the log streams `JOB/algo-N-EPOCH` of one job, every line exactly once over any number of restarts. */
export function createLogTail(options: LogTailOptions): LogTail {
  const { logs, clock } = options;
  const prefix = `${options.jobName}/`;
  const streams = new Map<string, Stream>();
  let discoveredAt = 0;
  for (const { node, stream, cursor } of options.cursors) {
    if (stream.startsWith(prefix))
      streams.set(stream, { node, name: stream, stored: cursor, cursor: readLogCursor(cursor) });
  }

  async function discover(signal?: AbortSignal): Promise<void> {
    const missing = options.nodes === undefined || streams.size < options.nodes;
    if (!missing && clock.now() - discoveredAt < REDISCOVER_MS) return;
    let token: string | undefined;
    do {
      await options.allow(signal);
      const page = await logs.send(
        new DescribeLogStreamsCommand({
          logGroupName: TRAINING_LOG_GROUP,
          logStreamNamePrefix: prefix,
          ...(token === undefined ? {} : { nextToken: token }),
        }),
        sendOptions(signal),
      );
      for (const { logStreamName: name } of page.logStreams ?? []) {
        if (name === undefined || streams.has(name)) continue;
        streams.set(name, { node: nodeOfStream(name), name, stored: "", cursor: START });
      }
      token = page.nextToken;
    } while (token !== undefined && token !== "");
    discoveredAt = clock.now();
  }

  async function drain(stream: Stream, signal?: AbortSignal): Promise<number> {
    let lines = 0;
    for (;;) {
      const { events, token } = await page(stream, signal);
      const to = advanceLogCursor(stream.cursor, events, token);
      if (events.length === 0) {
        // Nothing to store. A token that stands still means the end; one that moved may lead on (an empty page).
        const atEnd = token === stream.cursor.token;
        stream.cursor = to;
        if (atEnd) return lines;
        continue;
      }
      const stored = await options.store({
        node: stream.node,
        stream: stream.name,
        from: stream.stored,
        to: writeLogCursor(to),
        lines: events,
      });
      const now = stored.find((one) => one.stream === stream.name)?.cursor ?? writeLogCursor(to);
      stream.stored = now;
      stream.cursor = now === writeLogCursor(to) ? to : readLogCursor(now);
      lines += events.length;
    }
  }

  async function page(stream: Stream, signal?: AbortSignal): Promise<{ events: LogLine[]; token: string | undefined }> {
    const { token } = stream.cursor;
    if (token !== undefined) {
      try {
        const output = await read(stream, { nextToken: token }, signal);
        return { events: linesOf(output), token: output.nextForwardToken };
      } catch (error) {
        // The token has expired: go on by time.
        if (classifyAwsError(error).kind !== "validation") throw error;
      }
    }
    const since = stream.cursor.countAtLast === 0 ? {} : { startTime: stream.cursor.lastAt };
    const output = await read(stream, since, signal);
    return { events: skipSeen(stream.cursor, linesOf(output)), token: output.nextForwardToken };
  }

  async function read(
    stream: Stream,
    from: { nextToken?: string; startTime?: number },
    signal?: AbortSignal,
  ): Promise<GetLogEventsCommandOutput> {
    await options.allow(signal);
    return logs.send(
      new GetLogEventsCommand({
        logGroupName: TRAINING_LOG_GROUP,
        logStreamName: stream.name,
        startFromHead: true,
        limit: PAGE_LINES,
        ...from,
      }),
      sendOptions(signal),
    );
  }

  return {
    async poll(signal) {
      try {
        await discover(signal);
      } catch (error) {
        // No log group yet: no training job of this account has written a line so far.
        if (classifyAwsError(error).kind !== "not_found") throw error;
      }
      let lines = 0;
      for (const stream of streams.values()) lines += await drain(stream, signal);
      return lines;
    },
  };
}

function sendOptions(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}

function linesOf(output: GetLogEventsCommandOutput): LogLine[] {
  return (output.events ?? []).map(({ timestamp, message }) => ({ at: timestamp ?? 0, text: message ?? "" }));
}

/** `algo-1` of `JOB/algo-1-1700000000`. */
export function nodeOfStream(stream: string): string {
  const last = stream.slice(stream.lastIndexOf("/") + 1);
  return /^(.+?-\d+)-\d{6,}$/.exec(last)?.[1] ?? last;
}
