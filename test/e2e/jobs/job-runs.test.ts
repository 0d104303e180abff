import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Started, slipway, slipwayUp } from "../../support/slipway.ts";

/** A job of code, made once by the command line, is launched by its name and trains with the values of each launch. */

let dataDir: string;
let up: Started;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "slipway-job-runs-"));
  // No engine: whatever this machine may have, this test means a machine without.
  up = await slipwayUp(dataDir, [], { env: { DOCKER_HOST: `unix://${dataDir}/no-engine.sock` } });
});

afterAll(async () => {
  await up?.end();
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

it("runs a job's version with its files, though the job has gone on", async () => {
  const code = join(dataDir, "code");
  await mkdir(join(code, "lib"), { recursive: true });
  await writeFile(join(code, "lib", "words.py"), "WORD = 'from the first version'\n");
  const train = "import os, sys\nfrom lib.words import WORD\nprint(WORD, os.environ['WANDB_CONFIG'], sys.argv[1])\n";
  await writeFile(join(code, "train.py"), train);
  const create = ["job", "create", "code", code, "-n", "digits", "-p", "vision", "-E", "python3 train.py 7"];
  const first = await slipway(dataDir, create);
  expect(first.code, first.stderr).toBe(0);
  await writeFile(join(code, "lib", "words.py"), "WORD = 'from the second version'\n");
  const second = await slipway(dataDir, create);
  expect(second.stdout).toContain("digits:v1");

  const launched = await slipway(dataDir, ["launch", "-j", "vision/digits:v0", "-c", '{"lr": 0.5}', "--follow"]);
  expect(launched.stderr + launched.stdout).toContain('from the first version {"lr":0.5} 7');
  expect(launched.code).toBe(0);
});
