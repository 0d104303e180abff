import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PATIENCE_MS } from "./patience.ts";

const bin = join(import.meta.dirname, "../../bin/slipway");

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
}

/** A part of Slipway, or all of it, as a process of its own. */
export interface Started {
  readonly process: ChildProcess;
  output(): string;
  /** Sends a signal and waits for the end; gives the exit code, or null if a signal ended it. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

/** The environment of a command: nothing of the surroundings but the path, and a home of its own. */
export function cleanEnvironment(dataDir: string, extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { PATH, LANG } = process.env;
  return { PATH, ...(LANG === undefined ? {} : { LANG }), HOME: dataDir, NO_COLOR: "1", ...extra };
}

/** Runs `slipway ARGS` to its end. */
export function slipway(dataDir: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const child = spawn(process.execPath, [bin, ...args], {
    env: cleanEnvironment(dataDir, { SLIPWAY_DATA: dataDir, ...options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.end(options.input ?? "");
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** Starts `slipway ARGS` and leaves it running. */
export function startSlipway(dataDir: string, args: readonly string[], options: RunOptions = {}): Started {
  const child = spawn(process.execPath, [bin, ...args], {
    env: cleanEnvironment(dataDir, { SLIPWAY_DATA: dataDir, ...options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return {
    process: child,
    output: () => text,
    end(signal = "SIGTERM") {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return ended;
    },
  };
}

/** Asks until the answer is there; ends with the question and the output so far if the part died or patience is at its end. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>, part?: Started): Promise<T> {
  for (const before = Date.now() + PATIENCE_MS; Date.now() < before; ) {
    const answer = await ask().catch(() => undefined);
    if (answer !== undefined) return answer;
    if (part !== undefined && part.process.exitCode !== null) break;
    await sleep(50);
  }
  throw new Error(`${what} did not come about\n${part?.output() ?? ""}`);
}

/** The environment that `slipway env` prints for a data directory. */
export async function environmentOf(dataDir: string): Promise<Record<string, string>> {
  const { stdout, code, stderr } = await slipway(dataDir, ["env", "--json"]);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Record<string, string>;
}

/** `slipway up` on free ports; resolves when everything runs. */
export async function slipwayUp(
  dataDir: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<Started> {
  const up = startSlipway(dataDir, ["up", "--data", dataDir, "--port", "0", "--local-aws-port", "0", ...args], options);
  await until("slipway up", async () => (up.output().includes("Ctrl-C stops") ? true : undefined), up);
  return up;
}

/** One running part's address, from the file it keeps while it runs. */
export async function addressOf(dataDir: string, part: "server" | "local-aws"): Promise<string> {
  const text = await readFile(join(dataDir, "run", `${part}.json`), "utf8");
  return (JSON.parse(text) as { url: string }).url;
}
