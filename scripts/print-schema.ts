/**
 * Prints the API's schema. `--write` writes it to schema.graphql; `--check` fails if that file is stale.
 */
import { schemaText } from "../src/server/graphql/schema.ts";
import { writeOrCheck } from "./write-or-check.ts";

if (process.argv.includes("--write") || process.argv.includes("--check")) {
  await writeOrCheck("schema.graphql", schemaText);
} else {
  process.stdout.write(schemaText);
}
