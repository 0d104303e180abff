import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Finished } from "../../support/wandb-client.ts";
import { startWandbWorld, type WandbWorld, WORLDS } from "../../support/wandb-world.ts";

/** The client's own commands beside launching: what an operator and a person at a terminal type. */

/** Its remarks on an address without TLS, which these tests have. */
const NO_TLS = /not made over https|SSL|CORs/;

/** The client's own command line, one command after the other in one process. */
const PRELUDE = `
import contextlib, io, json, wandb
from wandb.cli.cli import cli
def command(*args):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            cli.main(list(args), standalone_mode=False)
        except SystemExit as end:
            assert not end.code, out.getvalue()
    return out.getvalue()
`;

// `wandb verify` runs nine runs of a sweep one after the other, each of which waits for the agent's next heartbeat.
describe.concurrent.each(WORLDS)("commands on $database", ({ database, releases }) => {
  let world: WandbWorld;
  beforeAll(async () => {
    world = await startWandbWorld({ database });
  });
  afterAll(() => world?.close());

  const done = ({ code, stdout, stderr }: Finished): string => {
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    return stdout + stderr;
  };

  /** The JSON that a program prints last. */
  const session = (finished: Finished) => {
    const lines = done(finished).split("\n");
    return JSON.parse(lines.findLast((line) => line.startsWith("{")) ?? "{}") as Record<string, unknown>;
  };

  test.concurrent.each(releases)("wandb %s verify finds nothing wrong with the server", async (release) => {
    const output = done(await (await world.client(release)).wandb(["verify", "--host", world.url]));
    const remarks = output.split("\n").filter((line) => line.includes("\u001b[") && !NO_TLS.test(line));
    expect(remarks).toEqual([]);
    expect(output.match(/✅/g)?.length).toBeGreaterThanOrEqual(7);
  });

  test.concurrent.each(releases)("wandb %s at a terminal, going back and forking", async (release) => {
    const home = join(world.dataDir, "homes", `terminal-${release}`);
    const client = await world.client(release, { home });
    const other = await world.client(release, { home: `${home}-other` });
    const project = `terminal-${release.replaceAll(".", "-")}`;
    await mkdir(join(home, "data"), { recursive: true });
    await writeFile(join(home, "notes.txt"), "kept by the run");
    await writeFile(join(home, "data", "a.txt"), "of the artifact");
    const wrote = session(
      await client.python(`${PRELUDE}
with wandb.init(project="${project}", id="r1", config={"lr": 0.5}) as run:
    run.save("notes.txt")
    for step in range(10):
        run.log({"loss": 10 - step, "old": step})
command("artifact", "put", "-n", "${project}/pack", "-t", "dataset", "-a", "blue", "data")
listed = command("artifact", "ls", "admin/${project}")
# The command of 0.31.0 ends with an exception of its own before it has asked the server.
projects = command("projects", "-e", "admin") if wandb.__version__ == "0.23.0" else "${project}"
with wandb.init(project="${project}", id="fork", fork_from="r1?_step=6") as run:
    for step in range(2):
        run.log({"loss": 200 + step})
with wandb.init(project="${project}", id="fork", resume="must") as run:
    run.log({"loss": 300})
with wandb.init(project="${project}", id="r1", resume_from="r1?_step=4") as run:
    for step in range(3):
        run.log({"loss": 100 + step})
try:
    wandb.init(project="${project}", id="orphan", fork_from="nobody?_step=1")
    refused = ""
except Exception as error:
    refused = str(error)
def read(name):
    run = wandb.Api().run(f"admin/${project}/{name}")
    rows = list(run.scan_history())
    return {"steps": [row["_step"] for row in rows], "loss": [row["loss"] for row in rows], "last": run.summary["loss"], "state": run.state,
      "lastStep": run.lastHistoryStep, "part": [row["loss"] for row in run.scan_history(min_step=6, max_step=8)]}
print(json.dumps({"listed": listed, "projects": projects, "refused": refused, "back": read("r1"), "fork": read("fork")}))`),
    );
    expect(wrote.listed).toContain("pack:v0");
    expect(wrote.projects).toContain(project);
    expect(wrote).toMatchObject({
      refused: expect.stringContaining("There is no run nobody"),
      back: { steps: [0, 1, 2, 3, 4, 5, 6, 7], loss: [10, 9, 8, 7, 6, 100, 101, 102], last: 102, state: "finished" },
      fork: {
        steps: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        loss: [10, 9, 8, 7, 6, 5, 4, 200, 201, 300],
        last: 300,
        state: "finished",
        lastStep: 9,
        part: [4, 200],
      },
    });

    const read = session(
      await other.python(`${PRELUDE}
command("pull", "r1", "-p", "${project}", "-e", "admin")
again = command("pull", "r1", "-p", "${project}", "-e", "admin")
command("restore", "--no-git", "admin/${project}/r1")
command("artifact", "get", "admin/${project}/pack:blue", "--root", "got")
print(json.dumps({"again": again}))`),
    );
    expect(read.again).toContain("up to date");
    const at = (...path: string[]) => readFile(join(`${home}-other`, ...path), "utf8");
    expect(await at("notes.txt")).toBe("kept by the run");
    expect(await at("wandb", "config.yaml")).toMatch(/lr:\s+(desc: null\s+)?value: 0.5/);
    expect(await at("got", "a.txt")).toBe("of the artifact");
  });
});
