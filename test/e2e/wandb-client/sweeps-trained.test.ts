import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ListTrainingJobsCommand, SageMakerClient } from "@aws-sdk/client-sagemaker";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pythonPeers } from "../../support/python-peers.ts";
import { type Started, until } from "../../support/slipway.ts";
import { pushTrainingImage } from "../../support/training-image.ts";
import { localAwsOf, makeTrainingQueue } from "../../support/training-queue.ts";
import type { WandbClient } from "../../support/wandb-client.ts";
import { startWandbWorld, type WandbWorld, WORLDS } from "../../support/wandb-world.ts";
import { awsVariables } from "../../support/world.ts";

/** `wandb launch-sweep` on a queue that only `slipway launch-agent` serves: the server schedules, and the runs train on the local AWS. */

const TRAIN = `
import sys, wandb
given = dict(arg[2:].split("=") for arg in sys.argv[1:])
with wandb.init() as run:
    assert float(given["x"]) == run.config["x"], (given, dict(run.config))
    run.log({"loss": (run.config["x"] - 2) ** 2})
`;
/** Good with x = 2; else it goes on for a minute, without getting better. */
const RUNGS = `
import time, wandb
with wandb.init(settings=wandb.Settings(x_file_stream_transmit_interval=1)) as run:
    for step in range(4 if run.config["x"] == 2 else 300):
        run.log({"loss": (run.config["x"] - 2) ** 2})
        if run.config["x"] != 2:
            time.sleep(0.2)
`;
const HOLD = "import time\ntime.sleep(3600)\n";

interface Run {
  readonly name: string;
  readonly state: string;
  readonly config: string;
  readonly summaryMetrics: string;
  readonly runQueueItem: { readonly id: string; readonly state: string } | null;
}
interface Sweep {
  readonly state: string;
  readonly bestLoss: number | null;
  readonly runs: readonly Run[];
  readonly scheduler: { readonly id: string; readonly state: string };
}

