import type { ErrorEntry } from "./registry.ts";

/** What the control plane refuses. */
export const SERVER_ERRORS = {
  INTERNAL: {
    status: 500,
    exit: 1,
    message: "Something went wrong inside Slipway",
    hint: "The log has the details under this request id; please report it.",
  },
  STALE_LEASE: {
    status: 409,
    exit: 1,
    message: "The lease of item {item} is no longer held (attempt {attempt}, token {token})",
    hint: "Another agent holds the item now; drop it without touching its training job.",
  },
} as const satisfies Record<string, ErrorEntry>;
