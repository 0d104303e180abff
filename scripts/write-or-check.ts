import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

/** Writes a generated file, or with `--check` on the command line ends with 1 if the file is not what would be written. */
export async function writeOrCheck(file: string, text: string): Promise<void> {
  const path = join(root, file);
  const before = await readFile(path, "utf8").catch(() => undefined);
  if (before === text) return;
  if (process.argv.includes("--check")) {
    console.error(`${file} is stale. Run: npm run generate`);
    process.exitCode = 1;
    return;
  }
  await writeFile(path, text);
  console.log(`wrote ${file}`);
}
