import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The Python programs that the tests use as unmodified peers, at fixed versions. */
const REQUIREMENTS = ["boto3==1.43.11", "awscli==1.45.11", "wandb[launch]==0.31.0"];

export interface PythonPeers {
  /** Paths of programs inside a virtual environment of the tests' own. */
  readonly python: string;
  readonly aws: string;
  readonly wandb: string;
}

/**
 * The peers, installed once into `~/.cache/slipway-tests` (or XDG_CACHE_HOME); a new list of requirements makes a new
 * environment. Several test files may ask at once: one installs, the others wait.
 */
export async function pythonPeers(): Promise<PythonPeers> {
  const name = createHash("sha256").update(REQUIREMENTS.join("\n")).digest("hex").slice(0, 12);
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "slipway-tests");
  const folder = join(cache, `python-${name}`);
  await mkdir(cache, { recursive: true });
  const done = join(folder, "installed");
  while (!(await exists(done))) {
    const lock = `${folder}.lock`;
    const mine = await open(lock, "wx").catch(() => undefined);
    if (mine === undefined) {
      if (!(await ownerLives(lock))) await rm(lock, { force: true });
      await new Promise((resolve) => setTimeout(resolve, 250));
      continue;
    }
    try {
      await mine.writeFile(String(process.pid));
      await mine.close();
      if (!(await exists(done))) await install(folder, done);
    } finally {
      await rm(lock, { force: true });
    }
  }
  const program = (file: string) => join(folder, "bin", file);
  return { python: program("python"), aws: program("aws"), wandb: program("wandb") };
}

async function install(folder: string, done: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await run("python3", ["-m", "venv", folder]);
  const pip = join(folder, "bin", "pip");
  await run(pip, ["install", "--quiet", "--disable-pip-version-check", ...REQUIREMENTS], { maxBuffer: 1 << 26 });
  await writeFile(`${done}.part`, REQUIREMENTS.join("\n"));
  await rename(`${done}.part`, done);
}

/** An installer that was killed must not make everyone wait for ever. An empty lock has only just been made. */
async function ownerLives(lock: string): Promise<boolean> {
  const pid = Number(await readFile(lock, "utf8").catch(() => ""));
  if (pid === 0) return true;
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
