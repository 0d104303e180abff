import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pythonPeers } from "../../support/python-peers.ts";
import type { Started } from "../../support/slipway.ts";
import { pushTrainingImage } from "../../support/training-image.ts";
import { localAwsOf, makeTrainingQueue } from "../../support/training-queue.ts";
import { CROSSED_WORLDS, startWandbWorld, type WandbWorld } from "../../support/wandb-world.ts";
import { awsVariables } from "../../support/world.ts";

/** What an item changes of a job reaches its training code through the client's own `launch.manage_config_file` and `wandb.init`. */

// The image's own directory is not to be written to, and manage_config_file writes the files that it manages.
const TRAIN = `
import json, os, shutil, tempfile
import wandb
from wandb.sdk import launch
work = tempfile.mkdtemp()
shutil.copytree("settings", os.path.join(work, "settings"))
os.chdir(work)
launch.manage_config_file("settings/model.json")
launch.manage_config_file("settings/data.yaml")
launch.manage_wandb_config(include=["lr"])
with wandb.init(config={"lr": 1, "kept": 2}) as run:
    run.summary["model"] = open("settings/model.json").read()
    run.summary["data"] = open("settings/data.yaml").read()
`;

const LONG = "ünïcode ".repeat(200);
const FILES = {
  "settings/model.json": { layers: { width: 64 }, note: LONG },
  "settings/data.yaml": { rows: [1, 2, 3] },
};

describe.each(CROSSED_WORLDS)("jobs on $database", ({ database, releases }) => {
  let world: WandbWorld;
  let image: string;
  let agent: Started;

  beforeAll(async () => {
    world = await startWandbWorld({ database, localAws: true });
    const local = localAwsOf(world);
    const aws = local.environment;
    image = await pushTrainingImage(local, "jobs", {
      "train.py": TRAIN,
      "settings/model.json": JSON.stringify({ layers: { width: 1, depth: 3 }, note: "" }),
      "settings/data.yaml": "rows: []\nshuffle: true\n",
    });
    await makeTrainingQueue(world, "jobs");
    agent = world.start(["launch-agent", "-q", "jobs", "--data", join(world.dataDir, "agent")], {
      env: {
        ...awsVariables(aws),
        WANDB_BASE_URL: world.url,
        WANDB_API_KEY: world.apiKey,
      },
    });
  });
  afterAll(async () => {
    await agent?.end("SIGTERM");
    await world?.close();
  });

  test.concurrent.each(releases)("wandb %s: values for managed files and config arrive whole", async (release) => {
    const { python } = await pythonPeers(release);
    const client = await world.client(release);
    const overrides = { run_config: { lr: 0.25 }, files: FILES };
    const { code, stdout, stderr } = await client.python(`
import json
from wandb.sdk.launch import launch_add
queued = launch_add(docker_image="${image}", project="jobs", entity="admin", queue_name="jobs",
  entry_point=["${python}", "train.py"], config=json.loads(r'''${JSON.stringify({ overrides })}'''))
run = queued.wait_until_finished()
print(json.dumps({"state": run.state, "config": run.config, "model": run.summary["model"], "data": run.summary["data"]}))`);
    expect(code, `${stdout}\n${stderr}\n${agent.output()}`).toBe(0);
    const seen = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    expect(seen).toMatchObject({ state: "finished", config: { lr: 0.25, kept: 2 } });
    expect(JSON.parse(seen.model)).toEqual({ layers: { width: 64, depth: 3 }, note: LONG });
    expect(seen.data).toBe("rows:\n- 1\n- 2\n- 3\nshuffle: true\n");
  });

  test.concurrent.each(releases)("wandb %s: a run knows the commit that its job names", async (release) => {
    const commit = "0123456789".repeat(4);
    const env = { WANDB_GIT_REMOTE_URL: "https://host.example/team/code.git", WANDB_GIT_COMMIT: commit };
    const client = await world.client(release, { env });
    const { code, stdout, stderr } = await client.python(`
import json, wandb
with wandb.init(project="commits") as run:
    pass
found = wandb.Api().run(run.path)
print(json.dumps({"commit": found.commit, "state": found.state}))`);
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "")).toEqual({ commit, state: "finished" });
  });
});
