import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface DockerRegistry {
  /** `http://127.0.0.1:PORT` */
  readonly endpoint: string;
  /** `127.0.0.1:PORT` */
  readonly host: string;
  close(): Promise<void>;
}

/**
 * Starts Debian's `docker-registry` (the reference implementation of the distribution protocol) on a free port with its
 * files in a temporary directory. `htpasswd` is a line `user:bcrypt` for basic authorization; `token` asks for bearer tokens.
 */
export async function startDockerRegistry(
  options: { htpasswd?: string; token?: { realm: string; certificate: string } } = {},
): Promise<DockerRegistry> {
  const directory = await mkdtemp(join(tmpdir(), "docker-registry-"));
  const port = await freePort();
  const config: Record<string, unknown> = {
    version: "0.1",
    log: { level: "error", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(directory, "data") }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}` },
  };
  if (options.htpasswd !== undefined) {
    await writeFile(join(directory, "htpasswd"), `${options.htpasswd}\n`);
    config.auth = { htpasswd: { realm: "test", path: join(directory, "htpasswd") } };
  }
  if (options.token !== undefined) {
    await writeFile(join(directory, "certificate.pem"), options.token.certificate);
    config.auth = {
      token: {
        realm: options.token.realm,
        service: "test-registry",
        issuer: "test-issuer",
        rootcertbundle: join(directory, "certificate.pem"),
      },
    };
  }
  const file = join(directory, "config.yml");
  await writeFile(file, JSON.stringify(config)); // YAML is a superset of JSON
  const child = spawn("docker-registry", ["serve", file], { stdio: ["ignore", "ignore", "pipe"] });
  const endpoint = `http://127.0.0.1:${port}`;
  await answers(child, endpoint);
  return {
    endpoint,
    host: `127.0.0.1:${port}`,
    async close() {
      const exited = new Promise((resolve) => child.once("exit", resolve));
      if (child.exitCode === null && child.kill("SIGKILL")) await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function answers(child: ChildProcess, endpoint: string): Promise<void> {
  let problem = "";
  child.stderr?.on("data", (chunk) => {
    problem += chunk;
  });
  child.once("error", (error) => {
    problem = `${error.message}: apt-get install docker-registry`;
  });
  for (let tries = 0; tries < 3_000; tries += 1) {
    if (child.exitCode !== null || child.pid === undefined) break;
    const response = await fetch(`${endpoint}/v2/`).catch(() => undefined);
    await response?.body?.cancel();
    if (response !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`docker-registry did not start: ${problem}`);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
