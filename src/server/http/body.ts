import { Readable } from "node:stream";
import type { ReadableStream as WebStream } from "node:stream/web";
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { AppEnv } from "./env.ts";

/** Refuses bodies above a size, with the name of the setting that raises it. */
export function limitBody(limit: number, setting: string) {
  return bodyLimit({
    maxSize: limit,
    onError: () => {
      throw new SlipwayError("BODY_TOO_LARGE", { values: { limit, setting } });
    },
  });
}

/** The body as a stream; an absent one is empty. */
export function bodyStream(context: Context<AppEnv>): Readable {
  const { body } = context.req.raw;
  return body === null ? Readable.from([]) : Readable.fromWeb(body as WebStream);
}

/** The body as a JSON object; REQUEST_INVALID if it is none. */
export async function bodyObject(context: Context<AppEnv>): Promise<Record<string, unknown>> {
  const text = await context.req.text();
  try {
    const value: unknown = text === "" ? {} : JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw new SlipwayError("REQUEST_INVALID", { values: { problem: "The body is not a JSON object" } });
}
