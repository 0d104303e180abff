import { execFile } from "node:child_process";
import { mkdtemp, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pythonPeers } from "../../support/python-peers.ts";
import {
  addressOf,
  environmentOf,
  type Finished,
  type Started,
  slipway,
  slipwayUp,
  until,
} from "../../support/slipway.ts";

/** The commands as a person types them, against everything that `slipway up` starts. */

let dataDir: string;
let up: Started;
let code: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "slipway-cli-"));
  code = await mkdtemp(join(dataDir, "code-"));
  await writeFile(
    join(code, "train.py"),
    "import os, sys, time\nprint('trained with', sys.argv[1:], os.environ.get('GREETING'), flush=True)\ntime.sleep(float(os.environ.get('SECONDS', '0')))\n",
  );
  up = await slipwayUp(dataDir);
});

afterAll(async () => {
  await up?.end();
});

async function ok(args: readonly string[], options: Parameters<typeof slipway>[2] = {}): Promise<Finished> {
  const finished = await slipway(dataDir, args, options);
  expect(finished.code, finished.stderr).toBe(0);
  return finished;
}

async function json<T>(args: readonly string[]): Promise<T> {
  return JSON.parse((await ok([...args, "--json"])).stdout) as T;
}

interface Item {
  readonly id: string;
  readonly runId: string;
  readonly state: string;
  readonly retryOf: string | null;
  readonly priority: number;
  readonly training: { readonly request: Record<string, never> } | null;
  readonly timeline: readonly { readonly kind: string; readonly phase: string | null }[];
}

const forState = (runId: string, state: string) =>
  until(`${runId} ${state}`, async () => {
    const item = await json<Item>(["item", "show", runId]);
    return item.state === state ? item : undefined;
  });

