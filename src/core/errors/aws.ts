import type { ErrorEntry } from "./registry.ts";

/** What `slipway aws` cannot do. */
export const AWS_ERRORS = {
  ACCESS_UNCLEAR: {
    status: 422,
    exit: 2,
    message: "It is not clear what to allow: {problem}",
    hint: "Name a queue with --queue or --queue-file, and --region.",
  },
} as const satisfies Record<string, ErrorEntry>;
