import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SlipwayError } from "../core/errors/slipway-error.ts";

/** A part of Slipway in a process of its own. */
export interface Supervised {
  /** Resolves when `ready` says so; rejects with PART_ENDED if the process ends before. */
  readonly ready: Promise<void>;
  /** SIGTERM, and SIGKILL after `graceMs`. */
  stop(graceMs?: number): Promise<void>;
}

export interface SupervisedOptions {
  /** Its name in messages and of its log file. */
  readonly part: string;
  /** Arguments of `slipway`, asked for at every start: a part that is started again must keep its port. */
  readonly args: () => Promise<readonly string[]>;
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
  /** Asked every 50 ms until it answers true. */
  readonly isReady: () => Promise<boolean>;
  readonly onRestart?: (exitCode: number | null) => void;
}

/** After its n-th death in a row a part is started again after 2^n * 250 ms, at most 10 s; a minute of life clears the count. */
const restartDelayMs = (deaths: number) => Math.min(10_000, 250 * 2 ** deaths);

/** Starts a part and starts it again if it dies, until it is stopped. Its output goes to a log file. */
export function supervise(options: SupervisedOptions): Supervised {
  let child: ChildProcess | undefined;
  let stopping = false;
  let endedBeforeReady = false;
  let wasReady = false;
  let deaths = 0;
  let ended: (exitCode: number | null) => void = () => {};
  const endedEarly = new Promise<never>((_, reject) => {
    ended = async (exitCode) => {
      const log = await readFile(options.logFile, "utf8").catch(() => "");
      const values = { part: options.part, exitCode: exitCode ?? "killed", log: options.logFile };
      console.error(log.split("\n").slice(-12).join("\n").trimEnd());
      reject(new SlipwayError("PART_ENDED", { values }));
    };
  });
  endedEarly.catch(() => {});

  const start = async () => {
    await mkdir(dirname(options.logFile), { recursive: true });
    const args = await options.args();
    const log = createWriteStream(options.logFile, { flags: "a", mode: 0o600 });
    const startedAt = Date.now();
    child = spawn(process.execPath, [...process.execArgv, mainFile(), ...args], {
      env: options.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    child.once("exit", (exitCode) => {
      log.end();
      if (stopping) return;
      if (!wasReady) {
        endedBeforeReady = true;
        return ended(exitCode);
      }
      deaths = Date.now() - startedAt > 60_000 ? 0 : deaths + 1;
      options.onRestart?.(exitCode);
      setTimeout(() => stopping || void start(), restartDelayMs(deaths)).unref();
    });
  };

  const untilReady = async () => {
    await start();
    while (!(await options.isReady())) {
      if (stopping || endedBeforeReady) return endedEarly;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    wasReady = true;
  };

  return {
    ready: Promise.race([untilReady(), endedEarly]),
    async stop(graceMs = 10_000) {
      stopping = true;
      const running = child;
      if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
      const exited = new Promise((resolve) => running.once("exit", resolve));
      running.kill("SIGTERM");
      const timer = setTimeout(() => running.kill("SIGKILL"), graceMs);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** The file that this very command line was started with, so that children run the same version. */
function mainFile(): string {
  return process.argv[1] ?? join(import.meta.dirname, "../../bin/slipway");
}
