import type { JsonObject } from "../../core/json.ts";
import { compileFilterPattern } from "./filter-pattern.ts";
import { comparePositions, type LogPosition, type LogStore, type LogStream, type StoredLogEvent } from "./log-store.ts";
import { invalidParameter, readParameters, STREAM_NAME } from "./parameters.ts";

/** One answer carries at most 1 MB, counted as the message's bytes plus 26 each (API reference, quotas). */
const MAX_ANSWER_BYTES = 1024 * 1024;
const MAX_EVENTS = 10_000;
/** FilterLogEvents looks through so many bytes for one answer, which may then be empty and carry a token, as the service's may. */
const MAX_SEARCHED_BYTES = 4 * 1024 * 1024;
/** Events that are matched at a stretch. */
const BATCH = 1000;

/** Finds a stream of a group. Throws ResourceNotFoundException. */
type FindStream = (group: string, name: string) => LogStream;

/**
 * GetLogEvents. Without a token the latest events (or the first, with startFromHead), always in the order of time. The forward token
 * stands after the last event given and stays the same when nothing new has come; the backward token before the first.
 */
export function getLogEvents(store: LogStore, group: string, findStream: FindStream, input: JsonObject): object {
  const parameters = readParameters(input);
  const stream = findStream(group, parameters.string("logStreamName", { required: true, ...STREAM_NAME })!);
  const startTime = parameters.integer("startTime", { min: 0 }) ?? 0;
  const endTime = parameters.integer("endTime", { min: 0 }) ?? Number.MAX_SAFE_INTEGER;
  const limit = parameters.integer("limit", { min: 1, max: MAX_EVENTS }) ?? MAX_EVENTS;
  const token = parameters.string("nextToken");
  const place = token === undefined ? undefined : parseToken(token);
  const forward = place === undefined ? parameters.boolean("startFromHead") : place.direction === "f";

  const found: StoredLogEvent[] = [];
  let bytes = 0;
  const before = (position: LogPosition | undefined): LogPosition =>
    position === undefined || position.timestamp > endTime ? { timestamp: endTime, ordinal: 0 } : position;
  const after = (position: LogPosition | undefined): LogPosition =>
    position === undefined || position.timestamp < startTime ? { timestamp: startTime, ordinal: 0 } : position;
  for (const event of forward
    ? store.read(stream, "forward", after(place?.position))
    : store.read(stream, "backward", before(place?.position))) {
    if (
      forward ? event.timestamp >= endTime && stream.ordered === 1 : event.timestamp < startTime && stream.ordered === 1
    )
      break;
    if (event.timestamp < startTime || event.timestamp >= endTime) continue;
    bytes += Buffer.byteLength(event.message) + 26;
    if (found.length === limit || (bytes > MAX_ANSWER_BYTES && found.length > 0)) break;
    found.push(event);
  }
  if (!forward) found.reverse();
  const first = found[0];
  const last = found.at(-1);
  const here = place?.position ?? (forward ? START : lastPosition(store, stream));
  return {
    events: found.map(({ timestamp, message, ingestionTime }) => ({ timestamp, message, ingestionTime })),
    nextForwardToken: forwardToken(
      last ?? (place?.direction === "b" ? { ...here, ordinal: Math.max(0, here.ordinal - 1) } : here),
    ),
    nextBackwardToken: backwardToken(
      first ?? (place?.direction === "b" ? here : { ...here, ordinal: here.ordinal + 1 }),
    ),
  };
}

