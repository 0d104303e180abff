import { expect, test } from "vitest";
import type { RunSpec } from "../items/run-spec.ts";
import { readLaunchScheduler, schedulerSettings, writeLaunchScheduler } from "./launch-scheduler.ts";
import { fillCommand, pythonText } from "./sweep-command.ts";
import { parseSweepConfig } from "./sweep-config.ts";
import { sweepRunPush } from "./sweep-run-spec.ts";

const ARGS = {
  lr: { value: 0.1 },
  deep: { value: true },
  flat: { value: false },
  none: { value: null },
  opt: { value: { a: [1, true] } },
};

test.each([
  ["args", ["--lr=0.1", "--deep=True", "--flat=False", "--none=None", "--opt={'a': [1, True]}"]],
  ["args_no_hyphens", ["lr=0.1", "deep=True", "flat=False", "none=None", "opt={'a': [1, True]}"]],
  [
    "args_no_equals",
    ["--lr", "0.1", "--deep", "True", "--flat", "False", "--none", "None", "--opt", "{'a': [1, True]}"],
  ],
  ["args_no_boolean_flags", ["--lr=0.1", "--deep", "--none=None", "--opt={'a': [1, True]}"]],
  ["args_append_hydra", ["+lr=0.1", "+deep=True", "+flat=False", "+none=None", "+opt={'a': [1, True]}"]],
  ["args_override_hydra", ["++lr=0.1", "++deep=True", "++flat=False", "++none=None", "++opt={'a': [1, True]}"]],
  ["args_json", ['{"lr":0.1,"deep":true,"flat":false,"none":null,"opt":{"a":[1,true]}}']],
])("${%s} stands for the values, and what follows stays behind them", (form, args) => {
  const command = ["${env}", "${interpreter}", "${program}", `\${${form}}`, "--epochs=3"];
  expect(fillCommand(command, "train.py", ARGS)).toEqual({
    entryPoint: ["/usr/bin/env", "python", "train.py"],
    args: [...args, "--epochs=3"],
  });
});

test("without a command the job's own stays; a variable of a host is refused by its name", () => {
  expect(fillCommand(null, null, ARGS)).toEqual({ entryPoint: [], args: [] });
  expect(() => fillCommand(["python", "${envvar:HOME}/train.py"], null, ARGS)).toThrow("${envvar:HOME}");
});

test.each([
  [1e-7, "1e-07"],
  [1e22, "1e+22"],
  [1.5e-10, "1.5e-10"],
  [0.0001, "0.0001"],
  ["it's", "it's"],
  [["it's", 'say "x"'], `["it's", 'say "x"']`],
])("%j is written as Python does: %s", (value, text) => {
  expect(pythonText(value)).toBe(text);
});

test("a run has the sweep's values over those of launch, its priority and template values", () => {
  const config = parseSweepConfig("method: grid\njob: me/p/train:latest\nparameters: {lr: {values: [0.1]}}");
  const text = writeLaunchScheduler({
    queue: "it's",
    entity: "team",
    project: "p",
    author: "me",
    source: { job: "me/p/train:latest" },
    scheduler: { num_workers: 3 },
    launch: { priority: 0, template_variables: { size: "big" }, overrides: { run_config: { seed: 1, lr: 9 } } },
  });
  const { queue, runSpec } = readLaunchScheduler(text, "abc");
  expect(queue).toBe("it's");
  const settings = schedulerSettings(JSON.parse(runSpec) as RunSpec, "other");
  expect(settings).toMatchObject({ workers: 3, queue: "it's", job: "me/p/train:latest", imageUri: null });
  const at = { sweepId: "abc", entity: "team", project: "p", author: "me" };
  const push = sweepRunPush(config, settings, { ...at, args: { lr: { value: 0.1 } } });
  expect({ ...push, runSpec: JSON.parse(push.runSpec) as unknown }).toEqual({
    priority: 0,
    templateVariableValues: '{"size":"big"}',
    runSpec: {
      entity: "team",
      project: "p",
      author: "me",
      sweep_id: "abc",
      job: "me/p/train:latest",
      docker: {},
      git: {},
      overrides: { run_config: { seed: 1, lr: 0.1 } },
    },
  });
});
