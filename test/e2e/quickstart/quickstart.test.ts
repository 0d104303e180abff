import { execFile } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../../..");

it("goes from a fresh clone to a trained model", { timeout: 600_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "slipway-quickstart-"));
  const clone = join(folder, "clone");
  await run("git", ["clone", "--quiet", "--no-hardlinks", root, clone]);
  const { PATH, HOME, LANG } = process.env;
  const { stdout, stderr } = await run("npm", ["run", "--silent", "quickstart", "--", "--exit", "--json"], {
    cwd: clone,
    env: { PATH, HOME, LANG, NO_COLOR: "1" },
    maxBuffer: 1 << 26,
  });
  const result = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as Record<string, unknown>;
  expect(result).toMatchObject({
    item: expect.any(String),
    runId: expect.stringMatching(/^[a-z][a-z0-9]{7}$/),
    state: "finished",
    trainingJobName: result.runId,
    trainingJobStatus: "Completed",
    model: expect.stringMatching(new RegExp(`^s3://.+/${String(result.runId)}/output/model\\.tar\\.gz$`)),
  });
  expect(result.accuracy).toBeGreaterThan(0.9);
  for (const phase of ["queued", "building", "pushing", "submitting", "downloading", "training", "uploading"]) {
    expect((result.seconds as Record<string, number>)[phase], phase).toBeGreaterThanOrEqual(0);
  }
  expect(stderr).toContain("validation_accuracy=");
  // Nothing of it goes on running.
  const { stdout: processes } = await run("ps", ["-eo", "args"]);
  expect(processes.split("\n").filter((line) => line.includes(clone))).toEqual([]);
});
