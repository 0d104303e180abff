import {
  type DocumentNode,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  type OperationDefinitionNode,
  parse,
  validate,
} from "graphql";
import type { ServerLimits } from "../config.ts";
import type { GraphqlContext } from "./context.ts";
import { clientError } from "./errors.ts";
import { checkLimits } from "./limits.ts";
import { plainSchemaOf } from "./plain-schema.ts";
import { schema, schemaText } from "./schema.ts";

export interface GraphqlAnswer {
  /** 200, also with errors: clients look there. 503 while the database is away, so that they try again. */
  readonly status: 200 | 503;
  readonly result: ExecutionResult;
}

/** Answers one request, the parsed JSON body of a POST. Never rejects. */
export type GraphqlEndpoint = (
  body: Readonly<Record<string, unknown>>,
  context: GraphqlContext,
) => Promise<GraphqlAnswer>;

/** A client sends the same few operations over and over; parsing and validating one takes longer than most resolvers. */
const KEPT_DOCUMENTS = 500;
const KEPT_LENGTH = 20_000;
/** The largest operation of the wandb client has some 600 tokens. */
const MAX_TOKENS = 10_000;

/** `plain`: documents with words of ours are not valid. */
export function createGraphqlEndpoint(
  { graphqlDepth, graphqlComplexity }: ServerLimits,
  plain: boolean,
): GraphqlEndpoint {
  const limits = { depth: graphqlDepth, complexity: graphqlComplexity };
  const documents = createDocuments(plain ? plainSchemaOf(schemaText) : schema);
  return async (body, context) => {
    let result: ExecutionResult;
    try {
      const { query, variables, operationName } = readBody(body);
      const document = documents.get(query);
      checkLimits(document, operationOf(document, operationName), variables, limits);
      result = await execute({ schema, document, contextValue: context, variableValues: variables, operationName });
    } catch (thrown) {
      const errors = Array.isArray(thrown) ? (thrown as GraphQLError[]) : [asGraphqlError(thrown)];
      result = { errors };
    }
    if (!result.errors) return { status: 200, result };
    const errors = result.errors.map((error) => clientError(error, context));
    const away = errors.some(({ extensions }) => extensions.status === 503);
    return { status: away ? 503 : 200, result: { ...result, errors } };
  };
}

function readBody({ query, variables, operationName }: Readonly<Record<string, unknown>>): {
  query: string;
  variables: Record<string, unknown>;
  operationName: string | null;
} {
  if (typeof query !== "string") throw new GraphQLError("The body must have a query: the text of the operation");
  if (typeof (variables ?? {}) !== "object" || Array.isArray(variables)) {
    throw new GraphQLError("variables must be an object");
  }
  if (typeof (operationName ?? "") !== "string") throw new GraphQLError("operationName must be a string");
  return {
    query,
    variables: (variables ?? {}) as Record<string, unknown>,
    operationName: (operationName as string | undefined) || null,
  };
}

function operationOf(document: DocumentNode, name: string | null): OperationDefinitionNode {
  const operation = getOperationAST(document, name);
  if (operation) return operation;
  throw new GraphQLError(
    name === null ? "operationName must say which operation is meant" : `There is no operation ${name}`,
  );
}

/** Valid documents by their text, the least recently used forgotten first. Throws all errors of one that is not valid. */
function createDocuments(known: GraphQLSchema): { get(query: string): DocumentNode } {
  const kept = new Map<string, DocumentNode>();
  return {
    get(query) {
      let document = kept.get(query);
      if (document) {
        kept.delete(query);
      } else {
        document = parse(query, { maxTokens: MAX_TOKENS });
        const errors = validate(known, document);
        if (errors.length > 0) throw errors;
      }
      if (query.length <= KEPT_LENGTH) kept.set(query, document);
      if (kept.size > KEPT_DOCUMENTS) kept.delete(kept.keys().next().value ?? "");
      return document;
    },
  };
}

function asGraphqlError(thrown: unknown): GraphQLError {
  if (thrown instanceof GraphQLError) return thrown;
  const originalError = thrown instanceof Error ? thrown : new Error(String(thrown));
  return new GraphQLError(originalError.message, { originalError });
}
