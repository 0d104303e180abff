import type { ErrorEntry } from "./registry.ts";

/** What is wrong with a run spec, a queue's resource config, a template value or a macro. */
export const SPEC_ERRORS = {
  RESOURCE_CONFIG_INVALID: {
    status: 422,
    exit: 2,
    message: "The CreateTrainingJob config has {count} problem(s)",
    hint: "Correct each place named below; the rules are those of the CreateTrainingJob API.",
  },
  RUN_SPEC_INVALID: {
    status: 422,
    exit: 2,
    message: "The run spec has {count} problem(s)",
    hint: "Correct each place named below and push again.",
  },
  TEMPLATE_VALUES_INVALID: {
    status: 422,
    exit: 2,
    message: "{count} template value(s) are not what the queue allows",
    hint: "Give values within the bounds named below (slipway queue show QUEUE lists them).",
  },
  TEMPLATE_VARIABLES_INVALID: {
    status: 422,
    exit: 2,
    message: "The template variables have {count} problem(s)",
    hint: "Declare every {{name}} of the config once, with a schema.",
  },
  OVERRIDE_LOCKED: {
    status: 403,
    exit: 3,
    message: "The agent runs in secure mode and the item overrides {what}",
    hint: "Push without the override, or to an agent whose launch-config.yaml does not say secure_mode: true.",
  },
  IMAGE_FIXED_BY_QUEUE: {
    status: 422,
    exit: 2,
    message: "The queue's config fixes the image {image}, so code cannot be put into one",
    hint: "Remove AlgorithmSpecification.TrainingImage from the config, or make it ${image_uri}.",
  },
} as const satisfies Record<string, ErrorEntry>;
