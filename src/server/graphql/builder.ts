import SchemaBuilder from "@pothos/core";
import type { JsonValue } from "../../core/json.ts";
import type { GraphqlContext } from "./context.ts";

/** Collects every type of the API; `schema.ts` imports each file that adds one and builds the schema. */
export const builder = new SchemaBuilder<{
  Context: GraphqlContext;
  DefaultFieldNullability: false;
  Scalars: {
    ID: { Input: string; Output: string };
    /** In: the text as it came. Out: a text that is JSON already, or a value to be written as JSON. */
    JSONString: { Input: string; Output: JsonValue | object };
    JSON: { Input: JsonValue; Output: JsonValue | object };
    /** Milliseconds since 1970-01-01T00:00:00Z. */
    DateTime: { Input: number; Output: number };
    /** Milliseconds. */
    Duration: { Input: number; Output: number };
    Int64: { Input: number; Output: number };
  };
}>({ defaultFieldNullability: false });

builder.queryType({});
builder.mutationType({});
