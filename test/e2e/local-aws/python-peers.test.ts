import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installPython } from "../../support/python-peers.ts";

let cache: string;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), "slipway-peers-"));
});
afterAll(() => rm(cache, { recursive: true, force: true }));

test("many that ask at once get one whole environment, also over what a killed run has left", async () => {
  const requirements = ["six==1.17.0"];
  const ask = () => Promise.all(Array.from({ length: 5 }, () => installPython(cache, requirements)));
  const folders = new Set(await ask());
  expect(folders.size).toBe(1);
  const [folder] = folders;
  const works = () => promisify(execFile)(join(folder!, "bin/python"), ["-c", "import six; print(six.__version__)"]);
  expect((await works()).stdout).toBe("1.17.0\n");
  const mark = join(folder!, "installed");
  const { ctimeMs } = await stat(mark);
  await ask();
  expect((await stat(mark)).ctimeMs).toBe(ctimeMs);

  // Killed in the middle: no mark, a folder that is half there.
  await rm(folder!, { recursive: true });
  await mkdir(join(folder!, "lib"), { recursive: true });
  await writeFile(join(folder!, "lib/half"), "");
  await ask();
  expect((await works()).stdout).toBe("1.17.0\n");
});
