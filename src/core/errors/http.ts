import type { ErrorEntry } from "./registry.ts";

/** What the API's edge refuses before any service is asked. */
export const HTTP_ERRORS = {
  UNAUTHENTICATED: {
    status: 401,
    exit: 3,
    message: "No valid API key came with this request",
    hint: "Send the key as the password of HTTP basic authentication (user api) or as a bearer token; `slipway login` stores one.",
  },
  TOO_MANY_WRONG_KEYS: {
    status: 429,
    exit: 4,
    message: "Too many wrong API keys came from this address; try again in {seconds} s",
    hint: "Look for the program that goes on with an old key; SLIPWAY_WRONG_KEYS_PER_MINUTE sets the limit.",
  },
  REQUEST_INVALID: {
    status: 400,
    exit: 2,
    message: "{problem}",
    hint: "docs/reference/api.md describes the request.",
  },
  GRAPHQL_INVALID: {
    status: 400,
    exit: 2,
    message: "{problem}",
    hint: "schema.graphql lists every type, field and argument of this server.",
  },
  GRAPHQL_TOO_COMPLEX: {
    status: 400,
    exit: 2,
    message: "The operation is too {what}: {actual}, and {limit} is the limit",
    hint: "Ask for less at once: fewer levels, or smaller pages (first).",
  },
  ROUTE_NOT_FOUND: {
    status: 404,
    exit: 3,
    message: "There is nothing at {path}",
    hint: "docs/reference/api.md lists the endpoints.",
  },
  BODY_TOO_LARGE: {
    status: 413,
    exit: 2,
    message: "The body is larger than {limit} bytes",
    hint: "Send less, or raise {setting} on the server.",
  },
  ITEM_FILE_NOT_FOUND: {
    status: 404,
    exit: 3,
    message: "Item {item} has no file {name} that you may see",
    hint: "The item's failureFiles lists the files that its agent has kept.",
  },
  ARTIFACT_NOT_FOUND: {
    status: 404,
    exit: 3,
    message: "There is no artifact {name} that you may see",
    hint: "An artifact is named ENTITY/PROJECT/NAME:ALIAS, for instance admin/mnist/model:latest.",
  },
  ARTIFACT_INCOMPLETE: {
    status: 409,
    exit: 3,
    message: "Artifact {name} can't be committed: {problem}",
    hint: "Log the artifact again; what has arrived already is not sent again.",
  },
  ARTIFACT_HAS_ALIASES: {
    status: 409,
    exit: 3,
    message:
      "Artifact {name} has the aliases {aliases}; delete it with its aliases (delete_aliases=True), or remove them first",
    hint: "artifact.delete(delete_aliases=True)",
  },
  CODE_NOT_FOUND: {
    status: 404,
    exit: 3,
    message: "There is no code archive {digest} that you may see",
    hint: "Send it first: `slipway launch` does.",
  },
  SERVER_CLOSING: {
    status: 503,
    exit: 4,
    message: "The server is closing",
    hint: "Try again in a moment.",
  },
  UPLOAD_URL_INVALID: {
    status: 403,
    exit: 3,
    message: "This address of a file is not valid, or no longer",
    hint: "Ask the API for a new one; an address is good for {minutes} minutes.",
  },
  SERVER_CONFIG_INVALID: {
    status: 422,
    exit: 2,
    message: "The server's settings have {count} problem(s)",
    hint: "Correct each setting named below; docs/reference/api.md lists them.",
  },
} as const satisfies Record<string, ErrorEntry>;