/** FilterLogEvents: the events of all or some streams of a group, mixed in the order of time. */
export function filterLogEvents(store: LogStore, group: string, findStream: FindStream, input: JsonObject): object {
  const parameters = readParameters(input);
  const names = parameters.strings("logStreamNames", 100);
  const prefix = parameters.string("logStreamNamePrefix", STREAM_NAME);
  if (names !== undefined && prefix !== undefined) {
    throw invalidParameter("LogStreamNames and LogStreamNamePrefix parameters can not be used together.");
  }
  const startTime = parameters.integer("startTime", { min: 0 }) ?? 0;
  const endTime = parameters.integer("endTime", { min: 0 }) ?? Number.MAX_SAFE_INTEGER;
  const limit = parameters.integer("limit", { min: 1, max: MAX_EVENTS }) ?? MAX_EVENTS;
  const matching = compileFilterPattern(parameters.string("filterPattern", { max: 1024 }) ?? "");
  const token = parameters.string("nextToken");
  const resume = token === undefined ? undefined : parseFilterToken(token);

  const streams = (
    names?.map((name) => findStream(group, name)) ??
    store.streams(group).filter((stream) => stream.name.startsWith(prefix ?? ""))
  ).filter((stream) => stream.events > 0 && stream.lastTimestamp! >= startTime && stream.firstTimestamp! <= endTime);
  const events = inOrder(store, streams, Math.max(startTime, resume?.position.timestamp ?? 0));
  const answer: object[] = [];
  let bytes = 0;
  let searched = 0;
  let last: { position: LogPosition; stream: number } | undefined;
  let more = false;
  for (let ended = false; !ended && !more; ) {
    const batch: { event: StoredLogEvent; stream: LogStream }[] = [];
    while (batch.length < BATCH) {
      const next = events.next();
      ended = next.done === true || next.value.event.timestamp > endTime;
      if (next.done === true || ended) break;
      const { event, stream } = next.value;
      if (resume === undefined || compareToResume(event, stream.id, resume) > 0) batch.push(next.value);
    }
    const wanted = matching(batch.map(({ event }) => event.message));
    for (const [index, { event, stream }] of batch.entries()) {
      const size = Buffer.byteLength(event.message) + 26;
      const full = wanted[index] && (answer.length === limit || (bytes + size > MAX_ANSWER_BYTES && answer.length > 0));
      more = full === true || searched > MAX_SEARCHED_BYTES;
      if (more) break;
      searched += size;
      last = { position: event, stream: stream.id };
      if (!wanted[index]) continue;
      bytes += size;
      answer.push({
        logStreamName: stream.name,
        timestamp: event.timestamp,
        message: event.message,
        ingestionTime: event.ingestionTime,
        eventId: digits(event.timestamp, 20) + digits(stream.id, 12) + digits(event.ordinal, 24),
      });
    }
  }
  return {
    events: answer,
    searchedLogStreams: [],
    ...(more && last !== undefined
      ? {
          nextToken: Buffer.from(`${last.position.timestamp}.${last.stream}.${last.position.ordinal}`).toString(
            "base64url",
          ),
        }
      : {}),
  };
}

/** The events of several streams from a time on, mixed in the order of time. */
function* inOrder(
  store: LogStore,
  streams: readonly LogStream[],
  from: number,
): Generator<{ event: StoredLogEvent; stream: LogStream }> {
  const sources = streams.map((stream) => {
    const events = store.read(stream, "forward", { timestamp: from, ordinal: 0 });
    return { stream, events, head: events.next() };
  });
  for (;;) {
    let next: (typeof sources)[number] | undefined;
    for (const source of sources) {
      if (source.head.done === true) continue;
      if (next === undefined || compareAcross(source.head.value, source.stream, next.head.value!, next.stream) < 0)
        next = source;
    }
    if (next === undefined) return;
    yield { event: next.head.value as StoredLogEvent, stream: next.stream };
    next.head = next.events.next();
  }
}

const START: LogPosition = { timestamp: 0, ordinal: 0 };

function lastPosition(store: LogStore, stream: LogStream): LogPosition {
  const last = store.read(stream, "backward").next();
  return last.done === true ? START : last.value;
}

function compareAcross(a: StoredLogEvent, ofA: LogStream, b: StoredLogEvent, ofB: LogStream): number {
  return a.timestamp - b.timestamp || ofA.id - ofB.id || comparePositions(a, b);
}

function compareToResume(
  event: StoredLogEvent,
  stream: number,
  resume: { position: LogPosition; stream: number },
): number {
  return (
    event.timestamp - resume.position.timestamp || stream - resume.stream || event.ordinal - resume.position.ordinal
  );
}

function digits(value: number, width: number): string {
  return String(value).padStart(width, "0");
}

// 56 digits between "f/" or "b/" and "/s", as the service's own tokens have them.
function forwardToken(position: LogPosition): string {
  return `f/${digits(position.timestamp, 20)}${digits(position.ordinal, 36)}/s`;
}

function backwardToken(position: LogPosition): string {
  return `b/${digits(position.timestamp, 20)}${digits(position.ordinal, 36)}/s`;
}

function parseToken(token: string): { direction: "f" | "b"; position: LogPosition } {
  const match = /^([fb])\/(\d{20})(\d{36})(?:\/s)?$/.exec(token);
  if (match === null) throw invalidParameter("The specified nextToken is invalid.");
  return { direction: match[1] as "f" | "b", position: { timestamp: Number(match[2]), ordinal: Number(match[3]) } };
}

function parseFilterToken(token: string): { position: LogPosition; stream: number } {
  const match = /^(\d+)\.(\d+)\.(\d+)$/.exec(Buffer.from(token, "base64url").toString("utf8"));
  if (match === null) throw invalidParameter("The specified nextToken is invalid.");
  return { position: { timestamp: Number(match[1]), ordinal: Number(match[3]) }, stream: Number(match[2]) };
}
