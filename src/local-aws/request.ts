import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { AwsError, type HttpRequest } from "./service.ts";

/** A request's head, and its body still on the wire. */
export interface Incoming {
  readonly method: string;
  readonly rawPath: string;
  /** Without `?`. */
  readonly rawQuery: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly host: string;
  readonly sourceIp: string;
  readonly requestId: string;
  readonly baseUrl: string;
  /** The body's bytes as sent. May be iterated once; leaving early leaves the connection usable for the answer. */
  readonly bytes: AsyncIterable<Buffer>;
}

const DEFAULT_BODY_LIMIT = 10 * 1024 * 1024;

/** Reads a request's head. `beforeBody` is called once, before the first byte of the body is read (100-continue). */
export function readHead(message: IncomingMessage, requestId: string, beforeBody: () => void): Incoming {
  const url = utf8(message.url ?? "/");
  // A proxy's absolute form (`GET http://host/path`) names the same resource.
  const target = url.startsWith("/") ? url : url.replace(/^[a-z]+:\/\/[^/?]*/i, "") || "/";
  const question = target.indexOf("?");
  const rawPath = question < 0 ? target : target.slice(0, question);
  const rawQuery = question < 0 ? "" : target.slice(question + 1);
  const headers = joinHeaders(message.rawHeaders);
  const host = headers.host ?? "";
  return {
    method: message.method ?? "GET",
    rawPath,
    rawQuery,
    query: new URLSearchParams(rawQuery),
    headers,
    host,
    sourceIp: (message.socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/, ""),
    requestId,
    baseUrl: `http://${host}`,
    bytes: readBytes(message, beforeBody),
  };
}

/** A request with a body: `bytes` is what the receiver shall see of it. */
export function withBody(incoming: Incoming, bytes: AsyncIterable<Buffer>): HttpRequest {
  const { method, rawPath, query, headers, host, sourceIp, requestId, baseUrl } = incoming;
  const body = Readable.from(bytes, { objectMode: false });
  return {
    method,
    rawPath,
    query,
    headers,
    host,
    sourceIp,
    requestId,
    baseUrl,
    body,
    readBody: (limit) => collect(body, limit),
  };
}

/** All bytes of a body. Throws RequestEntityTooLarge beyond `limit` bytes. */
export async function collect(bytes: AsyncIterable<Buffer>, limit = DEFAULT_BODY_LIMIT): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of bytes) {
    size += part.length;
    if (size > limit) {
      throw new AwsError("RequestEntityTooLarge", `The request body is larger than ${limit} bytes.`, 413);
    }
    parts.push(part);
  }
  return Buffer.concat(parts, size);
}

async function* readBytes(message: IncomingMessage, beforeBody: () => void): AsyncGenerator<Buffer, void, undefined> {
  beforeBody();
  // Leaving the loop early must not destroy the socket: the error still has to reach the client.
  yield* message.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
}

function joinHeaders(rawHeaders: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    const value = utf8(rawHeaders[index + 1]!);
    headers[name] = Object.hasOwn(headers, name) ? `${headers[name]},${value}` : value;
  }
  return headers;
}

/** Node gives the bytes of a head as Latin-1; clients write and sign UTF-8. */
function utf8(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: everything beyond ASCII
  return /[^\x00-\x7f]/.test(text) ? Buffer.from(text, "latin1").toString("utf8") : text;
}
