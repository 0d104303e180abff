import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WandbRelease } from "../../support/python-peers.ts";
import { CROSSED_WORLDS, startWandbWorld, type WandbWorld } from "../../support/wandb-world.ts";

/** Runs of the unmodified client: everything that its code reports is kept, and read back by the client's own API. */

describe.each(CROSSED_WORLDS)("on $database", ({ database, releases }) => {
  let world: WandbWorld;
  beforeAll(async () => {
    world = await startWandbWorld({ database, env: { SLIPWAY_RUN_SILENCE_SECONDS: "20" } });
  });
  afterAll(() => world?.close());

  /** Runs the program and reads the JSON that it prints last. */
  async function python<T>(release: WandbRelease, source: string, env: Record<string, string> = {}): Promise<T> {
    const client = await world.client(release, { env });
    const { code, stdout, stderr } = await client.python(`import json, math, os, sys, time, wandb\n${source}`);
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    const answers = stdout.split("\n").filter((line) => /^[[{]/.test(line));
    return JSON.parse(answers.at(-1) ?? "") as T;
  }

  describe.each(releases)("wandb %s", (release) => {
    const project = `runs-${release.replaceAll(".", "-")}`;

    test("config, summary, history with odd values, console, tags, notes and groups are read back", async () => {
      await python(
        release,
        `
run = wandb.init(project="${project}", id="whole", name="first", config={"lr": 0.1, "nest": {"a": 1}},
  tags=["x", "ÿ"], notes="hello", group="g1", job_type="train", settings=wandb.Settings(x_stats_sampling_interval=0.2))
for i in range(20):
    run.log({"loss": 1 / (i + 1), "nan": float("nan"), "inf": math.inf, "ninf": -math.inf, "text": "tëxt ☃", "nested": {"a": {"b": i}},
      "hist": wandb.Histogram([1, 2, 3]), "big": 2**60})
    print("line", i)
print("to stderr", file=sys.stderr)
time.sleep(1)
run.summary["best"] = 3
run.config.update({"late": True})
run.alert("Loss is odd", "look at it", level=wandb.AlertLevel.WARN)
run.finish()
print("{}")`,
      );
      const read = await python<Record<string, unknown>>(
        release,
        `
run = wandb.Api().run("admin/${project}/whole")
rows = list(run.scan_history())
last = rows[-1]
some = list(run.scan_history(keys=["loss", "_step"], min_step=5, max_step=8))
sampled = run.history(samples=5, pandas=False)
picked = run.history(keys=["loss", "nested.a.b"], samples=4, pandas=False)
system = run.history(stream="system", pandas=False)
print(json.dumps(dict(
  state=run.state, name=run.name, tags=run.tags, notes=run.notes, group=run.group, job_type=run.job_type,
  lr=run.config["lr"], nest=run.config["nest"], late=run.config["late"],
  best=run.summary["best"], loss=run.summary["loss"], nan=repr(run.summary["nan"]), hist=run.summary["hist"]["_type"],
  steps=[row["_step"] for row in rows], odd_values=[repr(last[k]) for k in ("nan", "inf", "ninf")], text=last["text"],
  nested=last.get("nested") or last.get("nested.a.b"), big=last["big"], bins=len(last["hist"]["bins"]),
  some=[row["_step"] for row in some], some_keys=sorted(some[0]), last_step=run.lastHistoryStep,
  sampled=[row["_step"] for row in sampled], picked=[row["nested.a.b"] for row in picked], system=len(system),
)))`,
      );
      expect(read).toMatchObject({
        state: "finished",
        name: "first",
        tags: ["x", "ÿ"],
        notes: "hello",
        group: "g1",
        job_type: "train",
        lr: 0.1,
        nest: { a: 1 },
        late: true,
        best: 3,
        loss: 0.05,
        nan: "nan",
        hist: "histogram",
        steps: Array.from({ length: 20 }, (_, i) => i),
        odd_values: ["nan", "inf", "-inf"],
        text: "tëxt ☃",
        big: 2 ** 60,
        bins: 65,
        some: [5, 6, 7],
        some_keys: ["_step", "loss"],
        last_step: 19,
        sampled: [0, 5, 10, 14, 19],
        picked: [0, 6, 13, 19],
      });
      expect(read.system).toBeGreaterThan(0);
      expect(JSON.stringify(read.nested)).toContain("19");

      const { project: found } = await world.graphql<{
        project: { run: { logLines: { edges: { node: { line: string; level: string } }[] }; alerts: object[] } };
      }>(
        `query Console($project: String!) { project(entityName: "admin", name: $project) { run(name: "whole") {
           logLines(first: 100) { edges { node { line level } } } alerts { title text severity } } } }`,
        { project },
      );
      const lines = found.run.logLines.edges.map(({ node }) => `${node.level} ${node.line}`);
      expect(lines).toEqual(expect.arrayContaining(["info line 0", "info line 19", "error to stderr"]));
      expect(found.run.alerts).toEqual([{ title: "Loss is odd", text: "look at it", severity: "WARN" }]);
    });

    // The client speaks every 15 s: the stop and the silence take their time.
    test("exit codes end runs, a killed one has crashed, and the API changes, stops and deletes runs", async () => {
      const ends = await python<Record<string, string>>(
        release,
        `
import subprocess
def child(id, body):
    return subprocess.Popen([sys.executable, "-c", "import os, sys, time, wandb, signal\\nrun = wandb.init(project='${project}', id='%s')\\n%s" % (id, body)], start_new_session=True)
children = [child("raises", "raise RuntimeError('no')"), child("exits", "sys.exit(3)"), child("code", "run.finish(exit_code=7)"),
  child("stopped", "while True: run.log({'x': 1}); time.sleep(0.2)"),
  child("killed", "run.log({'x': 1}); print('up', flush=True)\\nwhile True: time.sleep(0.2)")]
api = wandb.Api()
def state(id):
    try: return wandb.Api().run("admin/${project}/" + id).state
    except Exception as error: return str(error)
while state("stopped") != "running" or state("killed") != "running": time.sleep(0.3)
os.killpg(children[4].pid, 9)
import base64, urllib.request
id = base64.b64encode(b"Run:v1:stopped:${project}:admin").decode()
body = json.dumps({"query": "mutation S($id: ID!) { stopRun(input: {id: $id}) { success } }", "variables": {"id": id}}).encode()
urllib.request.urlopen(urllib.request.Request(os.environ["WANDB_BASE_URL"] + "/graphql", body,
  {"content-type": "application/json", "authorization": "Bearer " + os.environ["WANDB_API_KEY"]})).read()
for c in children[:4]: c.wait()
deadline = time.time() + 40
while state("killed") != "crashed" and time.time() < deadline: time.sleep(0.5)
run = api.run("admin/${project}/code")
run.config["later"] = 5
run.tags.append("kept")
run.summary["added"] = 1
run.update()
api.run("admin/${project}/raises").delete()
again = wandb.Api().run("admin/${project}/code")
print(json.dumps(dict(raises=state("raises"), exits=state("exits"), code=state("code"), stopped=state("stopped"), killed=state("killed"),
  later=again.config["later"], tags=again.tags, added=again.summary["added"])))`,
      );
      expect(ends).toMatchObject({
        exits: "failed",
        code: "failed",
        stopped: "failed",
        killed: "crashed",
        later: 5,
        tags: ["kept"],
        added: 1,
      });
      expect(ends.raises).toContain("raises");
    });

    test("a run is resumed, refused and begun anew as resume says; an offline run is synced", async () => {
      const read = await python<Record<string, unknown>>(
        release,
        `
def go(**more):
    run = wandb.init(project="${project}", **more)
    for i in range(3): run.log({"x": run.step})
    run.finish()
    return run
def steps(id): return [row["_step"] for row in wandb.Api().run("admin/${project}/" + id).scan_history()]
def refused(**more):
    try:
        go(**more)
        return ""
    except Exception as error:
        return type(error).__name__
go(id="again", resume="allow", config={"a": 1})
go(id="again", resume="allow", config={"b": 2})
must = refused(id="missing", resume="must")
go(id="again", resume="must")
first = steps("again")
never = refused(id="again", resume="never")
config = dict(wandb.Api().run("admin/${project}/again").config)
go(id="anew"); go(id="anew")
anew = steps("anew")
os.environ["WANDB_MODE"] = "offline"
offline = wandb.init(project="${project}", id="offline")
for i in range(5): offline.log({"x": i})
offline.finish()
print(json.dumps(dict(first=first, config=config, must=must, never=never, anew=anew, dir=offline.dir)))`,
      );
      expect(read).toMatchObject({ first: [0, 1, 2, 3, 4, 5, 6, 7, 8], config: { a: 1, b: 2 }, anew: [0, 1, 2] });
      expect(read.must).not.toBe("");
      expect(read.never).not.toBe("");

      const client = await world.client(release);
      const directory = String(read.dir).replace(/\/files$/, "");
      for (let times = 0; times < 2; times++) {
        const synced = await client.wandb(["sync", "--include-synced", directory]);
        expect(synced.code, synced.stderr).toBe(0);
      }
      const offline = await python<number[]>(
        release,
        `print(json.dumps([row["x"] for row in wandb.Api().run("admin/${project}/offline").scan_history()]))`,
      );
      expect(offline).toEqual([0, 1, 2, 3, 4]);
    });
  });
});
