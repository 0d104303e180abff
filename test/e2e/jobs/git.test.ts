import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GitServer, startGitServer } from "../../support/git-server.ts";
import { type Finished, type Started, slipway, slipwayUp } from "../../support/slipway.ts";

/** A commit of a git repository becomes a training job, without a person's machine in between. */

let dataDir: string;
let up: Started;
let host: GitServer;
let remote: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "slipway-git-jobs-"));
  host = await startGitServer();
  remote = `${host.url}/train.git`;
  // No engine: whatever this machine may have, these tests mean a machine without.
  const { GIT_SSL_CAINFO = "" } = host.env;
  up = await slipwayUp(dataDir, [], { env: { DOCKER_HOST: `unix://${dataDir}/no-engine.sock`, GIT_SSL_CAINFO } });
});

afterAll(async () => {
  await up?.end();
  await host?.close();
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

function launch(...args: string[]): Promise<Finished> {
  const { GIT_SSL_CAINFO = "" } = host.env;
  return slipway(dataDir, ["launch", ...args], { env: { GIT_SSL_CAINFO } });
}

describe("slipway launch of a git repository", () => {
  it("runs the tagged commit with its submodule and its packages' file, though the branch has gone on", async () => {
    const part = await host.commit("part.git", { "words.py": "WORD = 'from the submodule'\n" });
    const code = [
      "import os, sys",
      "sys.path.insert(0, 'lib')",
      "import words",
      "print('first', words.WORD, os.environ['WANDB_GIT_COMMIT'], sys.argv[1])",
    ].join("\n");
    const commit = await host.commit(
      "train.git",
      { "train.py": `${code}\n`, "requirements.txt": "# none\n" },
      { path: "lib", url: "../part.git", commit: part },
    );
    await host.tag("train.git", "v1");
    await host.commit("train.git", { "train.py": "raise SystemExit('the tip of the branch')\n" });

    const tagged = await launch(remote, "--ref", "v1", "-E", "python3 train.py 7", "--follow");
    expect(tagged.stderr + tagged.stdout).toContain(`first from the submodule ${commit} 7`);
    expect(tagged.code).toBe(0);

    const tip = await launch(remote, "-E", "python3 train.py", "--follow", "--json");
    expect(tip.code).toBe(1);
    expect(tip.stdout).toContain("the tip of the branch");
  });

  it("fails the item of a commit that is not there, with the reason", async () => {
    await host.commit("other.git", { "train.py": "print(1)\n" });
    const missing = "0123456789".repeat(4);
    const { code, stdout } = await launch(
      ...[`${host.url}/other.git`, "--ref", missing, "-E", "python3 train.py", "--follow", "--json"],
    );
    const item = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as Record<string, unknown>;
    expect(item).toMatchObject({ state: "FAILED", cause: "build", error: { code: "GIT_COMMIT_NOT_FOUND" } });
    expect(JSON.stringify(item)).toContain(missing);
    expect(code).toBe(1);
  });

  it.each<[string, string[], number, string]>([
    ["a ref that is not there", ["REMOTE", "--ref", "none", "-E", "python3 t.py"], 3, "has no none"],
    ["no entry point", ["REMOTE"], 2, "a git repository needs an entry point"],
    ["a ref of a directory", [".", "--ref", "main"], 2, "the source is none"],
    ["another protocol", ["http://127.0.0.1/a.git", "-E", "x"], 2, "must be an https or ssh address, not http://"],
    ["a token", ["https://secret-token@host/a.git", "-E", "x"], 2, "must not hold credentials"],
  ])("refuses %s before anything is pushed", async (_, args, exit, reason) => {
    await host.commit("refused.git", { [`${Math.random()}.py`]: "" });
    const given = args.map((arg) => (arg === "REMOTE" ? `${host.url}/refused.git` : arg));
    const { code, stderr } = await launch(...given);
    expect(stderr).toContain(reason);
    expect(stderr).not.toContain("secret-token");
    expect(code).toBe(exit);
  });
});
