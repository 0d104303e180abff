import type { ErrorEntry } from "./registry.ts";

/** What is wrong with a run spec, a queue's resource config, a template value or a macro. */
export const SPEC_ERRORS = {
  RESOURCE_CONFIG_INVALID: {
    status: 422,
    exit: 2,
    message: "The CreateTrainingJob config has {count} problem(s)",
    hint: "Correct each place named below; the rules are those of the CreateTrainingJob API.",
  },
} as const satisfies Record<string, ErrorEntry>;
