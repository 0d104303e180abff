import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GitServer, startGitServer } from "../../support/git-server.ts";
import { pythonPeers, type WandbRelease } from "../../support/python-peers.ts";
import { until } from "../../support/slipway.ts";
import type { WandbClient } from "../../support/wandb-client.ts";
import { startWandbWorld, type WandbWorld, WORLDS } from "../../support/wandb-world.ts";

/** Jobs that runs make of themselves, and jobs launched in every way, run by `wandb launch-agent` as processes of its machine. */

const execute = promisify(execFile);

const LR = { type: "object", properties: { lr: { type: "number", minimum: 0, maximum: 1 } } };
const WIDTH = { type: "object", properties: { width: { type: "integer", maximum: 99 } } };

/** Takes its config from the launch, and a managed file; tells what it saw in its summary. */
const TRAIN = `
import json, os, wandb
from wandb.sdk import launch
launch.manage_config_file("model.json", schema=${JSON.stringify(WIDTH)})
if os.environ.get("MANAGE"):
    launch.manage_wandb_config(include=["lr"], schema=${JSON.stringify(LR)})
with wandb.init(config={"lr": 0.5, "epochs": 2}) as run:
    if os.environ.get("LOG_CODE"):
        run.log_code(".", include_fn=lambda path: path.endswith((".py", ".json", ".txt")))
    run.summary["model"] = json.load(open("model.json"))
    run.log({"loss": run.config["lr"] / 2})
`;
const CODE = {
  "train.py": TRAIN,
  "model.json": JSON.stringify({ width: 1, depth: 3 }),
  "requirements.txt": "wandb\n",
};

const PRELUDE = `
import contextlib, io, json, os, subprocess, sys, wandb
from wandb.cli.cli import cli
api = wandb.Api()
def command(*args):
    """The client's own command line, without another process for it."""
    out, ok = io.StringIO(), True
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            cli.main(list(args), standalone_mode=False)
        except BaseException as error:
            ok = isinstance(error, SystemExit) and not error.code
            # The text of a wrapped exception is an exception itself.
            print(getattr(error, "message", None) or repr(error))
    return {"ok": ok, "said": out.getvalue()}
def read(name):
    job = api.artifact(name, type="job")
    folder = job.download()
    return {"version": job.version, "aliases": sorted(job.aliases), "metadata": job.metadata, "files": sorted(job.manifest.entries),
      "job": json.load(open(os.path.join(folder, "wandb-job.json")))}
def ended(queued):
    run = queued.wait_until_finished()
    return {"state": run.state, "config": dict(run.config), "loss": run.summary.get("loss"),
      "model": run.summary.get("model") and dict(run.summary.get("model")), "used": [job.name for job in run.used_artifacts()]}
`;

interface Item {
  readonly id: string;
  readonly state: string;
}

