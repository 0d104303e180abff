import { ERRORS, type ErrorCode } from "../core/errors/registry.ts";
import { type Problem, SlipwayError } from "../core/errors/slipway-error.ts";

/** One entry of a GraphQL answer's `errors`, as the server writes it. */
export interface GraphqlErrorBody {
  readonly message?: string;
  readonly path?: readonly (string | number)[];
  readonly extensions?: {
    readonly code?: string;
    readonly hint?: string;
    readonly where?: string;
    readonly status?: number;
    readonly problems?: readonly Problem[];
  };
}

type PlainErrorBody = { readonly message?: string } & NonNullable<GraphqlErrorBody["extensions"]>;

/**
 * The error a person should see for a refused request: the server's own message, hint, place and problems under its
 * code. A code that this version does not know (a newer server, another server of the same protocol) becomes
 * SERVER_REFUSED with the code kept in the message.
 */
export function errorOfAnswer(errors: readonly GraphqlErrorBody[]): SlipwayError {
  const first = errors[0] ?? {};
  const extensions = first.extensions ?? {};
  const message = first.message ?? "no reason given";
  const code = extensions.code;
  const known = code !== undefined && Object.hasOwn(ERRORS, code);
  return new SlipwayError(known ? (code as ErrorCode) : "SERVER_REFUSED", {
    message: known ? message : refusal(message, code),
    ...(extensions.hint === undefined ? {} : { hint: extensions.hint }),
    ...(extensions.where === undefined ? {} : { where: extensions.where }),
    ...(extensions.problems === undefined ? {} : { problems: extensions.problems }),
  });
}

/**
 * The error that a plain HTTP answer of the server carries: `{"error": {message, code, hint, ...}}`, or GraphQL's own
 * `{"errors": [...]}`; undefined if the body is neither.
 */
export function errorOfBody(body: unknown): SlipwayError | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const { error, errors } = body as { error?: PlainErrorBody; errors?: readonly GraphqlErrorBody[] };
  if (Array.isArray(errors) && errors.length > 0) return errorOfAnswer(errors);
  if (typeof error !== "object" || error === null) return undefined;
  const { message, ...extensions } = error;
  return errorOfAnswer([{ ...(message === undefined ? {} : { message }), extensions }]);
}

function refusal(message: string, code: string | undefined): string {
  return code === undefined
    ? `The server refused the request: ${message}`
    : `The server refused the request (${code}): ${message}`;
}

/** True for an error that says the server could not be reached or could not answer now. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof SlipwayError && (error.code === "SERVER_UNREACHABLE" || error.status === 503);
}

/** What a failed fetch says of itself, short: the system's code (ECONNREFUSED) where there is one. */
export function networkReason(error: unknown): string {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    const code = (at as { code?: unknown }).code;
    if (typeof code === "string") return code;
    if (at.cause === undefined) return at.name === "TimeoutError" ? "no answer in time" : at.message;
  }
  return String(error);
}
