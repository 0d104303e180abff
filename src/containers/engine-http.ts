import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Duplex, Readable } from "node:stream";
import { text } from "node:stream/consumers";

/** Where a container engine listens. */
export type EnginePlace = { readonly socketPath: string } | { readonly host: string; readonly port: number };

/** The engine answered, and not with success. */
export class EngineRefusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface EngineCall {
  /** Sent as JSON; a stream is sent as a tar archive, which may be compressed. */
  readonly body?: object | Readable;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Ends the call, also while its answer is read. */
  readonly signal?: AbortSignal;
}

export interface EngineRequest extends EngineCall {
  readonly method: string;
  /** With the version of the API in front, where there is one. */
  readonly path: string;
  readonly timeoutMs?: number;
  /** Given for TLS: the certificates. */
  readonly tls?: RequestOptions | undefined;
}

/**
 * One request to the HTTP API of a container engine, on a connection of its own: an engine may come and go. Answers with whatever
 * status, and with the raw connection where the engine agreed to an `Upgrade`. Rejects with what `unreachable` makes of the reason
 * when no answer comes, and with the signal's reason.
 */
export function askEngine(
  place: EnginePlace,
  request: EngineRequest,
  unreachable: (reason: string, cause: Error) => Error,
): Promise<{ readonly answer: IncomingMessage; readonly socket?: Duplex }> {
  const { method, path, body, headers, signal, timeoutMs, tls } = request;
  return new Promise((resolve, reject) => {
    const stream = body !== undefined && "pipe" in body ? (body as Readable) : undefined;
    const content = body === undefined || stream !== undefined ? undefined : Buffer.from(JSON.stringify(body));
    const outgoing = (tls === undefined ? httpRequest : httpsRequest)({
      ...place,
      ...tls,
      method,
      path,
      agent: false,
      headers: {
        host: "docker",
        ...(stream === undefined ? {} : { "content-type": "application/x-tar" }),
        ...(content === undefined ? {} : { "content-type": "application/json", "content-length": content.length }),
        ...(headers as Record<string, string | string[]>),
      },
      ...(signal === undefined ? {} : { signal }),
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error("no answer")));
    outgoing.on("error", (error) =>
      signal?.aborted ? reject(signal.reason) : reject(unreachable(error.message, error)),
    );
    outgoing.on("response", (answer) => resolve({ answer }));
    outgoing.on("upgrade", (answer, socket, head) => {
      // What the engine said already belongs to the new protocol.
      if (head.length > 0) socket.unshift(head);
      resolve({ answer, socket });
    });
    if (stream === undefined) outgoing.end(content);
    else stream.on("error", (error) => outgoing.destroy(error)).pipe(outgoing);
  });
}

/** Reads an answer without success to its end. */
export async function refusalOf(answer: IncomingMessage): Promise<EngineRefusal> {
  return new EngineRefusal(answer.statusCode ?? 0, messageOf(await text(answer)));
}

function messageOf(body: string): string {
  try {
    const { message } = JSON.parse(body) as { message?: string };
    if (typeof message === "string") return message;
  } catch {
    // Not JSON: the text itself.
  }
  return body.trim();
}

/** `?NAME=VALUE`, with objects as JSON. */
export function query(parameters: Readonly<Record<string, string | object>>): string {
  const entries = Object.entries(parameters).map(([name, value]): [string, string] => [
    name,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return `?${new URLSearchParams(entries)}`;
}
