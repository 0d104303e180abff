import type { Clock } from "../core/clock.ts";
import { systemClock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { type Artifacts, createArtifacts } from "./artifacts.ts";
import { type Backoff, backoffDelay, retryAfterMs } from "./backoff.ts";
import { type CodeArchives, createCodeArchives } from "./code-archives.ts";
import { errorOfBody, networkReason } from "./errors.ts";
import type { TypedDocumentString } from "./generated/operations.ts";
import { type EventFilter, type LiveEvent, liveEvents } from "./live-events.ts";

export interface ClientOptions {
  /** The server's address, with or without a trailing slash: `http://127.0.0.1:8080`. */
  readonly baseUrl: string;
  readonly apiKey?: string;
  readonly fetch?: typeof globalThis.fetch;
  readonly clock?: Clock;
  /** In [0, 1); spreads retries. */
  readonly random?: () => number;
  readonly userAgent?: string;
  /** Tries of an idempotent request, the first included. Default 4. */
  readonly attempts?: number;
  readonly backoff?: Backoff;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
  /** How long one try may take, in milliseconds. Default 30 000. */
  readonly timeoutMs?: number;
  readonly attempts?: number;
}

export interface Client {
  readonly baseUrl: string;
  /**
   * Runs one operation. Network errors, 5xx and 429 are tried again with backoff where doing the operation twice is
   * the same as doing it once; throws SlipwayError with the server's code, or SERVER_UNREACHABLE.
   */
  request<Result, Variables>(
    document: TypedDocumentString<Result, Variables>,
    variables: Variables,
    options?: RequestOptions,
  ): Promise<Result>;
  /** Live events, for ever, over reconnects; ends when the signal is aborted. */
  events(filter: EventFilter): AsyncIterable<LiveEvent>;
  readonly code: CodeArchives;
  readonly artifacts: Artifacts;
}

/** What the parts of the client share: who to call, as whom, and how. */
export interface Transport {
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly fetch: typeof globalThis.fetch;
  readonly clock: Clock;
  readonly random: () => number;
  readonly backoff: Backoff;
}

/**
 * Mutations that may be sent twice: they name what they want to be true (or a lease, an attempt and a cursor), not
 * one more of something. Everything else is sent once, unless the server said that it did nothing (429, 503).
 */
const IDEMPOTENT_MUTATIONS = new Set([
  "UpsertQueue",
  "PlainUpsertQueue",
  "DeleteQueues",
  "DeleteItem",
  "StopItem",
  "StopAgent",
  "AgentStatus",
  "RenewLeases",
  "ReportItem",
  "AcknowledgeItem",
  "AppendItemLogs",
  "SettleItem",
  "ReleaseItems",
  // An artifact is named by the caller's own id for it; a manifest too many is never committed.
  "EnsureProject",
  "BeginHiddenRun",
  "CreateArtifactVersion",
  "CreateManifest",
  "CreateManifestToUpload",
  "CreateArtifactUploads",
  "CommitArtifactVersion",
  "UpdateArtifactVersion",
]);

const DEFAULT_TIMEOUT_MS = 30_000;

/** A client of the API at `baseUrl`. It keeps no state, so one serves any number of concurrent callers. */
export function createClient(options: ClientOptions): Client {
  const transport = transportOf(options);
  const attemptsByDefault = options.attempts ?? 4;
  const request: Client["request"] = (document, variables, options = {}) =>
    execute(transport, document.toString(), variables, { attempts: attemptsByDefault, ...options });
  return {
    baseUrl: transport.baseUrl,
    request,
    artifacts: createArtifacts(transport, request),
    events: (filter) => liveEvents(transport, filter),
    code: createCodeArchives(transport),
  };
}

function transportOf(options: ClientOptions): Transport {
  return {
    baseUrl: options.baseUrl.replace(/\/+$/, ""),
    headers: {
      ...(options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` }),
      ...(options.userAgent === undefined ? {} : { "user-agent": options.userAgent }),
    },
    fetch: options.fetch ?? globalThis.fetch.bind(globalThis),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    backoff: options.backoff ?? { baseMs: 200, maxMs: 5_000 },
  };
}

async function execute<Result>(
  transport: Transport,
  query: string,
  variables: unknown,
  options: RequestOptions & { attempts: number },
): Promise<Result> {
  const { kind, name } = operationOf(query);
  const repeatable = kind === "query" || IDEMPOTENT_MUTATIONS.has(name);
  const body = JSON.stringify({ query, variables, operationName: name });
  for (let attempt = 1; ; attempt++) {
    const outcome = await once<Result>(transport, body, options);
    if ("data" in outcome) return outcome.data;
    const again = outcome.untouched || (repeatable && outcome.transient);
    if (!again || attempt >= options.attempts) throw outcome.error;
    const delay = outcome.retryAfter ?? backoffDelay(attempt, transport.backoff, transport.random());
    await transport.clock.sleep(delay, options.signal);
  }
}

/** The operation's kind and name, read from its text. */
function operationOf(query: string): { kind: string; name: string } {
  const match = /\b(query|mutation)\s+(\w+)/.exec(query);
  if (match === null) throw new Error("An operation must have a name");
  return { kind: match[1] as string, name: match[2] as string };
}

/** `transient`: trying again may help. `untouched`: the server says that it did nothing. */
type Outcome<Result> =
  | { data: Result }
  | { error: SlipwayError; transient: boolean; untouched: boolean; retryAfter?: number };

async function once<Result>(transport: Transport, body: string, options: RequestOptions): Promise<Outcome<Result>> {
  const limit = timeLimit(options.timeoutMs ?? DEFAULT_TIMEOUT_MS, options.signal);
  try {
    const response = await transport.fetch(`${transport.baseUrl}/graphql`, {
      method: "POST",
      headers: { ...transport.headers, "content-type": "application/json", accept: "application/json" },
      body,
      signal: limit.signal,
    });
    return read<Result>(transport, response, await response.text());
  } catch (cause) {
    if (options.signal?.aborted) throw options.signal.reason;
    return { error: unreachable(transport.baseUrl, cause), transient: true, untouched: false };
  } finally {
    limit.clear();
  }
}

/**
 * A signal that is aborted after `ms` or with the given one. Not AbortSignal.any: on Node 20 every signal made by it
 * leaves an entry in a long-lived source, and an agent makes thousands a day.
 */
function timeLimit(ms: number, signal: AbortSignal | undefined): { signal: AbortSignal; clear(): void } {
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  const timer = setTimeout(() => controller.abort(new DOMException("no answer in time", "TimeoutError")), ms);
  return {
    signal: controller.signal,
    clear: () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    },
  };
}

function read<Result>(transport: Transport, response: Response, text: string): Outcome<Result> {
  const { status } = response;
  const transient = status >= 500 || status === 429;
  const retryAfter = retryAfterMs(response.headers.get("retry-after"), transport.clock.now());
  const timing = {
    transient,
    untouched: status === 429,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  };
  const answer = parse(text);
  const told = errorOfBody(answer);
  if (told !== undefined) return { error: told, ...timing };
  if (status === 401 || status === 403) {
    return { error: new SlipwayError("NOT_LOGGED_IN", { values: { url: transport.baseUrl } }), ...timing };
  }
  if (response.ok && answer?.data !== undefined && answer.data !== null) return { data: answer.data as Result };
  const reason = `HTTP ${status}${answer === undefined ? ", not JSON" : ", no data"}`;
  const error = transient
    ? unreachable(transport.baseUrl, new Error(reason))
    : new SlipwayError("SERVER_ANSWER_INVALID", { values: { url: transport.baseUrl, reason } });
  return { error, ...timing };
}

function parse(text: string): { data?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** SERVER_UNREACHABLE with the reason in a word or two. */
export function unreachable(url: string, cause: unknown): SlipwayError {
  return new SlipwayError("SERVER_UNREACHABLE", { values: { url, reason: networkReason(cause) }, cause });
}
