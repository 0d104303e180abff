import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WandbRelease } from "../../support/python-peers.ts";
import { CROSSED_WORLDS, startWandbWorld, type WandbWorld } from "../../support/wandb-world.ts";

/** Many runs at once and one very long run of the unmodified client: every step is kept once, in order. */

describe.each(CROSSED_WORLDS)("on $database", ({ database, releases }) => {
  let world: WandbWorld;
  beforeAll(async () => {
    world = await startWandbWorld({ database });
  });
  afterAll(() => world?.close());

  /** Runs the program and reads the JSON that it prints last. */
  async function python<T>(release: WandbRelease, source: string): Promise<T> {
    const client = await world.client(release);
    const { code, stdout, stderr } = await client.python(`import json, math, threading, wandb\n${source}`);
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    const answers = stdout.split("\n").filter((line) => /^[[{]/.test(line));
    return JSON.parse(answers.at(-1) ?? "") as T;
  }

  describe.each(releases)("wandb %s", (release) => {
    const project = `load-${release.replaceAll(".", "-")}`;

    test("50 runs that report at once each keep their own history", async () => {
      const read = await python<Record<string, { steps: number[]; mine: number[]; state: string; last: number }>>(
        release,
        `
# Else each thread starts a service process of its own, and the client may wait for ever for the end of one it has lost.
wandb.setup()
together = threading.Barrier(50)
failures = []
def go(n):
    try:
        run = wandb.init(project="${project}", id="many-%d" % n, reinit="create_new",
          settings=wandb.Settings(x_disable_stats=True, x_disable_meta=True, disable_git=True, save_code=False, console="off", silent=True))
        together.wait(120)
        for i in range(30): run.log({"mine": n * 1000 + i})
        run.finish()
    except BaseException as error:
        failures.append(repr(error)); together.abort()
threads = [threading.Thread(target=go, args=(n,)) for n in range(50)]
for t in threads: t.start()
for t in threads: t.join()
assert not failures, failures
api = wandb.Api()
runs = [api.run("admin/${project}/many-%d" % n) for n in range(50)]
print(json.dumps({run.id: dict(state=run.state, last=run.summary["mine"],
  steps=[row["_step"] for row in rows], mine=[row["mine"] for row in rows])
  for run in runs for rows in [list(run.scan_history())]}))`,
      );
      const expected = Object.fromEntries(
        Array.from({ length: 50 }, (_, n) => [
          `many-${n}`,
          {
            state: "finished",
            last: n * 1000 + 29,
            steps: Array.from({ length: 30 }, (_, i) => i),
            mine: Array.from({ length: 30 }, (_, i) => n * 1000 + i),
          },
        ]),
      );
      expect(read).toEqual(expected);
    });

    test("100,000 steps of one run are all read back, as a whole, in a range and sampled", async () => {
      const read = await python<Record<string, unknown>>(
        release,
        `
run = wandb.init(project="${project}", id="long", settings=wandb.Settings(console="off", x_disable_stats=True))
for i in range(100_000):
    run.log({"x": i, "odd": float("nan") if i % 2 else i / 7})
run.finish()
run = wandb.Api().run("admin/${project}/long")
count = 0; wrong = []
for row in run.scan_history(keys=["_step", "x"], page_size=10_000):
    if (row["_step"] != count or row["x"] != count) and len(wrong) < 5: wrong.append([count, row])
    count += 1
part = [row["x"] for row in run.scan_history(min_step=49_998, max_step=50_003)]
odd = [repr(row["odd"]) for row in run.scan_history(min_step=99_998, max_step=100_000)]
sampled = run.history(keys=["x"], samples=200, pandas=False)
xs = [row["x"] for row in sampled]
print(json.dumps(dict(count=count, wrong=wrong, part=part, odd=odd, state=run.state, x=run.summary["x"], last=run.lastHistoryStep,
  sampled=len(xs), ends=[xs[0], xs[-1]], ordered=xs == sorted(set(xs)), widest=max(b - a for a, b in zip(xs, xs[1:])))))`,
      );
      expect(read).toMatchObject({
        count: 100_000,
        wrong: [],
        part: [49_998, 49_999, 50_000, 50_001, 50_002],
        odd: [String(99_998 / 7), "nan"],
        state: "finished",
        x: 99_999,
        last: 99_999,
        sampled: 200,
        ends: [0, 99_999],
        ordered: true,
      });
      expect(read.widest).toBeLessThan(1_000);
    });
  });
});
