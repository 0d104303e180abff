import { type ChildProcess, execFile, spawn } from "node:child_process";
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";

const run = promisify(execFile);
const example = resolve("examples/digits");
let folder: string;
let ml: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "digits-test-"));
  const into = ["--target", join(folder, "packages"), "--no-compile", "--quiet"];
  await run("python3", ["-m", "pip", "install", ...into, "-r", join(example, "requirements.txt")]);
  await run("python3", [join(example, "prepare.py"), "--out", join(folder, "data")], { env: withPackages() });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

beforeEach(async () => {
  ml = await mkdtemp(join(folder, "ml-"));
  await mkdir(join(ml, "input/config"), { recursive: true });
  await run("cp", ["-r", join(folder, "data"), join(ml, "input/data")]);
});

function withPackages(more: Record<string, string> = {}): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: process.env.HOME, PYTHONPATH: join(folder, "packages"), ...more };
}

function train(hyperparameters: Record<string, string>): Promise<{ code: number | null; output: string }> {
  return started(hyperparameters).then(({ ended }) => ended);
}

async function started(hyperparameters: Record<string, string>) {
  await writeFile(join(ml, "input/config/hyperparameters.json"), JSON.stringify(hyperparameters));
  const child: ChildProcess = spawn("python3", ["train.py"], {
    cwd: example,
    env: withPackages({ SAGEMAKER_BASE_DIR: ml, PYTHONDONTWRITEBYTECODE: "1" }),
  });
  let output = "";
  let line: () => void = () => {};
  const firstEpoch = new Promise<void>((resolve) => {
    line = resolve;
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk) => {
      output += chunk;
      if (output.includes("epoch=1 ")) line();
    });
  }
  const ended = new Promise<{ code: number | null; output: string }>((resolve) => {
    child.once("close", (code) => resolve({ code, output }));
  });
  return { child, firstEpoch, ended };
}

const json = async (path: string) => JSON.parse(await readFile(join(ml, path), "utf8"));

it("learns the digits: more than 9 of 10 right on images it has not seen", async () => {
  const { code, output } = await train({});
  expect(code).toBe(0);
  expect(output).toMatch(/epoch=12 train_loss=[\d.]+ validation_loss=[\d.]+ validation_accuracy=0\.9\d+;/);
  const metrics = await json("model/metrics.json");
  expect(metrics).toMatchObject({ epoch: 12, stopped: false });
  expect(metrics.validation_accuracy).toBeGreaterThan(0.9);
  await access(join(ml, "model/model.joblib"));
  await access(join(ml, "output/data/confusion_matrix.csv"));
});

it("keeps a part of the training channel for validation where that has no channel, and takes hyperparameters", async () => {
  await rm(join(ml, "input/data/validation"), { recursive: true });
  const { code, output } = await train({ epochs: "2", hidden_units: "16", sagemaker_program: "x" });
  expect(code).toBe(0);
  expect(output).toContain("1154 images to train on, 288 to validate with");
  expect(await json("model/metrics.json")).toMatchObject({ epoch: 2, hyperparameters: { hidden_units: 16 } });
});

it("saves what it has when it is stopped, and a later run goes on from its checkpoint", async () => {
  await mkdir(join(ml, "checkpoints"));
  const { child, firstEpoch, ended } = await started({ epochs: "50", epoch_seconds: "3600" });
  await firstEpoch;
  child.kill("SIGTERM");
  expect((await ended).code).toBe(0);
  expect(await json("model/metrics.json")).toMatchObject({ epoch: 1, stopped: true });
  const { output } = await train({ epochs: "3" });
  expect(output).toContain("Going on after epoch 1");
  expect(output).not.toContain("epoch=1 ");
  expect(await json("model/metrics.json")).toMatchObject({ epoch: 3, stopped: false });
});

it.each<[string, Record<string, string>, string]>([
  ["a wrong value", { epochs: "many" }, "hyperparameter epochs is 'many', not a int"],
  ["a value out of bounds", { epochs: "0" }, "hyperparameter epochs is 0, outside of 1 to 10000"],
  ["an unknown name", { epoch: "1" }, "unknown hyperparameter epoch; known are epochs,"],
])("fails with a reason for %s", async (_, hyperparameters, reason) => {
  expect((await train(hyperparameters)).code).toBe(2);
  expect(await readFile(join(ml, "output/failure"), "utf8")).toContain(reason);
});

it("fails with a reason without data", async () => {
  await rm(join(ml, "input/data"), { recursive: true });
  expect((await train({})).code).toBe(2);
  expect(await readFile(join(ml, "output/failure"), "utf8")).toContain("no CSV files in the channel train");
});
