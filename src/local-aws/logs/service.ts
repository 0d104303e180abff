import type { JsonObject, JsonValue } from "../../core/json.ts";
import { createJsonService } from "../json-protocol.ts";
import { AwsError, type AwsRequest, type AwsService, type LocalAwsContext } from "../service.ts";
import type { LogEvent, LogStore, LogStream } from "./log-store.ts";
import { GROUP_NAME, invalidParameter, readParameters, STREAM_NAME } from "./parameters.ts";
import { filterLogEvents, getLogEvents } from "./read-events.ts";

const MAX_BATCH_BYTES = 1_048_576;
const MAX_BATCH_EVENTS = 10_000;
const MAX_EVENT_BYTES = 256 * 1024;
const HOUR = 3_600_000;

/**
 * CloudWatch Logs: groups, streams and events. Names, limits, order and tokens by the API reference
 * (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/).
 */
export function createLogsService(context: LocalAwsContext, store: LogStore): AwsService {
  const { clock, accountId, region } = context;
  const groupArn = (name: string) => `arn:aws:logs:${region}:${accountId}:log-group:${name}`;

  const groupName = (input: JsonObject): string => {
    const parameters = readParameters(input);
    const name = parameters.string("logGroupName", GROUP_NAME);
    const identifier = parameters.string("logGroupIdentifier", { max: 2048 });
    if (name !== undefined && identifier !== undefined) {
      throw invalidParameter("LogGroupName and LogGroupIdentifier can not be used together.");
    }
    if (identifier !== undefined)
      return identifier.replace(/^arn:[^:]*:logs:[^:]*:[^:]*:log-group:/, "").replace(/:\*$/, "");
    return name ?? parameters.string("logGroupName", { required: true, ...GROUP_NAME })!;
  };
  const findGroup = (input: JsonObject): string => {
    const name = groupName(input);
    if (store.group(name) === undefined) throw notFound("The specified log group does not exist.");
    return name;
  };
  const findStream = (group: string, name: string): LogStream => {
    const stream = store.stream(group, name);
    if (stream === undefined) throw notFound("The specified log stream does not exist.");
    return stream;
  };
  const streamName = (input: JsonObject) =>
    readParameters(input).string("logStreamName", { required: true, ...STREAM_NAME })!;

  return createJsonService({
    scope: "logs",
    targetPrefix: "Logs_20140328",
    permissions: (operation, input, request) => [
      { action: `logs:${operation}`, resource: resourceOf(operation, input, request) },
    ],
    operations: {
      CreateLogGroup(input) {
        const name = readParameters(input).string("logGroupName", { required: true, ...GROUP_NAME })!;
        if (!store.createGroup(name)) throw exists("The specified log group already exists");
        return undefined;
      },
      CreateLogStream(input) {
        const group = findGroup(input);
        if (!store.createStream(group, streamName(input))) throw exists("The specified log stream already exists");
        return undefined;
      },
      DeleteLogGroup(input) {
        store.deleteGroup(findGroup(input));
        return undefined;
      },
      DeleteLogStream(input) {
        const group = findGroup(input);
        store.deleteStream(group, findStream(group, streamName(input)).name);
        return undefined;
      },
      DescribeLogGroups(input) {
        const parameters = readParameters(input);
        const prefix = parameters.string("logGroupNamePrefix", GROUP_NAME) ?? "";
        const pattern = parameters.string("logGroupNamePattern", GROUP_NAME)?.toLowerCase() ?? "";
        const groups = store
          .groups()
          .filter(({ name }) => name.startsWith(prefix) && name.toLowerCase().includes(pattern));
        const page = paginate(
          groups,
          (group) => group.name,
          parameters.integer("limit", { min: 1, max: 50 }) ?? 50,
          parameters.string("nextToken"),
        );
        return {
          logGroups: page.items.map(({ name, createdAt }) => ({
            logGroupName: name,
            creationTime: createdAt,
            metricFilterCount: 0,
            arn: `${groupArn(name)}:*`,
            storedBytes: store.groupBytes(name),
            logGroupClass: "STANDARD",
            logGroupArn: groupArn(name),
          })),
          ...page.next,
        };
      },
      DescribeLogStreams(input) {
        const group = findGroup(input);
        const parameters = readParameters(input);
        const prefix = parameters.string("logStreamNamePrefix", STREAM_NAME);
        const orderBy = parameters.string("orderBy") ?? "LogStreamName";
        if (orderBy !== "LogStreamName" && orderBy !== "LastEventTime") {
          throw invalidParameter(
            `1 validation error detected: Value '${orderBy}' at 'orderBy' failed to satisfy constraint: Member must satisfy enum value set: [LogStreamName, LastEventTime]`,
          );
        }
        if (orderBy === "LastEventTime" && prefix !== undefined) {
          throw invalidParameter("Cannot order by LastEventTime with a logStreamNamePrefix.");
        }
        const streams = store.streams(group).filter(({ name }) => name.startsWith(prefix ?? ""));
        const byTime = (stream: LogStream) => String(stream.lastTimestamp ?? stream.createdAt).padStart(16, "0");
        const key = (stream: LogStream) =>
          orderBy === "LastEventTime" ? `${byTime(stream)} ${stream.name}` : stream.name;
        streams.sort((a, b) => compare(key(a), key(b)));
        const descending = parameters.boolean("descending");
        if (descending) streams.reverse();
        const limit = parameters.integer("limit", { min: 1, max: 50 }) ?? 50;
        const page = paginate(streams, key, limit, parameters.string("nextToken"), descending);
        return {
          logStreams: page.items.map((stream) => ({
            logStreamName: stream.name,
            creationTime: stream.createdAt,
            ...(stream.events > 0
              ? {
                  firstEventTimestamp: stream.firstTimestamp,
                  lastEventTimestamp: stream.lastTimestamp,
                  lastIngestionTime: stream.lastIngestion,
                }
              : {}),
            uploadSequenceToken: sequenceToken(stream),
            arn: `${groupArn(group)}:log-stream:${stream.name}`,
            storedBytes: 0,
          })),
          ...page.next,
        };
      },
      PutLogEvents(input) {
        const group = findGroup(input);
        const stream = findStream(group, streamName(input));
        const { events, rejected } = readBatch(input.logEvents, clock.now());
        store.append(group, stream.name, events);
        return {
          nextSequenceToken: sequenceToken(findStream(group, stream.name)),
          ...(Object.keys(rejected).length > 0 ? { rejectedLogEventsInfo: rejected } : {}),
        };
      },
      GetLogEvents: (input) => getLogEvents(store, findGroup(input), findStream, input),
      FilterLogEvents: (input) => filterLogEvents(store, findGroup(input), findStream, input),
    },
    close: async () => store.close(),
  });

  /** Log-stream operations act on the stream, the rest on the group (Service Authorization Reference, CloudWatch Logs). */
  function resourceOf(operation: string, input: JsonObject, request: AwsRequest): string {
    const arn = (name: string) => `arn:aws:logs:${request.region}:${request.accountId}:log-group:${name}`;
    const named = input.logGroupName ?? input.logGroupIdentifier;
    if (typeof named !== "string") return `${arn("")}:log-stream:`;
    const group = named.replace(/^arn:[^:]*:logs:[^:]*:[^:]*:log-group:/, "").replace(/:\*$/, "");
    const stream = input.logStreamName;
    const onStream = operation === "PutLogEvents" || operation === "GetLogEvents" || operation === "DeleteLogStream";
    return onStream && typeof stream === "string" ? `${arn(group)}:log-stream:${stream}` : `${arn(group)}:log-stream:`;
  }
}

