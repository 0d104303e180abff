import type { ErrorEntry } from "./registry.ts";

/** What keeps the local AWS from starting or running (its API errors are AWS's own). */
export const LOCAL_AWS_ERRORS = {
  PORT_TAKEN: {
    status: 409,
    exit: 4,
    message: "Port {port} is taken",
    hint: "Stop the other program, or choose another port with --port.",
  },
} as const satisfies Record<string, ErrorEntry>;
