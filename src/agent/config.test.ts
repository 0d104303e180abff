import { expect, test } from "vitest";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { DEFAULT_LAUNCH_CONFIG, parseLaunchConfig } from "../core/launch-config/launch-config.ts";
import { readAgentConfig } from "./config.ts";

const env = { WANDB_BASE_URL: "http://127.0.0.1:8080/", WANDB_API_KEY: "k", SLIPWAY_DATA: "/data" };

test("the command line wins over launch-config.yaml, which wins over the environment", () => {
  const file = parseLaunchConfig("queues: [a, b]\nentity: team\nmax_jobs: -1\n", "launch-config.yaml");
  expect(readAgentConfig({ ...env, WANDB_ENTITY: "me" }, file)).toMatchObject({
    baseUrl: "http://127.0.0.1:8080",
    entity: "team",
    queues: ["a", "b"],
    maxJobs: Number.POSITIVE_INFINITY,
    dataDir: "/data",
  });
  expect(readAgentConfig(env, file, { queues: ["c"], entity: "x", maxJobs: 3 })).toMatchObject({
    queues: ["c"],
    entity: "x",
    maxJobs: 3,
  });
});

test("a stop acts at once, unless the file names a time to wait", () => {
  const none = parseLaunchConfig("queues: [a]\n", "f");
  const some = parseLaunchConfig("queues: [a]\nstopped_run_timeout: 60\n", "f");
  expect(readAgentConfig(env, none).stopDelaySeconds).toBe(0);
  expect(readAgentConfig(env, some).stopDelaySeconds).toBe(60);
});

test("what is missing is named", () => {
  const read = (variables: Record<string, string>, queues: string[] = ["q"]) => {
    try {
      return readAgentConfig(variables, DEFAULT_LAUNCH_CONFIG, { queues });
    } catch (error) {
      return error as SlipwayError;
    }
  };
  const missing = read({ WANDB_BASE_URL: "nowhere" });
  expect(missing).toBeInstanceOf(SlipwayError);
  expect(missing).toMatchObject({ code: "AGENT_SETTINGS_INVALID" });
  expect((missing as SlipwayError).problems.map((problem) => problem.path)).toEqual([
    "WANDB_BASE_URL",
    "WANDB_API_KEY",
  ]);
  expect(read(env, [])).toMatchObject({ code: "AGENT_NO_QUEUE" });
});
