import { GraphQLError, getOperationAST } from "graphql";
import { createYoga, type Plugin } from "graphql-yoga";
import type { ServerLimits } from "../config.ts";
import type { GraphqlContext } from "./context.ts";
import { clientError } from "./errors.ts";
import { checkLimits } from "./limits.ts";
import { schema } from "./schema.ts";

/** Answers one GraphQL request over HTTP (POST, JSON). */
export type GraphqlEndpoint = (request: Request, context: GraphqlContext) => Promise<Response>;

export function createGraphqlEndpoint(limits: ServerLimits): GraphqlEndpoint {
  const yoga = createYoga<GraphqlContext>({
    schema,
    graphqlEndpoint: "/graphql",
    graphiql: false,
    landingPage: false,
    logging: false,
    maskedErrors: false,
    multipart: false,
    batching: false,
    cors: false,
    plugins: [limitOperations(limits), showErrors],
  });
  return async (request, context) => yoga.fetch(request, context);
}

function limitOperations({ graphqlDepth, graphqlComplexity }: ServerLimits): Plugin<GraphqlContext> {
  return {
    onExecute({ args, setResultAndStopExecution }) {
      const operation = getOperationAST(args.document, args.operationName);
      if (!operation) return;
      try {
        const limits = { depth: graphqlDepth, complexity: graphqlComplexity };
        checkLimits(args.document, operation, args.variableValues ?? {}, limits);
      } catch (error) {
        const originalError = error instanceof Error ? error : undefined;
        setResultAndStopExecution({ errors: [new GraphQLError(String(error), { originalError })] });
      }
    },
  };
}

const showErrors: Plugin<GraphqlContext> = {
  onResultProcess({ result, setResult, serverContext }) {
    if (!("errors" in result) || !result.errors) return;
    const { requestId, logger } = serverContext as unknown as GraphqlContext;
    setResult({ ...result, errors: result.errors.map((error) => clientError(error, requestId, logger)) });
  },
};
