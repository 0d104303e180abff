/** One event of a text/event-stream. */
export interface SseEvent {
  /** The last id seen on the stream, "" before the first. */
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/**
 * Parses a text/event-stream (WHATWG HTML, "Server-sent events"): fields `id`, `event`, `data`; lines end with LF, CR
 * or CRLF; comments are skipped. `onRetry` gets the milliseconds of a `retry` field. Ends with the stream.
 */
export async function* parseSse(
  body: AsyncIterable<Uint8Array>,
  onRetry: (ms: number) => void = () => {},
): AsyncGenerator<SseEvent> {
  let id = "";
  let event = "";
  let data: string[] = [];
  for await (const line of lines(body)) {
    if (line === "") {
      if (data.length > 0) yield { id, event: event === "" ? "message" : event, data: data.join("\n") };
      event = "";
      data = [];
      continue;
    }
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") data.push(value);
    else if (field === "event") event = value;
    else if (field === "id" && !value.includes("\0")) id = value;
    else if (field === "retry" && /^\d+$/.test(value)) onRetry(Number(value));
  }
}

async function* lines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  let first = true;
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    if (first && rest.length > 0) {
      first = false;
      if (rest.startsWith("\uFEFF")) rest = rest.slice(1);
    }
    // A CR at the very end may be the first half of a CRLF: it waits for the next chunk.
    for (;;) {
      const match = /\r\n|\n|\r(?!$)/.exec(rest);
      if (match === null) break;
      yield rest.slice(0, match.index);
      rest = rest.slice(match.index + match[0].length);
    }
  }
}
