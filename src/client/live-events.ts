import { SlipwayError } from "../core/errors/slipway-error.ts";
import { backoffDelay } from "./backoff.ts";
import { type Transport, unreachable } from "./client.ts";
import { parseSse } from "./sse.ts";

/** Which events to hear; exactly one of item, queue, entity and agent. */
export interface EventFilter {
  readonly item?: string;
  readonly queue?: string;
  readonly entity?: string;
  /** Events of the items that this agent holds. */
  readonly agent?: string;
  /** Sequence number to go on after; absent: from now. */
  readonly after?: string;
  readonly signal?: AbortSignal;
  /** Called when a connection ends and after how many ms the next is tried. */
  readonly onDisconnect?: (reason: string, retryMs: number) => void;
}

export interface LiveEvent {
  /** Grows; names where to go on. */
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
}

/** Without a byte for this long (the server sends a comment each 15 s) the connection counts as dead. */
const SILENCE_MS = 45_000;

/**
 * Events as they happen. A connection that ends is opened again (with backoff) from the last event that was seen, so
 * none is lost and none comes twice. Ends only when the signal is aborted; a refusal (401, 404, ...) throws.
 */
export async function* liveEvents(transport: Transport, filter: EventFilter): AsyncGenerator<LiveEvent> {
  let after = filter.after ?? "";
  let failures = 0;
  let retryMs: number | undefined;
  while (!filter.signal?.aborted) {
    const silence = watchdog(SILENCE_MS);
    const signal = filter.signal === undefined ? silence.signal : AbortSignal.any([filter.signal, silence.signal]);
    let reason = "the server ended the stream";
    try {
      const body = await open(transport, filter, after, signal);
      for await (const event of parseSse(alive(body, silence.touch), (ms) => (retryMs = ms))) {
        failures = 0;
        if (event.id !== "") after = event.id;
        yield { id: event.id, type: event.event, data: parseData(event.data) };
      }
    } catch (error) {
      if (filter.signal?.aborted) return;
      if (error instanceof SlipwayError && error.code !== "SERVER_UNREACHABLE") throw error;
      reason = error instanceof Error ? error.message : String(error);
    } finally {
      silence.stop();
    }
    failures++;
    const delay = backoffDelay(failures, { baseMs: retryMs ?? 500, maxMs: 10_000 }, transport.random());
    filter.onDisconnect?.(reason, delay);
    try {
      await transport.clock.sleep(delay, filter.signal);
    } catch {
      return;
    }
  }
}

async function open(
  transport: Transport,
  filter: EventFilter,
  after: string,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const query = new URLSearchParams();
  for (const name of ["item", "queue", "entity", "agent"] as const) {
    const value = filter[name];
    if (value !== undefined) query.set(name, value);
  }
  const url = `${transport.baseUrl}/events?${query}`;
  let response: Response;
  try {
    response = await transport.fetch(url, {
      headers: {
        ...transport.headers,
        accept: "text/event-stream",
        ...(after === "" ? {} : { "last-event-id": after }),
      },
      signal,
    });
  } catch (cause) {
    throw unreachable(transport.baseUrl, cause);
  }
  if (response.ok && response.body !== null) return chunks(response.body);
  await response.body?.cancel();
  if (response.status >= 500 || response.status === 429) {
    throw unreachable(transport.baseUrl, new Error(`HTTP ${response.status}`));
  }
  throw new SlipwayError("SERVER_ANSWER_INVALID", { values: { url, reason: `HTTP ${response.status}` } });
}

async function* chunks(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

async function* alive(body: AsyncIterable<Uint8Array>, touch: () => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    touch();
    yield chunk;
  }
}

function watchdog(ms: number): { signal: AbortSignal; touch(): void; stop(): void } {
  const controller = new AbortController();
  const expire = () => controller.abort(new Error("the stream fell silent"));
  let timer = setTimeout(expire, ms);
  return {
    signal: controller.signal,
    touch: () => {
      clearTimeout(timer);
      timer = setTimeout(expire, ms);
    },
    stop: () => clearTimeout(timer),
  };
}

function parseData(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
