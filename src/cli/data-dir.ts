import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** `DATA/credentials.json`, written by the server's first start: the first admin. */
export interface ServerCredentials {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly username: string;
  readonly entity: string;
}

/** `DATA/local-aws/env.json`, written by the local AWS's first start. */
export interface LocalAwsEnvironment {
  readonly endpointUrl: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  readonly accountId: string;
  readonly roleArn: string;
  readonly bucket: string;
  readonly ecrRegistry: string;
}

/** `DATA/run/<part>.json`, there while the part runs. */
export interface RunningPart {
  readonly url: string;
  readonly pid: number;
}

export const serverCredentials = (dataDir: string) => readJson<ServerCredentials>(join(dataDir, "credentials.json"));
export const localAwsEnvironment = (dataDir: string) =>
  readJson<LocalAwsEnvironment>(join(dataDir, "local-aws", "env.json"));

/** Where a part runs, or undefined if it is not running (its file is absent or its process is gone). */
export async function runningPart(dataDir: string, part: "server" | "local-aws"): Promise<RunningPart | undefined> {
  const running = await readJson<RunningPart>(join(dataDir, "run", `${part}.json`));
  return running !== undefined && isAlive(running.pid) ? running : undefined;
}

/** Whether an agent of this data directory runs; each keeps a file in `DATA/agents/` while it does. */
export async function agentRuns(dataDir: string): Promise<boolean> {
  const folder = join(dataDir, "agents");
  const names = await readdir(folder).catch(() => []);
  const files = names.filter((name) => name.endsWith(".json"));
  const agents = await Promise.all(files.map((name) => readJson<{ pid: number }>(join(folder, name))));
  return agents.some((agent) => agent !== undefined && isAlive(agent.pid));
}

export async function readJson<T>(file: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Writes a file that only its owner may read, whole or not at all. */
export async function writePrivate(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, text, { mode: 0o600 });
  await rename(temporary, file);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