function readBatch(
  value: JsonValue | undefined,
  now: number,
): { events: LogEvent[]; rejected: Record<string, number> } {
  if (!Array.isArray(value) || value.length < 1) {
    throw invalidParameter(
      "1 validation error detected: Value '[]' at 'logEvents' failed to satisfy constraint: Member must have length greater than or equal to 1",
    );
  }
  const items = value as readonly JsonObject[];
  if (items.length > MAX_BATCH_EVENTS) {
    throw invalidParameter(
      `1 validation error detected: Value at 'logEvents' failed to satisfy constraint: Member must have length less than or equal to ${MAX_BATCH_EVENTS}`,
    );
  }
  let bytes = 0;
  let previous = 0;
  const rejected: Record<string, number> = {};
  const events: LogEvent[] = [];
  items.forEach((item, index) => {
    const timestamp = item?.timestamp;
    const message = item?.message;
    if (typeof timestamp !== "number" || typeof message !== "string" || message === "") {
      throw invalidParameter(
        `1 validation error detected: Value at 'logEvents.${index + 1}.member' failed to satisfy constraint: Member must not be null`,
      );
    }
    const size = Buffer.byteLength(message) + 26;
    if (size > MAX_EVENT_BYTES)
      throw invalidParameter(`Log event too large: ${size} bytes exceeds limit of ${MAX_EVENT_BYTES}`);
    bytes += size;
    if (timestamp < previous) {
      throw invalidParameter("Log events in a single PutLogEvents request must be in chronological order.");
    }
    previous = timestamp;
    if (timestamp < now - 14 * 24 * HOUR) rejected.tooOldLogEventEndIndex = index + 1;
    else if (timestamp > now + 2 * HOUR) rejected.tooNewLogEventStartIndex ??= index;
    else events.push({ timestamp, message });
  });
  if (bytes > MAX_BATCH_BYTES)
    throw invalidParameter(`Upload too large: ${bytes} bytes exceeds limit of ${MAX_BATCH_BYTES}`);
  return { events, rejected };
}

/** A page of a sorted list; the token carries the sort key of the last item given, so that a list may change between pages. */
function paginate<T>(
  items: readonly T[],
  key: (item: T) => string,
  limit: number,
  token: string | undefined,
  descending = false,
) {
  const after = token === undefined ? undefined : Buffer.from(token, "base64url").toString("utf8");
  const rest =
    after === undefined
      ? items
      : items.filter((item) => (descending ? compare(key(item), after) < 0 : compare(key(item), after) > 0));
  const page = rest.slice(0, limit);
  const next = rest.length > limit ? { nextToken: Buffer.from(key(page.at(-1)!)).toString("base64url") } : {};
  return { items: page, next };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Sequence tokens are given but no longer asked for (since January 2023). */
function sequenceToken(stream: LogStream): string {
  return String(stream.id).padStart(20, "4") + String(stream.events).padStart(36, "0");
}

function notFound(message: string): AwsError {
  return new AwsError("ResourceNotFoundException", message);
}

function exists(message: string): AwsError {
  return new AwsError("ResourceAlreadyExistsException", message);
}
