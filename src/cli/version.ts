import { readFileSync } from "node:fs";

/** The package's version; the same file serves source and build, both one folder below the root. */
export function version(): string {
  const file = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
