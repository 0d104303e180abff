/**
 * Writes every generated file. With --check it writes nothing and ends with 1 if one of them is stale.
 * The API's schema comes first: the client's operations are made from it.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";

const SCRIPTS = [
  "print-schema.ts",
  "generate-client.ts",
  "generate-sagemaker-model.ts",
  "generate-errors-reference.ts",
  "generate-launch-config-reference.ts",
  "generate-server-settings.ts",
  "generate-cli-reference.ts",
];

const mode = process.argv.includes("--check") ? "--check" : "--write";
for (const script of SCRIPTS) {
  try {
    execFileSync(process.execPath, ["--import", "tsx", join(import.meta.dirname, script), mode], { stdio: "inherit" });
  } catch {
    console.error(`${script} ${mode} failed`);
    process.exitCode = 1;
  }
}