describe("slipway", () => {
  it("shows help for everything", async () => {
    for (const args of [
      [],
      ["launch"],
      ["queue", "create"],
      ["item"],
      ["admin", "user", "create"],
      ["local-aws", "env"],
    ]) {
      const { stdout } = await ok([...args, "--help"]);
      expect(stdout).toContain("Usage: slipway");
    }
    expect((await ok(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+/);
  });

  it("launches a directory, an entry point with arguments and resource args, and follows it", async () => {
    const args = [
      "launch",
      code,
      "-E",
      "python3 train.py --lr '0 1'",
      "-R",
      '{"Environment": {"GREETING": "hello"}}',
      "-f",
    ];
    const { stdout, stderr } = await ok(args);
    expect(stdout).toContain("algo-1 | trained with ['--lr', '0 1'] hello");
    expect(stderr).toMatch(/queued[\s\S]*submitting[\s\S]*training[\s\S]*settled/);
    expect(stderr).toContain("finished");
  });

  it("stops, retries and shows an item", async () => {
    const slow = ["launch", code, "--name", "slow one", "-P", "high", "-R", '{"Environment": {"SECONDS": "600"}}'];
    const pushed = await json<Item>(slow);
    expect(pushed.priority).toBe(1);
    await forState(pushed.runId, "CLAIMED");
    await ok(["item", "stop", pushed.runId]);
    await forState(pushed.runId, "STOPPED");
    const { stdout } = await ok(["item", "show", pushed.runId]);
    expect(stdout).toContain("Stopped by admin");
    const again = await json<Item>(["item", "retry", pushed.runId]);
    expect(again.retryOf).toBe(pushed.id);
    await ok(["item", "stop", again.runId]);
    await forState(again.runId, "STOPPED");
    const listed = await json<Item[]>(["item", "list", "--state", "STOPPED"]);
    expect(listed.map((item) => item.runId)).toEqual([again.runId, pushed.runId]);
  });

  it("prints logs: whole, their tail, of one node, followed, as JSON", async () => {
    const item = await json<Item>(["launch", code]);
    expect((await ok(["logs", item.runId, "-f"])).stdout).toContain("algo-1 | trained with []");
    const whole = (await ok(["logs", item.runId])).stdout;
    expect(whole).toContain("build | ");
    expect((await ok(["logs", item.runId, "--node", "algo-1"])).stdout).toBe("algo-1 | trained with [] None\n");
    expect((await ok(["logs", item.runId, "-n", "1"])).stdout).toBe("algo-1 | trained with [] None\n");
    const line = JSON.parse((await ok(["logs", item.runId, "-n", "1", "--json"])).stdout) as {
      node: string;
      text: string;
    };
    expect(line).toMatchObject({ node: "algo-1", text: "trained with [] None" });
  });

  it("compares the requests of two items, and gives one as a command that the aws CLI takes", async () => {
    const one = await json<Item>(["launch", code]);
    const two = await json<Item>([
      "launch",
      code,
      "-R",
      '{"Environment": {"HF_TOKEN": "hf_1"}, "EnableManagedSpotTraining": false}',
    ]);
    for (const { runId } of [one, two]) await forState(runId, "FINISHED");
    const diff = await slipway(dataDir, ["item", "diff", one.runId, two.runId]);
    expect(diff.code, diff.stderr).toBe(1);
    expect(diff.stdout).toMatch(/^EnableManagedSpotTraining\n {2}- \(nothing\)\n {2}\+ false$/m);
    expect(diff.stdout).toContain('Environment.HF_TOKEN\n  - (nothing)\n  + "********"');
    expect(diff.stdout).not.toContain("WANDB_RUN_ID");
    const all = await slipway(dataDir, ["item", "diff", one.runId, two.runId, "--all", "--json"]);
    expect(JSON.parse(all.stdout)).toContainEqual(
      expect.objectContaining({ path: "Environment.WANDB_RUN_ID", left: one.runId, right: two.runId }),
    );
    const again = await json<Item>(["item", "retry", one.runId]);
    await forState(again.runId, "FINISHED");
    expect((await ok(["item", "diff", one.runId, again.runId])).stdout).toContain("the same CreateTrainingJob request");

    const secret = await ok(["item", "request", two.runId, "--aws-cli"]);
    expect(secret.stderr).toContain("Environment.HF_TOKEN is a secret");
    const { stdout: command } = await ok(["item", "request", one.runId, "--aws-cli", "--name", "by-hand"]);
    const { aws } = await pythonPeers();
    const env = { ...(await environmentOf(dataDir)), PATH: `${dirname(aws)}:${process.env.PATH}`, HOME: dataDir };
    const { stdout: answer } = await promisify(execFile)("sh", ["-c", command], { env });
    expect(JSON.parse(answer)).toEqual({ TrainingJobArn: expect.stringMatching(/:training-job\/by-hand$/) });
    const described = await promisify(execFile)(
      aws,
      ["sagemaker", "describe-training-job", "--training-job-name", "by-hand"],
      { env },
    );
    const { TrainingJobName: _, ...request } = JSON.parse((await ok(["item", "request", one.runId])).stdout);
    const { Tags: _tags, Environment: environment, ...body } = request;
    const { WANDB_API_KEY: _key, ...variables } = environment;
    expect(JSON.parse(described.stdout)).toMatchObject({ ...body, Environment: variables });
    const lost = await slipway(dataDir, ["item", "request", one.runId, "--name", "x"]);
    expect(lost.stderr).toContain("--name goes with --aws-cli");
  });

  it("never builds unchanged code twice", async () => {
    const first = await json<Item>(["launch", code]);
    await forState(first.runId, "FINISHED");
    const { stdout } = await ok(["logs", first.runId, "--node", "build"]);
    expect(stdout).toContain("is in the registry already");
    expect(stdout).not.toContain("Pushed");
  });

  it("keeps no key of a person in the request, the run spec, the timeline or a log", async () => {
    const { apiKey } = JSON.parse(await readFile(join(dataDir, "credentials.json"), "utf8")) as { apiKey: string };
    const item = await json<Item>(["launch", code]);
    await forState(item.runId, "FINISHED");
    expect((await ok(["item", "show", item.runId, "--json"])).stdout).not.toContain(apiKey);
    for (const part of ["server", "launch-agent", "local-aws"]) {
      expect(await readFile(join(dataDir, "log", `${part}.log`), "utf8")).not.toContain(apiKey);
    }
    expect((await stat(join(dataDir, "credentials.json"))).mode & 0o077).toBe(0);
    expect((await stat(join(dataDir, "local-aws/env.json"))).mode & 0o077).toBe(0);
  });

  it("lists the queue and the agent, and deletes a queue", async () => {
    const agents = await json<{ name: string; alive: boolean; queueNames: string[] }[]>(["agent", "list"]);
    expect(agents).toEqual([expect.objectContaining({ alive: true, queueNames: ["default"] })]);
    const { stdout } = await ok(["queue", "show", "default"]);
    expect(stdout).toContain("# The body of CreateTrainingJob");
    await writeFile(join(dataDir, "second.yaml"), stdout.slice(stdout.indexOf("# The body")));
    await ok(["queue", "create", "second", "-f", join(dataDir, "second.yaml")]);
    const waiting = await json<Item>(["launch", code, "-q", "second"]);
    expect((await ok(["item", "show", waiting.runId])).stdout).toMatch(/no agent/i);
    await ok(["queue", "delete", "second"]);
    expect((await json<{ name: string }[]>(["queue", "list"])).map((queue) => queue.name)).toEqual(["default"]);
    expect((await json<Item>(["item", "show", waiting.runId])).state).toBe("STOPPED");
  });

  it("logs in as a new user, who sees only what is theirs", async () => {
    const key = "a".repeat(40);
    await ok(["admin", "user", "create", "ana", "--api-key", "-"], { input: `${key}\n` });
    await ok(["admin", "team", "create", "vision", "--member", "ana:member"]);
    const url = await addressOf(dataDir, "server");
    const home = await mkdtemp(join(tmpdir(), "slipway-home-"));
    const asAna = (args: readonly string[]) => slipway(home, args);
    expect((await asAna(["login", "--host", url, key])).stdout).toContain("as ana");
    expect(JSON.parse((await asAna(["queue", "list", "--json"])).stdout)).toEqual([]);
    const refused = await asAna(["queue", "list", "-e", "admin", "--json"]);
    expect(refused.code === 3 || refused.stdout.trim() === "[]").toBe(true);
    expect((await asAna(["admin", "user", "list"])).code).toBe(3);
    await ok(["admin", "user", "delete", "ana"]);
    expect((await asAna(["queue", "list"])).code).toBe(3);
  });

  it("starts a part again that was killed, and the job that ran goes on", async () => {
    const item = await json<Item>(["launch", code, "-R", '{"Environment": {"SECONDS": "4"}}']);
    await forState(item.runId, "CLAIMED");
    for (const part of ["server", "local-aws"] as const) {
      const { pid } = JSON.parse(await readFile(join(dataDir, "run", `${part}.json`), "utf8")) as { pid: number };
      process.kill(pid, "SIGKILL");
      await until(`${part} again`, async () => {
        const next = JSON.parse(await readFile(join(dataDir, "run", `${part}.json`), "utf8")) as { pid: number };
        return next.pid === pid ? undefined : true;
      });
    }
    const ended = await forState(item.runId, "FINISHED");
    expect(ended.timeline.filter((entry) => entry.kind === "settled")).toHaveLength(1);
  });
});
