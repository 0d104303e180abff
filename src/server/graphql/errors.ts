import { GraphQLError } from "graphql";
import type { Logger } from "pino";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { publicError, wireError } from "../http/error-response.ts";

export interface ErrorContext {
  readonly requestId: string;
  readonly logger: Logger;
  /** The client (wandb) prints the message alone: the problems and the hint must be in it. */
  readonly showsMessageOnly: boolean;
}

const TOLD_PROBLEMS = 10;

/**
 * The error as clients see it: extensions {code, status, hint, where, problems}. A mistake in the operation itself
 * (an unknown field, a value of the wrong type) is GRAPHQL_INVALID with graphql's own message, which names it; what is
 * not a SlipwayError is logged under the request's id and hidden.
 */
export function clientError(error: GraphQLError, context: ErrorContext): GraphQLError {
  const { requestId, logger, showsMessageOnly } = context;
  const shown = shownError(error, requestId, logger);
  return new GraphQLError(showsMessageOnly ? wholeStory(shown) : shown.message, {
    ...(error.nodes ? { nodes: error.nodes } : {}),
    ...(error.source ? { source: error.source } : {}),
    ...(error.positions ? { positions: error.positions } : {}),
    ...(error.path ? { path: error.path } : {}),
    extensions: { ...wireError(shown, requestId) },
  });
}

function shownError(error: GraphQLError, requestId: string, logger: Logger): SlipwayError {
  let thrown: unknown = error;
  while (thrown instanceof GraphQLError && thrown.originalError) thrown = thrown.originalError;
  if (thrown instanceof GraphQLError)
    return new SlipwayError("GRAPHQL_INVALID", { values: { problem: error.message } });
  return publicError(thrown, requestId, logger);
}

function wholeStory({ message, problems, hint }: SlipwayError): string {
  const told = problems
    .slice(0, TOLD_PROBLEMS)
    .map((problem) => `${problem.path}: ${problem.message}${problem.hint ? ` (${problem.hint})` : ""}`);
  const rest = problems.length - told.length;
  return [message, ...told, ...(rest > 0 ? [`and ${rest} more`] : []), hint].map(withoutStop).join(". ");
}

const withoutStop = (sentence: string) => sentence.replace(/[.\s]+$/, "");