describe.concurrent.each(WORLDS)("jobs on a machine of one's own, on $database", ({ database, releases }) => {
  let world: WandbWorld;
  let git: GitServer;
  beforeAll(async () => {
    [world, git] = await Promise.all([startWandbWorld({ database }), startGitServer()]);
  });
  afterAll(async () => {
    await world?.close();
    await git?.close();
  });

  async function python<T>(client: WandbClient, source: string): Promise<T> {
    const { code, stdout, stderr } = await client.python(PRELUDE + source);
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as T;
  }

  async function folderWith(name: string, files: Readonly<Record<string, string>>): Promise<string> {
    const folder = join(world.dataDir, name);
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    return folder;
  }

  const tagOf = (release: WandbRelease) => release.replaceAll(".", "-");

  test.concurrent.each(releases)("wandb %s: a run makes a job of itself, which runs again", async (release) => {
    const tag = tagOf(release);
    // A process of the machine has no environment of its own, so the program is named by its path.
    const { python: program } = await pythonPeers(release);
    const client = await world.client(release, { env: git.env });
    const repository = `runs-${tag}/code.git`;
    const commit = await git.commit(repository, CODE);
    const checkout = join(world.dataDir, `checkout-${tag}`);
    await execute("git", ["clone", "--quiet", `${git.url}/${repository}`, checkout], {
      env: { ...process.env, ...git.env },
    });
    const image = await folderWith(`image-${tag}`, CODE);
    const code = await folderWith(`code-${tag}`, CODE);
    const project = `runs-${tag}`;

    const made = await python<Record<string, unknown>>(
      client,
      `
def train(folder, **env):
    said = subprocess.run([sys.executable, "train.py"], cwd=folder, capture_output=True, text=True,
      env={**os.environ, "WANDB_PROJECT": "${project}", "WANDB_DISABLE_JOB_CREATION": "false", **env})
    assert said.returncode == 0, said.stdout + said.stderr
train("${image}", WANDB_DOCKER="me/digits:v3", WANDB_JOB_NAME="from-image", MANAGE="1")
train("${code}", LOG_CODE="1", WANDB_JOB_NAME="from-code", MANAGE="1")
train("${checkout}", WANDB_JOB_NAME="from-git")
listed = sorted(job["edges"][0]["node"]["artifactSequence"]["name"] for job in api.list_jobs(entity="admin", project="${project}"))
print(json.dumps({"listed": listed, **{name: read("admin/${project}/from-" + name + ":latest") for name in ("image", "code", "git")}}))`,
    );
    const number = { wb_type: "number" };
    const inputs = {
      input_schemas: { "@wandb.config": LR, files: { "model.json": WIDTH } },
      input_types: { "@wandb.config": { params: { type_map: { lr: number } } } },
    };
    expect(made).toMatchObject({
      listed: ["from-code", "from-git", "from-image"],
      image: {
        version: "v0",
        aliases: ["latest"],
        metadata: inputs,
        files: ["requirements.frozen.txt", "wandb-job.json"],
        job: {
          source_type: "image",
          source: { image: "me/digits:v3" },
          output_types: { params: { type_map: { loss: number } } },
        },
      },
      code: {
        metadata: inputs,
        job: {
          source_type: "artifact",
          source: { notebook: false, artifact: expect.stringMatching("^wandb-artifact://_id/") },
        },
      },
      git: {
        files: ["requirements.frozen.txt", "wandb-job.json"],
        metadata: { input_schemas: { files: { "model.json": WIDTH } } },
        job: { source_type: "repo", source: { git: { remote: `${git.url}/${repository}`, commit } } },
      },
    });

    const queue = `again-${tag}`;
    const agent = await startAgent(client, queue);
    try {
      const again = await python<Record<string, unknown>>(
        client,
        `
from wandb.sdk.launch import launch_add
def push(job, run_config, files):
    # The program that the client writes into a run's own job is none, so it is given here.
    return launch_add(job="admin/${project}/" + job, project="${project}", entity="admin", queue_name="${queue}",
      entry_point=["${program}", "train.py"], config={"overrides": {"run_config": run_config, "files": {"model.json": files}}})
code, repo = push("from-code:latest", {"lr": 0.25}, {"width": 64}), push("from-git:v0", {"lr": 0.125}, {})
refused = []
for given in ({"lr": 7}, {"width": 100}), ({"lr": "fast"}, {}):
    try:
        push("from-image:latest", *given)
    except Exception as error:
        refused.append(str(error))
print(json.dumps({"code": ended(code), "git": ended(repo), "refused": refused, "states": [code.state, repo.state]}))`,
      );
      expect(again, agent.output()).toMatchObject({
        code: {
          state: "finished",
          config: { lr: 0.25, epochs: 2 },
          loss: 0.125,
          model: { width: 64, depth: 3 },
          used: ["from-code:v0"],
        },
        git: { state: "finished", config: { lr: 0.125 }, loss: 0.0625, model: { width: 1, depth: 3 } },
      });
      const [values, type] = again.refused as readonly string[];
      expect(values).toContain("overrides.run_config.lr must be <= 1");
      expect(values).toContain('overrides.files["model.json"].width must be <= 99');
      expect(type).toContain("overrides.run_config.lr must be number");
    } finally {
      await agent.stop();
    }
  });

  test.concurrent.each(releases)("wandb %s: from a directory, from a repository and by call", async (release) => {
    const tag = tagOf(release);
    // A process of the machine has no environment of its own, so the program is named by its path.
    const { python: program } = await pythonPeers(release);
    const project = `launched-${tag}`;
    const queue = `launch-${tag}`;
    // The first run of a job that was made without one tells what the code takes.
    const env = { ...git.env, WANDB_DISABLE_JOB_CREATION: "false", MANAGE: "1" };
    const client = await world.client(release, { env });
    const repository = `launched-${tag}/code.git`;
    await git.commit(repository, CODE);
    const folder = await folderWith(`uri-${tag}`, CODE);
    const agent = await startAgent(client, queue);
    try {
      const seen = await python<Record<string, unknown>>(
        client,
        `
target = ["-e", "admin", "-p", "${project}"]
launched = [command("launch", *target, "--uri", uri, "--job-name", name, "-E", "${program} train.py", "-q", "${queue}")
  for name, uri in (("by-folder", "${folder}"), ("by-git", "${git.url}/${repository}"))]
# Made without a run, and run as it is by the client itself: a base image stands in for a build.
made = command("job", "create", "code", *target, "-n", "direct", "-E", "${program} train.py", "-B", "none", "${folder}")
direct = command("launch", *target, "-j", "admin/${project}/direct:v0", "-r", "local-process",
  "-c", json.dumps({"overrides": {"run_config": {"lr": 0.25}}, "run_id": "directly"}))
run = api.run("admin/${project}/directly")
job = api.job("admin/${project}/by-folder:latest")
where = dict(project="${project}", entity="admin", queue="${queue}", resource="local-process", project_queue="model-registry")
try:
    job.call(config={"lr": 0.25}, **where)
except TypeError as error:
    unknown = str(error)
called = job.call(config={}, priority=0, **where)
running = called.wait_until_running()
finished = ended(called)
dropped = job.call(config={}, priority=3, **where)
before = dropped.state
dropped.delete()
metadata = read("admin/${project}/by-folder:latest")["metadata"]
wrong = [command("launch", *target, "-q", "${queue}", "-j", f"admin/${project}/{name}", "-c", json.dumps({"overrides": {"run_config": {"lr": lr}}}))
  for name, lr in (("by-folder:latest", 2), ("by-foldr:latest", 1))]
print(json.dumps({"launched": launched, "made": made, "direct": {**direct, "state": run.state, "lr": run.config["lr"], "used": [job.name for job in run.used_artifacts()]},
  "unknown": unknown, "called": finished, "same": running.id == called.wait_until_running().id, "before": before, "after": dropped.state,
  "metadata": metadata, "wrong": wrong}))`,
      );
      expect(seen, agent.output()).toMatchObject({
        launched: ["by-folder", "by-git"].map((name) => ({
          ok: true,
          said: expect.stringContaining(`'job': 'admin/${project}/${name}:v0'`),
        })),
        made: { ok: true },
        direct: { ok: true, state: "finished", lr: 0.25, used: ["direct:v0"] },
        // The client's own: it compares with the types of wandb-job.json, which has none.
        unknown: expect.stringContaining("Found extra keys: lr"),
        called: { state: "finished", config: { lr: 0.5 }, loss: 0.25, used: ["by-folder:v0"] },
        same: true,
        before: expect.stringMatching("pending|leased|claimed"),
        after: "stopped",
        metadata: { input_schemas: { "@wandb.config": LR, files: { "model.json": WIDTH } } },
        wrong: [
          { ok: false, said: expect.stringContaining("overrides.run_config.lr must be <= 1") },
          { ok: false, said: expect.stringContaining("by-folder") },
        ],
      });
      expect(seen.metadata).not.toHaveProperty("_partial");
      const states = await until(`the ends of the items\n${agent.output()}`, async () => {
        const all = (await itemsOf(queue)).map(({ state }) => state);
        return all.some((state) => ["PENDING", "LEASED", "CLAIMED"].includes(state)) ? undefined : all;
      });
      expect([...states].sort()).toEqual(["FINISHED", "FINISHED", "FINISHED", "STOPPED"]);
    } finally {
      await agent.stop();
    }
  });

  async function itemsOf(queue: string): Promise<readonly Item[]> {
    const { runQueueItems } = await world.graphql<{ runQueueItems: { edges: { node: Item }[] } }>(
      `query I($queue: String!) { runQueueItems(entityName: "admin", queueName: $queue, first: 20) { edges { node { id state } } } }`,
      { queue },
    );
    return runQueueItems.edges.map(({ node }) => node);
  }

  /** A queue for processes of the agent's machine, and the client's agent on it. */
  async function startAgent(client: WandbClient, queue: string) {
    await world.graphql(`mutation Q($input: UpsertRunQueueInput!) { upsertRunQueue(input: $input) { success } }`, {
      input: {
        entityName: "admin",
        projectName: "model-registry",
        queueName: queue,
        resourceType: "local-process",
        resourceConfig: "{}",
        prioritizationMode: "V0",
      },
    });
    return client.start(["launch-agent", "-q", queue, "-e", "admin", "-j", "4"]);
  }
});
