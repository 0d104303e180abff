import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

/** Where the agents of this data directory keep who they are, a file each. */
const agentsDir = (dataDir: string) => join(dataDir, "agents");

interface IdentityFile {
  readonly id: string;
  readonly baseUrl: string;
  readonly entity: string;
  readonly host: string;
  readonly pid: number;
  /** When the process started, as the system tells it: a pid alone may be another process's by now. */
  readonly startedAt: string;
}

/** An agent of before whose process is dead, taken over by this one alone. */
export interface Predecessor {
  readonly id: string;
  /** Forgets it, once the server knows who replaces it. */
  forget(): void;
  /** Leaves it for another start: this one came to nothing. */
  giveBack(): void;
}

/**
 * Finds an agent of the same server and entity whose process has died, and claims it (by an atomic rename: of two
 * agents that start at once only one gets it). An agent that is alive, or of another machine, is left alone.
 */
export function findPredecessor(dataDir: string, baseUrl: string, entity: string): Predecessor | undefined {
  for (const name of identityFiles(dataDir)) {
    const path = join(agentsDir(dataDir), name);
    const file = readIdentity(path);
    if (file === undefined || file.baseUrl !== baseUrl || file.entity !== entity) continue;
    if (file.host !== hostname() || isAlive(file.pid, file.startedAt)) continue;
    const claimed = `${path}.${process.pid}.claimed`;
    try {
      renameSync(path, claimed);
    } catch {
      continue;
    }
    return {
      id: file.id,
      forget: () => rmSync(claimed, { force: true }),
      giveBack: () => renameSync(claimed, path),
    };
  }
  return undefined;
}

/** Writes down who this process is; the answer removes it again (a clean exit leaves nothing to take over). */
export function keepIdentity(dataDir: string, identity: { id: string; baseUrl: string; entity: string }): () => void {
  mkdirSync(agentsDir(dataDir), { recursive: true });
  const path = join(agentsDir(dataDir), `${fileName(identity.id)}.json`);
  const file: IdentityFile = {
    ...identity,
    host: hostname(),
    pid: process.pid,
    startedAt: processStart(process.pid) ?? "",
  };
  const draft = `${path}.draft`;
  writeFileSync(draft, `${JSON.stringify(file)}\n`, { mode: 0o600 });
  renameSync(draft, path);
  return () => rmSync(path, { force: true });
}

/** Oldest first: the names are ids, the order is the directory's. Also finds what a claimer that died left behind. */
function identityFiles(dataDir: string): string[] {
  let names: string[];
  try {
    names = readdirSync(agentsDir(dataDir));
  } catch {
    return [];
  }
  return names.filter((name) => {
    const claimer = /\.json\.(\d+)\.claimed$/.exec(name)?.[1];
    return name.endsWith(".json") || (claimer !== undefined && processStart(Number(claimer)) === undefined);
  });
}

function fileName(id: string): string {
  return id.replace(/[^A-Za-z0-9_-]/g, "_");
}

function readIdentity(path: string): IdentityFile | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as IdentityFile;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number, startedAt: string): boolean {
  const start = processStart(pid);
  return start !== undefined && (startedAt === "" || start === "" || start === startedAt);
}

/** Fields 3 and 22 of /proc/PID/stat (proc(5)): start time in clock ticks since boot. "" where there is no /proc; undefined: no such process. */
function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie has ended; only its parent has not asked how.
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    try {
      process.kill(pid, 0);
      return "";
    } catch (error) {
      return (error as { code?: string }).code === "EPERM" ? "" : undefined;
    }
  }
}
