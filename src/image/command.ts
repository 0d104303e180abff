import { execFile } from "node:child_process";

export interface CommandResult {
  /** The exit code, or `missing` if there is no such program. */
  readonly status: number | "missing";
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly signal?: AbortSignal;
  /** Instead of this process's own environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Called with each line of stdout as it comes. */
  readonly onLine?: (line: string) => void;
}

/**
 * Runs a program with an argument list, never through a shell, in the environment of this process (so that pip finds its
 * settings, indexes and certificates). Never fails for an exit code; an abort kills the program and rejects.
 */
export function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const settings = {
      maxBuffer: 64 * 1024 * 1024,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    };
    const child = execFile(program, [...args], settings, (error, stdout, stderr) => {
      if (options.signal?.aborted) return reject(options.signal.reason);
      const code = error === null ? 0 : (error as { code?: number | string }).code;
      if (code === "ENOENT" || code === "EACCES") return resolve({ status: "missing", stdout, stderr });
      resolve({ status: typeof code === "number" ? code : 1, stdout, stderr });
    });
    let rest = "";
    child.stdout?.on("data", (chunk: string) => {
      if (options.onLine === undefined) return;
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) options.onLine(line);
    });
  });
}
