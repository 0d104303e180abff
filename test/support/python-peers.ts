import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The releases of the wandb package that the server must serve: the newest, and one of a year before. */
export const WANDB_RELEASES = ["0.31.0", "0.23.0"] as const;
export type WandbRelease = (typeof WANDB_RELEASES)[number];

/** The Python programs that the tests use as unmodified peers, at fixed versions. */
const requirements = (release: WandbRelease) => ["boto3==1.43.11", "awscli==1.45.11", `wandb[launch]==${release}`];

/** $1: the environment's folder; the rest: what goes into it. A folder without its mark was left by a run that was killed. */
const INSTALL = `
[ -e "$1/installed" ] && exit 0
folder=$1; shift
rm -rf "$folder" && python3 -m venv "$folder" &&
"$folder/bin/pip" install --quiet --disable-pip-version-check "$@" && touch "$folder/installed"`;

export interface PythonPeers {
  /** Paths of programs inside a virtual environment of the tests' own. */
  readonly python: string;
  readonly aws: string;
  readonly wandb: string;
}

/** The peers, installed once into `~/.cache/slipway-tests` (or XDG_CACHE_HOME). */
export async function pythonPeers(release: WandbRelease = WANDB_RELEASES[0]): Promise<PythonPeers> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "slipway-tests");
  const folder = await installPython(cache, requirements(release));
  const program = (file: string) => join(folder, "bin", file);
  return { python: program("python"), aws: program("aws"), wandb: program("wandb") };
}

/**
 * A virtual environment with these requirements under `cache`; another list makes another environment. Several test files may ask at
 * once: one installs, the others wait. The lock is the kernel's, so it goes with whoever holds it and none is ever judged dead. The
 * environment is made where it stays: its programs name their own path, so it could not be moved there afterwards.
 */
export async function installPython(cache: string, requirements: readonly string[]): Promise<string> {
  const name = createHash("sha256").update(requirements.join("\n")).digest("hex").slice(0, 12);
  const folder = join(cache, `python-${name}`);
  await mkdir(cache, { recursive: true });
  const install = ["sh", "-c", INSTALL, "install", folder, ...requirements];
  await run("flock", [`${folder}.flock`, ...install], { maxBuffer: 1 << 26 });
  return folder;
}
