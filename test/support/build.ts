import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/** End-to-end tests run `bin/slipway`, which runs dist/: built once before all tests, if any source is newer. */
export function setup(): void {
  const main = join(root, "dist/cli/main.js");
  if (existsSync(main) && statSync(main).mtimeMs > newest(join(root, "src"))) return;
  try {
    execFileSync(process.execPath, [join(root, "scripts/build.mjs")], { stdio: "inherit" });
  } catch (error) {
    // Types that do not hold are `npm run check`'s to report; the compiler has written what it could.
    if (!existsSync(main)) throw error;
  }
}

function newest(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Math.max(...files.map((file) => statSync(join(file.parentPath, file.name)).mtimeMs));
}
