// The detached parent of one container's payload: `node supervisor.js STATE_DIR`.
// It outlives the local AWS, so that a restart finds the job running, its log complete and its exit code written down.
import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { processStartTime } from "./process-identity.ts";

/** `launch.json` in the state directory: what to start. */
export interface LaunchFile {
  /** The sandbox's command line with the payload's at its end. */
  readonly command: readonly string[];
  /** The environment of `command`, complete. */
  readonly env: Readonly<Record<string, string>>;
  /** A file given to the command as descriptor 3 (bubblewrap's --args). */
  readonly argsFile?: string;
  /** bubblewrap writes the pid of the namespace's init as JSON to descriptor 4; without it the init is our grandchild. */
  readonly reportsChild: boolean;
}

/** `supervisor.json`: who watches the payload. Both numbers together name a process for good. */
export interface SupervisorFile {
  readonly pid: number;
  readonly startTime: string;
}

/** `exit.json`: how the payload ended. */
export interface ExitFile {
  readonly exitCode: number;
  readonly at: number;
}

/** How often a signal looks for a payload that does not exist yet, in milliseconds. */
const RETRY_MS = 5;

/** CloudWatch Logs takes events of at most 256 KB, 26 bytes of which are overhead; a longer line is cut. */
const MAX_LINE = 256 * 1024 - 26;

function run(stateDir: string): void {
  const launch = JSON.parse(readFileSync(join(stateDir, "launch.json"), "utf8")) as LaunchFile;
  const write = (name: string, value: SupervisorFile | ExitFile) => {
    writeFileSync(join(stateDir, `${name}.part`), JSON.stringify(value), { mode: 0o600 });
    renameSync(join(stateDir, `${name}.part`), join(stateDir, name));
  };

  // A real FIFO for both streams: keeps their order, and /dev/stdout can be opened again by the payload (a socket could not).
  const fifo = join(stateDir, "output.fifo");
  const made = spawnSync("mkfifo", ["-m", "600", fifo], { stdio: ["ignore", "ignore", "inherit"] });
  if (made.status !== 0) throw new Error(`mkfifo ${fifo} failed`);
  const readEnd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeEnd = openSync(fifo, constants.O_WRONLY);
  unlinkSync(fifo);
  const log = openSync(join(stateDir, "output.log"), "a", 0o600);

  const args = launch.argsFile === undefined ? "ignore" : openSync(launch.argsFile, "r");
  const child = spawn(launch.command[0]!, launch.command.slice(1), {
    stdio: ["ignore", writeEnd, writeEnd, args, launch.reportsChild ? "pipe" : "ignore"],
    env: launch.env,
    cwd: "/",
  });
  closeSync(writeEnd);
  if (typeof args === "number") closeSync(args);

  let killed = false;
  let init: number | undefined;
  let over = false;
  const deliver = (name: "SIGTERM" | "SIGKILL") => {
    if (over) return;
    if (init === undefined && !launch.reportsChild && child.pid !== undefined) init = onlyChild(child.pid);
    const payload = init === undefined ? undefined : onlyChild(init);
    try {
      if (init !== undefined && name === "SIGKILL") {
        // Killing the init ends the whole namespace.
        process.kill(init, name);
        killed = true;
        return;
      }
      if (init !== undefined && payload !== undefined) {
        // With bubblewrap the init leads the payload's process group (and is itself, as pid 1, immune to SIGTERM); with the
        // fallback sandbox the payload leads a group of its own.
        process.kill(-(launch.reportsChild ? init : payload), name);
        return;
      }
    } catch {
      // No such group: the sandbox is still being made.
    }
    // Before the payload exists a signal would reach the init alone, which ignores it, and the stop would be lost: it is kept.
    setTimeout(() => deliver(name), RETRY_MS);
  };
  process.on("SIGTERM", () => deliver("SIGTERM"));
  process.on("SIGUSR2", () => deliver("SIGKILL"));
  process.on("SIGHUP", () => {});
  process.on("SIGINT", () => {});

  let info = "";
  const infoPipe = child.stdio[4];
  if (infoPipe && "setEncoding" in infoPipe) {
    infoPipe.setEncoding("utf8");
    infoPipe.on("data", (text: string) => {
      info += text;
      const pid = /"child-pid":\s*(\d+)/.exec(info);
      if (pid) init = Number(pid[1]);
    });
    infoPipe.on("error", () => {});
  }

  let failedExec = false;
  const decoder = new StringDecoder("utf8");
  let partial = "";
  const lines = (text: string, last: boolean) => {
    const at = Date.now();
    let out = "";
    const line = (raw: string) => {
      let rest = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      const missing = /^bwrap: execvp (.*): (No such file or directory|Permission denied)$/.exec(rest);
      if (missing) {
        failedExec = true;
        rest = `exec: "${missing[1]}": ${missing[2] === "Permission denied" ? "permission denied" : "executable file not found in $PATH"}`;
      }
      do {
        out += `${at}\t${rest.slice(0, MAX_LINE)}\n`;
        rest = rest.slice(MAX_LINE);
      } while (rest !== "");
    };
    const parts = (partial + text).split("\n");
    partial = parts.pop()!;
    for (const part of parts) line(part);
    while (partial.length > MAX_LINE) {
      line(partial.slice(0, MAX_LINE));
      partial = partial.slice(MAX_LINE);
    }
    if (last && partial !== "") {
      line(partial);
      partial = "";
    }
    if (out !== "") writeSync(log, out);
  };
  const output = new Socket({ fd: readEnd, readable: true, writable: false });
  output.on("data", (data: Buffer) => lines(decoder.write(data), false));
  output.on("error", () => {});
  const drained = new Promise<void>((resolve) => output.on("close", () => resolve()));
  const ended = new Promise<number>((resolve) => {
    child.on("error", (error) => {
      lines(`${error.message}\n`, false);
      resolve(127);
    });
    child.on("exit", () => {
      over = true;
    });
    child.on("exit", (code, signal) => resolve(code ?? (signal === "SIGKILL" ? 137 : 143)));
  });
  write("supervisor.json", { pid: process.pid, startTime: processStartTime(process.pid) ?? "" });
  void Promise.all([ended, drained]).then(([code]) => {
    lines(decoder.end(), true);
    closeSync(log);
    write("exit.json", {
      exitCode: killed && code !== 0 ? 137 : failedExec && code === 1 ? 127 : code,
      at: Date.now(),
    });
    process.exit(0);
  });
}

/** The first child of a process, by /proc; undefined when it has none. */
function onlyChild(pid: number): number | undefined {
  try {
    const first = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0];
    return first ? Number(first) : undefined;
  } catch {
    return undefined;
  }
}

run(process.argv[2]!);