describe.each(WORLDS)("sweeps that train, on $database", ({ database, releases }) => {
  let world: WandbWorld;
  let agent: Started;
  let image: string;

  beforeAll(async () => {
    world = await startWandbWorld({ database, localAws: true });
    const local = localAwsOf(world);
    image = await pushTrainingImage(local, "sweep", { "train.py": TRAIN, "hold.py": HOLD, "rungs.py": RUNGS });
    await makeTrainingQueue(world, "sweeps");
    agent = world.start(["launch-agent", "-q", "sweeps", "--data", join(world.dataDir, "agent")], {
      env: { ...awsVariables(local.environment), WANDB_BASE_URL: world.url, WANDB_API_KEY: world.apiKey },
    });
  });
  afterAll(async () => {
    await agent?.end("SIGTERM");
    await world?.close();
  });

  async function read(sweep: string): Promise<Sweep> {
    const { project } = await world.graphql<{
      project: {
        run: { runQueueItem: { id: string; state: string } };
        sweep: { state: string; bestLoss: number | null; runs: { edges: { node: Run }[] } };
      };
    }>(
      `query S($sweep: String!) { project(name: "tuning", entityName: "admin") {
        run(name: $sweep) { runQueueItem { id state } }
        sweep(sweepName: $sweep) { state bestLoss runs { edges { node { name state config summaryMetrics runQueueItem { id state } } } } } } }`,
      { sweep },
    );
    const { runs, ...rest } = project.sweep;
    const own = runs.edges.map(({ node }) => node).filter(({ name }) => name !== sweep);
    return { ...rest, runs: own, scheduler: project.run.runQueueItem };
  }
  const reached = (sweep: string, what: string, met: (now: Sweep) => boolean) =>
    until(
      `${what} of sweep ${sweep}`,
      async () => {
        const now = await read(sweep);
        return met(now) ? now : undefined;
      },
      agent,
    );

  async function launch(client: WandbClient, config: object, more: readonly string[] = []): Promise<string> {
    const file = join(world.dataDir, "sweep.json");
    await writeFile(file, JSON.stringify({ image_uri: image, ...config }));
    const args = ["launch-sweep", file, "-q", "sweeps", "-e", "admin", "-p", "tuning", ...more];
    const { code, stdout, stderr } = await client.wandb(args);
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    const [, sweep = ""] = /sweep with ID: (?:\W+\[?\d+m)?(\w+)/.exec(`${stdout}${stderr}`) ?? [];
    return sweep;
  }
  const xOf = ({ config }: Run) => (JSON.parse(config) as { x: { value: number } }).x.value;
  async function trained(run: Run): Promise<number> {
    const { client } = localAwsOf(world);
    const found = await new SageMakerClient(client).send(new ListTrainingJobsCommand({ NameContains: run.name }));
    return found.TrainingJobSummaries?.length ?? 0;
  }

  test.each(releases)("wandb %s: a run that falls behind is stopped, and its training job with it", async (release) => {
    const { python } = await pythonPeers(release);
    const sweep = await launch(await world.client(release), {
      method: "grid",
      metric: { name: "loss", goal: "minimize" },
      early_terminate: { type: "hyperband", min_iter: 3 },
      parameters: { x: { values: [2, 1] } },
      program: "rungs.py",
      command: [python, "${program}"],
      scheduler: { num_workers: 1 },
    });
    const ended = await reached(
      sweep,
      "the end",
      ({ scheduler }) => scheduler.state !== "CLAIMED" && scheduler.state !== "PENDING",
    );
    expect(ended, agent.output()).toMatchObject({ state: "FINISHED", bestLoss: 0, scheduler: { state: "FINISHED" } });
    const runs = [...ended.runs].sort((a, b) => xOf(b) - xOf(a));
    expect(runs.map((run) => [xOf(run), run.state, run.runQueueItem?.state])).toEqual([
      [2, "finished", "FINISHED"],
      [1, "killed", "STOPPED"],
    ]);
    const { client } = localAwsOf(world);
    const name = runs[1]?.name ?? "";
    const { TrainingJobSummaries: jobs = [] } = await new SageMakerClient(client).send(
      new ListTrainingJobsCommand({ NameContains: name }),
    );
    expect(jobs.map(({ TrainingJobStatus }) => TrainingJobStatus)).toEqual(["Stopped"]);
  });

  test.each(releases)(
    "wandb %s: a grid whose server is killed has each run once; bayes ends at its cap",
    async (release) => {
      const { python } = await pythonPeers(release);
      const client = await world.client(release);
      const common = {
        metric: { name: "loss", goal: "minimize" },
        program: "train.py",
        command: [python, "${program}", "${args}"],
      };
      const grid = await launch(client, {
        ...common,
        method: "grid",
        parameters: { x: { values: [1, 2, 4] } },
        scheduler: { num_workers: 2 },
      });
      const early = await reached(grid, "the first runs", ({ runs }) => runs.length === 2);
      expect(early).toMatchObject({ state: "RUNNING", scheduler: { state: "CLAIMED" } });
      await world.restartServer("SIGKILL");
      const bayes = await launch(client, {
        ...common,
        method: "bayes",
        run_cap: 2,
        parameters: { x: { min: 0.5, max: 3.5 } },
        scheduler: { num_workers: 1 },
      });
      const whole = await reached(grid, "the end", ({ scheduler }) => scheduler.state !== "CLAIMED");
      expect(whole, agent.output()).toMatchObject({ state: "FINISHED", bestLoss: 0, scheduler: { state: "FINISHED" } });
      expect(whole.runs.map(xOf).sort()).toEqual([1, 2, 4]);
      expect(whole.runs.map(({ state }) => state)).toEqual(["finished", "finished", "finished"]);
      for (const run of whole.runs) expect(await trained(run)).toBe(1);

      const capped = await reached(bayes, "the end", ({ scheduler }) => scheduler.state === "FINISHED");
      expect(capped.state).toBe("FINISHED");
      expect(capped.runs.map(({ state }) => state)).toEqual(["finished", "finished"]);
      for (const run of capped.runs)
        expect(JSON.parse(run.summaryMetrics)).toMatchObject({ loss: (xOf(run) - 2) ** 2 });
    },
  );

  test.each(releases)(
    "wandb %s: stopping the scheduler stops the runs; the sweep is resumed and cancelled by both command lines",
    async (release) => {
      const client = await world.client(release);
      const config = {
        method: "random",
        parameters: { x: { values: [1, 2] } },
        scheduler: { num_workers: 1 },
        command: ["python3", "hold.py"],
      };
      const sweep = await launch(client, config);
      const one = await reached(sweep, "the first run", ({ runs }) => runs[0]?.runQueueItem?.state === "CLAIMED");
      const stopped = await world.slipway(["item", "stop", one.scheduler.id]);
      expect(stopped.code, stopped.stderr).toBe(0);
      const ended = await reached(sweep, "the stop", ({ runs }) => runs[0]?.runQueueItem?.state === "STOPPED");
      expect(ended).toMatchObject({ state: "CANCELED", scheduler: { state: "STOPPED" } });
      expect(ended.runs).toHaveLength(1);

      expect(await launch(client, config, ["--resume_id", sweep])).toBe(sweep);
      await reached(sweep, "another run", ({ runs, state }) => state === "RUNNING" && runs.length === 2);
      const ours = async (verb: string) => {
        const done = await world.slipway(["sweep", verb, sweep, "-p", "tuning", "--json"]);
        expect(done.code, done.stderr).toBe(0);
        return JSON.parse(done.stdout) as { state: string; runs: { itemState: string; parameters: object }[] };
      };
      expect(await ours("cancel")).toMatchObject({ state: "CANCELED" });
      await reached(sweep, "the end", allStopped);
      expect(await ours("resume")).toMatchObject({ state: "PENDING" });
      await reached(sweep, "the third run", ({ runs, state }) => state === "RUNNING" && runs.length === 3);
      const cancelled = await client.wandb(["sweep", "--cancel", `admin/tuning/${sweep}`]);
      expect(cancelled.code, cancelled.stderr).toBe(0);
      await reached(sweep, "the end", allStopped);
      const shown = await ours("show");
      expect(shown.state).toBe("CANCELED");
      expect(shown.runs.map(({ itemState }) => itemState)).toEqual(["STOPPED", "STOPPED", "STOPPED"]);
      for (const { parameters } of shown.runs) expect([{ x: 1 }, { x: 2 }]).toContainEqual(parameters);
    },
  );
});

const allStopped = ({ runs, scheduler }: Sweep) =>
  scheduler.state === "STOPPED" && runs.every(({ runQueueItem }) => runQueueItem?.state === "STOPPED");
