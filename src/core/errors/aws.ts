import type { ErrorEntry } from "./registry.ts";

/** What `slipway aws` cannot do. */
export const AWS_ERRORS = {
  ACCESS_UNCLEAR: {
    status: 422,
    exit: 2,
    message: "It is not clear what to allow: {problem}",
    hint: "Name a queue with --queue or --queue-file, and --region.",
  },
  AWS_SETUP_FAILED: {
    status: 502,
    exit: 1,
    message: "AWS refused while {step}: {reason}",
    hint: "What was made before stays; mend the cause and run the command again, it goes on from there.",
  },
} as const satisfies Record<string, ErrorEntry>;
