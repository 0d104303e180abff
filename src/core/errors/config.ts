import type { ErrorEntry } from "./registry.ts";

/** What is wrong with launch-config.yaml or another settings file. */
export const CONFIG_ERRORS = {
  LAUNCH_CONFIG_INVALID: {
    status: 422,
    exit: 2,
    message: "{file} has {count} problem(s)",
    hint: "Correct each place named below; docs/reference/launch-config.md lists the keys.",
  },
} as const satisfies Record<string, ErrorEntry>;
