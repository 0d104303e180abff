import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startWandbWorld, type WandbWorld, WORLDS } from "../../support/wandb-world.ts";

/** `wandb.sweep` and `wandb.agent` of the unmodified client, and its Api's lists of sweeps. */

describe.each(WORLDS)("sweeps on $database", ({ database, releases }) => {
  let world: WandbWorld;
  beforeAll(async () => {
    world = await startWandbWorld({ database });
  });
  afterAll(() => world?.close());

  test.each(releases)(
    "wandb %s: a grid runs whole, bayes to its cap, and a wrong config is refused",
    async (release) => {
      const project = `sweeps-${release.replaceAll(".", "-")}`;
      const client = await world.client(release);
      const { code, stdout, stderr } = await client.python(`
import json, wandb
entity, project = "admin", "${project}"
seen = []
def train():
  with wandb.init() as run:
    x = run.config["x"]
    seen.append([x, run.config.get("opt")])
    run.log({"loss": (x - 2) ** 2})
grid = wandb.sweep({"name": "the-grid", "method": "grid", "metric": {"name": "loss", "goal": "minimize"},
  "parameters": {"x": {"values": [1, 2]}, "opt": {"parameters": {"lr": {"values": [0.1]}}}}}, project=project, entity=entity)
wandb.agent(grid, train, project=project, entity=entity)
bayes = wandb.sweep({"method": "bayes", "run_cap": 2, "metric": {"name": "loss", "goal": "minimize"},
  "parameters": {"x": {"min": 0.0, "max": 4.0}}}, project=project, entity=entity)
wandb.agent(bayes, train, project=project, entity=entity)
try:
  wandb.sweep({"method": "grid", "parameters": {"x": {"distribution": "uniform", "min": 0.0, "max": 1.0}}}, project=project, entity=entity)
  wrong = "none"
except BaseException as e:
  wrong = str(e)
try:
  wandb.sweep({"method": "random", "early_terminate": {"type": "hyperband"},
    "metric": {"name": "loss"}, "parameters": {"x": {"values": [1, 2]}}}, project=project, entity=entity)
  early = "none"
except BaseException as e:
  early = str(e)
api = wandb.Api()
from click.testing import CliRunner
from wandb.cli import cli
held = wandb.sweep({"method": "random", "metric": {"name": "loss", "goal": "minimize"},
  "parameters": {"x": {"values": [1, 2]}}}, project=project, entity=entity)
states = [api.sweep(f"{entity}/{project}/{held}").state]
for change in ["--resume", "--pause", "--resume", "--cancel", "--resume"]:
  done = CliRunner().invoke(cli.cli, ["sweep", change, f"{entity}/{project}/{held}"])
  states.append([done.exit_code == 0, wandb.Api().sweep(f"{entity}/{project}/{held}").state])
one = api.sweep(f"{entity}/{project}/{grid}")
agents = one.agents() if hasattr(one, "agents") else None
if agents is not None:
  same = one.agent(agents[0].name)
  agents = [[a.state, a.totalRuns, [r.state for r in a.runs()]] for a in [agents[0], same]]
print(json.dumps({"seen": seen, "state": one.state, "name": one.name, "expected": one.expected_run_count,
  "runs": [[r.state, r.config["x"]] for r in one.runs], "best": one.best_run().config["x"],
  "ids": [s.name for s in api.project(project, entity).sweeps()], "bayes": api.sweep(f"{entity}/{project}/{bayes}").state, "agents": agents, "wrong": wrong, "early": early, "states": states}))
`);
      expect(code, `${stdout}\n${stderr}`).toBe(0);
      const value = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
      expect(value).toMatchObject({
        state: "FINISHED",
        name: "the-grid",
        expected: 2,
        runs: [
          ["finished", 1],
          ["finished", 2],
        ],
        best: 2,
        bayes: "FINISHED",
        states: [
          "PENDING",
          [true, "RUNNING"],
          [true, "PAUSED"],
          [true, "RUNNING"],
          [true, "CANCELED"],
          [false, "CANCELED"],
        ],
      });
      const seen = value.seen as unknown[];
      expect(seen).toHaveLength(4);
      expect(seen.slice(0, 2)).toEqual([
        [1, { lr: 0.1 }],
        [2, { lr: 0.1 }],
      ]);
      expect(value.ids).toHaveLength(3);
      // Agents of a sweep are asked for by the newer release alone.
      const known = ["FINISHED", 2, ["finished", "finished"]];
      expect(value.agents).toEqual(release === "0.23.0" ? null : [known, known]);
      expect(`${String(value.wrong)}\n${stderr}`).toContain("grid needs a list of values or an int_uniform");
      expect(`${String(value.early)}\n${stderr}`).toContain("early_terminate.min_iter or max_iter is needed");
    },
  );
});
