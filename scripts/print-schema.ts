/**
 * Prints the API's schema. `--write` writes it to schema.graphql; `--check` fails if that file is stale.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { schemaText } from "../src/server/graphql/schema.ts";

const target = new URL("../schema.graphql", import.meta.url);
const mode = process.argv[2];

if (mode === "--write") {
  writeFileSync(target, schemaText);
} else if (mode === "--check") {
  if (readFileSync(target, "utf8") !== schemaText) {
    console.error("schema.graphql is stale: run `npx tsx scripts/print-schema.ts --write`");
    process.exitCode = 1;
  }
} else {
  process.stdout.write(schemaText);
}
