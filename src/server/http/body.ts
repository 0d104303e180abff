import { Readable } from "node:stream";
import type { ReadableStream as WebStream } from "node:stream/web";
import { createGunzip, createInflate } from "node:zlib";
import type { Context } from "hono";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { AppEnv } from "./env.ts";

/** A size in bytes, and the setting that raises it. */
export interface BodyLimit {
  readonly bytes: number;
  readonly setting: string;
}

/** Refuses a body whose announced length is above the limit; one that announces none is counted as it is read. */
export function refuseLongBody(context: Context<AppEnv>, limit: BodyLimit): void {
  if (Number(context.req.header("content-length") ?? 0) > limit.bytes) throw tooLarge(limit);
}

/** The body as a stream; an absent one is empty. */
export function bodyStream(context: Context<AppEnv>): Readable {
  const { body } = context.req.raw;
  return body === null ? Readable.from([]) : Readable.fromWeb(body as WebStream);
}

/** The body as a JSON object; BODY_TOO_LARGE, or REQUEST_INVALID if it is none. */
export async function bodyObject(context: Context<AppEnv>, limit: BodyLimit): Promise<Record<string, unknown>> {
  const text = await bodyText(context, limit);
  try {
    const value: unknown = text === "" ? {} : JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw new SlipwayError("REQUEST_INVALID", { values: { problem: "The body is not a JSON object" } });
}

async function bodyText(context: Context<AppEnv>, limit: BodyLimit): Promise<string> {
  const encoding = context.req.header("content-encoding")?.trim().toLowerCase() ?? "identity";
  if (encoding !== "identity") return unpackedText(context, encoding, limit);
  // Node ends a body at its announced length, and reading it without the web stream around it saves a millisecond.
  if (context.req.header("content-length") !== undefined) {
    refuseLongBody(context, limit);
    return context.req.text();
  }
  return readText(bodyStream(context), limit);
}

/** The limit counts what is unpacked, so that a small body can't grow beyond it. */
async function unpackedText(context: Context<AppEnv>, encoding: string, limit: BodyLimit): Promise<string> {
  refuseLongBody(context, limit);
  const unpack = encoding === "gzip" || encoding === "x-gzip" ? createGunzip() : createInflate();
  if (encoding !== "deflate" && !encoding.endsWith("gzip")) {
    const problem = `The body's Content-Encoding is ${encoding}; gzip, deflate and none are understood`;
    throw new SlipwayError("REQUEST_INVALID", { values: { problem }, where: "content-encoding" });
  }
  const source = bodyStream(context);
  source.on("error", (error) => unpack.destroy(error));
  try {
    return await readText(source.pipe(unpack), limit);
  } catch (error) {
    if (error instanceof SlipwayError) throw error;
    const problem = `The body can't be unpacked as ${encoding}`;
    throw new SlipwayError("REQUEST_INVALID", { values: { problem }, where: "content-encoding", cause: error });
  } finally {
    source.destroy();
    unpack.destroy();
  }
}

async function readText(body: AsyncIterable<Buffer>, limit: BodyLimit): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > limit.bytes) throw tooLarge(limit);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

const tooLarge = ({ bytes, setting }: BodyLimit) =>
  new SlipwayError("BODY_TOO_LARGE", { values: { limit: bytes, setting } });
