import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { pythonPeers, type WandbRelease } from "./python-peers.ts";

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface WandbClient {
  /** `wandb ARGS...`; resolves when the program has ended, whatever its exit code. */
  wandb(args: readonly string[]): Promise<Finished>;
  /** Runs Python source with the client importable. */
  python(source: string): Promise<Finished>;
  /** `wandb ARGS...`, left running. */
  start(args: readonly string[]): RunningClient;
  /** Python source, left running. */
  startPython(source: string): RunningClient;
}

export interface RunningClient {
  /** What it has printed so far, both streams. */
  output(): string;
  /** Resolves when the output matches; rejects when the program ends first. */
  until(pattern: RegExp): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** The unmodified wandb client (python-peers.ts names its releases), talking to `baseUrl` as a user with a home directory of its own. */
export async function wandbClient(options: {
  readonly baseUrl: string;
  readonly home: string;
  /** The newest of python-peers.ts where absent. */
  readonly release?: WandbRelease;
  readonly apiKey?: string;
  readonly env?: Readonly<Record<string, string>>;
}): Promise<WandbClient> {
  const peers = await pythonPeers(options.release);
  const bin = dirname(peers.wandb);
  const env: NodeJS.ProcessEnv = {
    PATH: `${bin}:${process.env.PATH}`,
    HOME: options.home,
    WANDB_BASE_URL: options.baseUrl,
    WANDB_DIR: options.home,
    WANDB_CONFIG_DIR: join(options.home, ".config", "wandb"),
    WANDB_CACHE_DIR: join(options.home, ".cache", "wandb"),
    WANDB_SILENT: "false",
    WANDB__SERVICE_WAIT: "60",
    PYTHONUNBUFFERED: "1",
    ...(options.apiKey === undefined ? {} : { WANDB_API_KEY: options.apiKey }),
    ...options.env,
  };
  mkdirSync(options.home, { recursive: true });
  const launch = (command: string, args: readonly string[]) =>
    spawn(join(bin, command), args, { env, cwd: options.home, stdio: ["ignore", "pipe", "pipe"], detached: true });
  return {
    wandb: (args) => finished(launch("wandb", args)),
    python: (source) => finished(launch("python", ["-c", source])),
    start: (args) => running(launch("wandb", args)),
    startPython: (source) => running(launch("python", ["-c", source])),
  };
}

type Child = ReturnType<typeof spawn>;

function finished(child: Child): Promise<Finished> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

function running(child: Child): RunningClient {
  let text = "";
  let ended = false;
  const waiting = new Set<() => void>();
  const hear = (chunk: string) => {
    text += chunk;
    for (const check of waiting) check();
  };
  child.stdout?.setEncoding("utf8").on("data", hear);
  child.stderr?.setEncoding("utf8").on("data", hear);
  const end = new Promise<number | null>((resolve) => {
    child.once("close", (code) => {
      ended = true;
      for (const check of waiting) check();
      resolve(code);
    });
  });
  return {
    output: () => text,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (!pattern.test(text) && !ended) return;
          waiting.delete(check);
          if (pattern.test(text)) resolve();
          else reject(new Error(`ended without printing ${pattern}:\n${text}`));
        };
        waiting.add(check);
        check();
      }),
    stop: async (signal = "SIGINT") => {
      // The whole group: wandb-core is a child of its own and would outlive its parent.
      if (!ended && child.pid !== undefined) process.kill(-child.pid, signal);
      return end;
    },
  };
}
