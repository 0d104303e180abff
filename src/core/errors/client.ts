import type { ErrorEntry } from "./registry.ts";

/** What a caller of the API meets before, or instead of, an answer of the server. */
export const CLIENT_ERRORS = {
  SERVER_UNREACHABLE: {
    status: 503,
    exit: 4,
    message: "The Slipway server at {url} cannot be reached ({reason})",
    hint: "Start it with `slipway server` or `slipway up`, or correct WANDB_BASE_URL.",
  },
  SERVER_REFUSED: {
    status: 502,
    exit: 1,
    message: "The server refused the request: {message}",
    hint: "The server's log has the details.",
  },
  SERVER_ANSWER_INVALID: {
    status: 502,
    exit: 4,
    message: "{url} did not answer as a Slipway server does ({reason})",
    hint: "Check WANDB_BASE_URL: another program may be listening there.",
  },
  NOT_LOGGED_IN: {
    status: 401,
    exit: 3,
    message: "The server at {url} does not accept this API key",
    hint: "Run `slipway login`, or set WANDB_API_KEY.",
  },
} as const satisfies Record<string, ErrorEntry>;
