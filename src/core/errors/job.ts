import type { ErrorEntry } from "./registry.ts";

/** What can be wrong with a job (an artifact that says what to run) and with the values that an item gives it. */
export const JOB_ERRORS = {
  JOB_NOT_FOUND: {
    status: 404,
    exit: 3,
    message: "There is no job {job} that you may see",
    hint: "slipway job list -p PROJECT shows the jobs of a project; write a job as NAME:ALIAS, PROJECT/NAME:ALIAS or ENTITY/PROJECT/NAME:ALIAS.",
  },
  JOB_INVALID: {
    status: 422,
    exit: 2,
    message: "The job {job} can't be run: {count} problem(s) in its wandb-job.json",
    hint: "Make the job again, with slipway job create or wandb job create.",
  },
  JOB_INPUTS_INVALID: {
    status: 422,
    exit: 2,
    message: "{count} value(s) are not what the job {job} takes",
    hint: "Give values within the bounds that the job's schema names (slipway job show JOB lists them).",
  },
  JOB_CODE_NOT_FOUND: {
    status: 422,
    exit: 3,
    message: "The code of the job {job} is gone: {artifact}",
    hint: "Make the job again; its code artifact was deleted, or it is another entity's.",
  },
  JOB_NEEDS_DOCKERFILE: {
    status: 422,
    exit: 2,
    message:
      "The code is to be built with its {dockerfile}, and this agent's builder (builder.type layer) does not read Dockerfiles",
    hint: "Set builder.type to docker in the agent's launch-config.yaml, or build and push the image yourself and launch that (-d IMAGE).",
  },
  JOB_CODE_INCOMPLETE: {
    status: 422,
    exit: 2,
    message: "{file} of the job's code is not kept by the server: {reason}",
    hint: "Log the code again as files, not as references.",
  },
  JOB_PATCH_FAILED: {
    status: 422,
    exit: 2,
    message: "The job's diff.patch does not fit the commit {commit}: {detail}",
    hint: "Commit and push the changes, then make the job of that commit.",
  },
  JOB_NOTEBOOK_INVALID: {
    status: 422,
    exit: 2,
    message: "The job's notebook {file} can't be made a script: {reason}",
    hint: "Make the job of a Python script instead.",
  },
  JOB_SCHEMA_INVALID: {
    status: 422,
    exit: 2,
    message: "{file} is not a schema of a job's inputs: {count} problem(s)",
    hint: "Correct each place named here; the file holds a JSON Schema of the run config, in YAML or JSON.",
  },
} as const satisfies Record<string, ErrorEntry>;
