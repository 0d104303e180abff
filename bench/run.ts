/** `npm run bench -- NAME`: runs bench/NAME/NAME.ts and prints what it measured. */
import { readdirSync } from "node:fs";
import { setup as build } from "../test/support/build.ts";

// The AWS SDK would warn of Node 20 in between the figures.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

const names = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);
const name = process.argv[2];
if (name === undefined || !names.includes(name)) {
  console.error(`Usage: npm run bench -- ${names.join(" | ")}`);
  process.exit(2);
}
build();
const { run } = (await import(`./${name}/${name}.ts`)) as { run: (args: readonly string[]) => Promise<void> };
await run(process.argv.slice(3));
