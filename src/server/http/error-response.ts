import type { Logger } from "pino";
import { SlipwayError } from "../../core/errors/slipway-error.ts";

/** What an error looks like on the wire: in the body of a plain HTTP answer, and in a GraphQL error's extensions. */
export interface WireError {
  readonly code: string;
  readonly status: number;
  readonly hint: string;
  readonly where?: string;
  readonly problems?: readonly unknown[];
  readonly requestId?: string;
}

/**
 * The error that a client may see for anything that was thrown: a SlipwayError as it is; everything else is logged under
 * the request's id and becomes INTERNAL.
 */
export function publicError(error: unknown, requestId: string, logger: Logger): SlipwayError {
  if (error instanceof SlipwayError) {
    if (error.status >= 500) logger.error({ err: error, requestId }, error.message);
    return error;
  }
  logger.error({ err: error, requestId }, "internal error");
  return new SlipwayError("INTERNAL", { where: `request ${requestId}`, cause: error });
}

/** The extensions of a GraphQL error, and the fields beside `message` of a plain HTTP error. */
export function wireError(error: SlipwayError, requestId: string): WireError {
  return {
    code: error.code,
    status: error.status,
    hint: error.hint,
    ...(error.where === undefined ? {} : { where: error.where }),
    ...(error.problems.length === 0 ? {} : { problems: error.problems }),
    ...(error.status >= 500 ? { requestId } : {}),
  };
}

/** `{"error": {"message", "code", "hint", ...}}` with the error's own status. */
export function errorResponse(error: SlipwayError, requestId: string): Response {
  const headers = new Headers({ "content-type": "application/json" });
  if (error.status === 401) headers.set("www-authenticate", 'Basic realm="Slipway", charset="UTF-8"');
  if (error.code === "TOO_MANY_WRONG_KEYS") headers.set("retry-after", "60");
  if (error.status === 503) headers.set("retry-after", "2");
  const body = JSON.stringify({ error: { message: error.message, ...wireError(error, requestId) } });
  return new Response(body, { status: error.status, headers });
}
