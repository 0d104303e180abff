import { GraphQLError, Kind, valueFromASTUntyped } from "graphql";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { JsonValue } from "../../core/json.ts";
import { builder } from "./builder.ts";

builder.scalarType("JSONString", {
  description: "Text of a JSON document: a string on the wire.",
  serialize: (value) => (typeof value === "string" ? value : JSON.stringify(value)),
  parseValue: (value) => {
    if (typeof value !== "string") throw new GraphQLError("A JSONString is a string that holds a JSON document");
    return value;
  },
});

builder.scalarType("JSON", {
  description: "Any JSON value.",
  serialize: (value) => value as JsonValue,
  parseValue: (value) => value as JsonValue,
  parseLiteral: (node, variables) => valueFromASTUntyped(node, variables) as JsonValue,
});

builder.scalarType("DateTime", {
  description: "An instant: ISO 8601, UTC, milliseconds.",
  serialize: (value) => new Date(value as number).toISOString(),
  parseValue: (value) => {
    const at = typeof value === "string" ? Date.parse(value) : Number.NaN;
    if (Number.isNaN(at)) throw new GraphQLError("A DateTime is an ISO 8601 text, as 2026-01-31T12:00:00.000Z");
    return at;
  },
});

builder.scalarType("Int64", {
  description: "A 64-bit integer, a number on the wire.",
  serialize: (value) => Number(value),
  parseValue: (value) => safeInteger(value),
  parseLiteral: (node) => safeInteger(node.kind === Kind.INT ? Number(node.value) : undefined),
});

builder.scalarType("Duration", {
  description: "Milliseconds, a number on the wire.",
  serialize: (value) => Number(value),
  parseValue: (value) => safeInteger(value),
  parseLiteral: (node) => safeInteger(node.kind === Kind.INT ? Number(node.value) : undefined),
});

/** Above 2^53 a JavaScript number is no longer exact; nothing of ours counts that far. */
function safeInteger(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw new GraphQLError("An Int64 is a whole number");
  return value;
}

/** The value of a JSONString argument; throws INPUT_INVALID naming the argument. Absent and null are null. */
export function parseJson(text: string | null | undefined, where: string): JsonValue {
  if (text === null || text === undefined) return null;
  try {
    return JSON.parse(text) as JsonValue;
  } catch (cause) {
    const problem = `${where} is not JSON: ${cause instanceof Error ? cause.message : cause}`;
    throw new SlipwayError("INPUT_INVALID", { values: { problem }, where, cause });
  }
}
