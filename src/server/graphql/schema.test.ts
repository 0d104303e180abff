import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { schemaText } from "./schema.ts";

test("schema.graphql is what the code says (npx tsx scripts/print-schema.ts --write)", () => {
  expect(readFileSync(new URL("../../../schema.graphql", import.meta.url), "utf8")).toBe(schemaText);
});
