import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Finished } from "../../support/wandb-client.ts";
import { startWandbWorld, type WandbWorld, WORLDS } from "../../support/wandb-world.ts";

/** The client's own commands beside launching: what an operator and a person at a terminal type. */

// `wandb verify` runs nine runs of a sweep one after the other, each of which waits for the agent's next heartbeat.
const VERIFY_MS = 240_000;
/** Its remarks on an address without TLS, which these tests have. */
const NO_TLS = /not made over https|SSL|CORs/;

describe.each(WORLDS)("commands on $database", ({ database, releases }) => {
  let world: WandbWorld;
  beforeAll(async () => {
    world = await startWandbWorld({ database });
  });
  afterAll(() => world?.close());

  const done = ({ code, stdout, stderr }: Finished): string => {
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    return stdout + stderr;
  };

  test.concurrent.each(releases)(
    "wandb %s verify finds nothing wrong with the server",
    async (release) => {
      const output = done(await (await world.client(release)).wandb(["verify", "--host", world.url]));
      const remarks = output.split("\n").filter((line) => line.includes("\u001b[") && !NO_TLS.test(line));
      expect(remarks).toEqual([]);
      expect(output.match(/✅/g)?.length).toBeGreaterThanOrEqual(7);
    },
    VERIFY_MS,
  );

  test.concurrent.each(releases)("wandb %s: projects, pull, restore and artifact at a terminal", async (release) => {
    const home = join(world.dataDir, "homes", `terminal-${release}`);
    const client = await world.client(release, { home });
    const project = `terminal-${release.replaceAll(".", "-")}`;
    await mkdir(join(home, "data"), { recursive: true });
    await writeFile(join(home, "notes.txt"), "kept by the run");
    await writeFile(join(home, "data", "a.txt"), "of the artifact");
    done(
      await client.python(`
import wandb
with wandb.init(project="${project}", id="r1", config={"lr": 0.5}) as run:
    run.save("notes.txt")
    run.log({"loss": 1})`),
    );
    // The command of 0.31.0 ends with an exception of its own before it has asked the server.
    if (release === "0.23.0") expect(done(await client.wandb(["projects", "-e", "admin"]))).toContain(project);

    const other = await world.client(release, { home: `${home}-other` });
    done(await other.wandb(["pull", "r1", "-p", project, "-e", "admin"]));
    expect(await readFile(join(`${home}-other`, "notes.txt"), "utf8")).toBe("kept by the run");
    expect(done(await other.wandb(["pull", "r1", "-p", project, "-e", "admin"]))).toContain("up to date");
    done(await other.wandb(["restore", "--no-git", `admin/${project}/r1`]));
    expect(await readFile(join(`${home}-other`, "wandb", "config.yaml"), "utf8")).toMatch(
      /lr:\s+(desc: null\s+)?value: 0.5/,
    );

    done(await client.wandb(["artifact", "put", "-n", `${project}/pack`, "-t", "dataset", "-a", "blue", "data"]));
    const listed = done(await client.wandb(["artifact", "ls", `admin/${project}`]));
    expect(listed).toContain("pack:v0");
    done(await other.wandb(["artifact", "get", `admin/${project}/pack:blue`, "--root", "got"]));
    expect(await readFile(join(`${home}-other`, "got", "a.txt"), "utf8")).toBe("of the artifact");
  });

  test.concurrent.each(releases)("wandb %s: a run goes back to an earlier step and on from there", async (release) => {
    const client = await world.client(release);
    const project = `rewind-${release.replaceAll(".", "-")}`;
    const output = done(
      await client.python(`
import json, wandb
with wandb.init(project="${project}", id="back") as run:
    for step in range(10):
        run.log({"loss": 10 - step, "old": step})
with wandb.init(project="${project}", id="back", resume_from="back?_step=4") as run:
    for step in range(3):
        run.log({"loss": 100 + step})
run = wandb.Api().run("admin/${project}/back")
print(json.dumps({"steps": [row["_step"] for row in run.scan_history()], "loss": [row["loss"] for row in run.scan_history()],
  "last": run.summary["loss"], "state": run.state}))`),
    );
    const seen = JSON.parse(output.split("\n").findLast((line) => line.startsWith("{")) ?? "{}");
    expect(seen).toEqual({
      steps: [0, 1, 2, 3, 4, 5, 6, 7],
      loss: [10, 9, 8, 7, 6, 100, 101, 102],
      last: 102,
      state: "finished",
    });
  });
});
