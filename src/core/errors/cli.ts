import type { ErrorEntry } from "./registry.ts";

/** Mistakes on the command line and in the surroundings of a command. */
export const CLI_ERRORS = {
  USAGE: { status: 400, exit: 2, message: "{problem}", hint: "Run the command with --help." },
} as const satisfies Record<string, ErrorEntry>;
