import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CROSSED_WORLDS, startWandbWorld, type WandbWorld } from "../../support/wandb-world.ts";

/** `early_terminate` with the unmodified client: the worse run's code ends long before its own end. */

const CODE = (project: string) => `
import json, time, wandb
entity, project = "admin", "${project}"
steps = {}
def train():
  with wandb.init(settings=wandb.Settings(x_file_stream_transmit_interval=1)) as run:
    x = run.config["x"]
    for step in range(4 if x == 1 else 300):
      steps[x] = step
      run.log({"loss": x})
      if x > 1:
        time.sleep(0.2)
sweep = wandb.sweep({"method": "grid", "early_terminate": {"type": "hyperband", "min_iter": 3},
  "metric": {"name": "loss", "goal": "minimize"}, "parameters": {"x": {"values": [1, 2]}}}, project=project, entity=entity)
wandb.agent(sweep, train, project=project, entity=entity)
one = wandb.Api().sweep(f"{entity}/{project}/{sweep}")
print(json.dumps({"steps": [steps[1], steps[2]], "state": one.state, "runs": [r.state for r in one.runs]}))
`;

describe.each(CROSSED_WORLDS)("early stop on $database", ({ database, releases }) => {
  let world: WandbWorld;
  beforeAll(async () => {
    world = await startWandbWorld({ database });
  });
  afterAll(() => world?.close());

  test.each(releases)("wandb %s: the worse run of a sweep is stopped at its first rung", async (release) => {
    const client = await world.client(release);
    const { code, stdout, stderr } = await client.python(CODE(`early-${release.replaceAll(".", "-")}`));
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    const { steps, state, runs } = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as {
      steps: [number, number];
      state: string;
      runs: string[];
    };
    expect(state).toBe("FINISHED");
    expect(runs).toEqual(["finished", expect.stringMatching(/^(failed|killed)$/)]);
    expect(steps[0]).toBe(3);
    expect(steps[1]).toBeGreaterThanOrEqual(2);
    expect(steps[1]).toBeLessThan(299);
  });
});
