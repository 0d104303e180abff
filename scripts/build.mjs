// Compiles src/ to dist/ and copies the data files that the code reads.
import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = new URL("..", import.meta.url).pathname;
rmSync(join(root, "dist"), { recursive: true, force: true });
execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
cpSync(join(root, "src"), join(root, "dist"), {
  recursive: true,
  filter: (source) => !/\.\w+$/.test(source) || /\.(json|sql|py|sh)$/.test(source),
});
