import { AGENT_ERRORS } from "./agent.ts";
import { AWS_ERRORS } from "./aws.ts";
import { CLI_ERRORS } from "./cli.ts";
import { CLIENT_ERRORS } from "./client.ts";
import { CONFIG_ERRORS } from "./config.ts";
import { HTTP_ERRORS } from "./http.ts";
import { IMAGE_ERRORS } from "./image.ts";
import { JOB_ERRORS } from "./job.ts";
import { LOCAL_AWS_ERRORS } from "./local-aws.ts";
import { SERVER_ERRORS } from "./server.ts";
import { SPEC_ERRORS } from "./spec.ts";

/** One entry of the error registry. Codes are stable: a code is never renamed or used again for something else. */
export interface ErrorEntry {
  /** HTTP status of an answer that carries it. */
  readonly status: number;
  /** Exit code of a command that ends with it: 1 failed, 2 the user's input, 3 not found or refused, 4 unavailable. */
  readonly exit: number;
  /** What happened; `{name}` places are filled in. */
  readonly message: string;
  /** What to do next. */
  readonly hint: string;
}

/** Every error of Slipway. `docs/reference/errors.md` is generated from it. */
export const ERRORS = {
  ...SPEC_ERRORS,
  ...JOB_ERRORS,
  ...CONFIG_ERRORS,
  ...SERVER_ERRORS,
  ...HTTP_ERRORS,
  ...AGENT_ERRORS,
  ...IMAGE_ERRORS,
  ...AWS_ERRORS,
  ...CLI_ERRORS,
  ...CLIENT_ERRORS,
  ...LOCAL_AWS_ERRORS,
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;
