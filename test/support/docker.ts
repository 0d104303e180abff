import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, cp, lstat, mkdir, mkdtemp, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { PATIENCE_MS } from "./patience.ts";

const run = promisify(execFile);

/** A Docker engine of the tests' own: no data, socket or network settings shared with another one on the machine. */
export interface DockerEngine {
  /** `unix:///.../docker.sock`, for DOCKER_HOST. */
  readonly host: string;
  /** Runs the docker command against this engine. Rejects with its stderr when it fails. */
  docker(args: readonly string[], input?: string): Promise<string>;
  /** Makes an image with a shell (busybox or dash, coreutils) and Python 3 out of this machine's own files. About two seconds. */
  makeBaseImage(name: string): Promise<void>;
  /** Stops the engine, its containers and what it has mounted, and removes its data. */
  close(): Promise<void>;
}

/** Starts dockerd (Debian's docker.io) as root. Throws when there is no dockerd or it does not come up, with its log. */
export async function startDockerEngine(
  options: { readonly env?: Readonly<Record<string, string>> } = {},
): Promise<DockerEngine> {
  if (process.getuid?.() !== 0) throw new Error("A Docker engine of the tests' own needs root");
  const dockerd = ["/usr/sbin/dockerd", "/usr/bin/dockerd", "/usr/local/bin/dockerd"].find(existsSync);
  if (dockerd === undefined)
    throw new Error("dockerd is missing: apt-get install --no-install-recommends docker.io iptables");
  const home = await mkdtemp(join(tmpdir(), "slipway-docker-"));
  const host = `unix://${home}/docker.sock`;
  await writeFile(join(home, "daemon.json"), "{}");
  const child = spawn(
    dockerd,
    [
      `--config-file=${home}/daemon.json`,
      `--data-root=${home}/data`,
      `--exec-root=${home}/exec`,
      `--pidfile=${home}/docker.pid`,
      `--host=${host}`,
      // The machine's default bridge may belong to another engine; containers of the tests join networks of their own.
      "--bridge=none",
    ],
    { stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env.PATH, HOME: home, ...options.env } },
  );
  let log = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      log = (log + text).slice(-20_000);
    });
  try {
    await untilReady(child, `${home}/docker.sock`);
  } catch (error) {
    await stop(child);
    throw new Error(`dockerd did not start: ${String(error)}\n${log}`);
  }
  const docker = async (args: readonly string[], input?: string) => {
    const running = run("docker", [...args], {
      env: { PATH: process.env.PATH, HOME: home, DOCKER_HOST: host, DOCKER_CONFIG: join(home, "config") },
      maxBuffer: 1 << 26,
    });
    if (input !== undefined) running.child.stdin?.end(input);
    return (await running).stdout;
  };
  return {
    host,
    docker,
    makeBaseImage: async (name) => {
      const root = join(home, "base");
      await makeRoot(root);
      const archive = join(home, "base.tar");
      await run("tar", ["-C", root, "-cf", archive, "."]);
      await docker(["import", "--change", "ENV PATH=/usr/local/bin:/usr/bin:/bin", archive, name]);
      await rm(root, { recursive: true, force: true });
      await rm(archive, { force: true });
    },
    close: async () => {
      const left = (await docker(["ps", "-aq"]).catch(() => "")).split("\n").filter((id) => id !== "");
      if (left.length > 0) await docker(["rm", "-f", ...left]).catch(() => undefined);
      await docker(["network", "prune", "-f"]).catch(() => undefined);
      await stop(child);
      await unmountUnder(home);
      await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

async function untilReady(child: ChildProcess, socketPath: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await ping(socketPath))) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended (${child.exitCode})`);
    if (Date.now() > deadline) throw new Error("it does not answer");
    await sleep(50);
  }
}

function ping(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asking = request({ socketPath, path: "/_ping", timeout: 2000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asking.on("error", () => resolve(false));
    asking.on("timeout", () => asking.destroy());
    asking.end();
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
  await ended;
  clearTimeout(timer);
}

/** The engine leaves its network namespaces mounted. */
async function unmountUnder(directory: string): Promise<void> {
  const table = await readFile("/proc/self/mountinfo", "utf8");
  const points = table.split("\n").flatMap((line) => line.split(" ")[4] ?? []);
  for (const point of points.filter((each) => each.startsWith(`${directory}/`)).reverse())
    await run("umount", ["-l", point]).catch(() => undefined);
}

/** Programs that the base image has, where this machine has them. */
const PROGRAMS = ["sh", "cat", "cp", "echo", "env", "id", "ls", "mkdir", "pwd", "rm", "sleep", "true", "false", "date"];

/** A root directory with a shell, a few programs and the system's Python 3, and exactly the libraries that these load. */
async function makeRoot(root: string): Promise<void> {
  for (const directory of ["bin", "dev", "etc", "proc", "sys", "tmp", "usr/bin", "usr/local/bin", "opt/ml", "root"])
    await mkdir(join(root, directory), { recursive: true });
  await chmod(join(root, "tmp"), 0o1777);
  await writeFile(
    join(root, "etc/passwd"),
    "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
  );
  await writeFile(join(root, "etc/group"), "root:x:0:\nnogroup:x:65534:\n");
  await writeFile(join(root, "etc/nsswitch.conf"), "hosts: files dns\n");

  const python = await systemPython();
  const programs = PROGRAMS.map((name) => [`/bin/${name}`, `bin/${name}`] as const).filter(([file]) =>
    existsSync(file),
  );
  const binaries = [...programs, [python.executable, "usr/bin/python3"] as const];
  for (const [from, to] of binaries) await cp(await realpath(from), join(root, to));
  await cp(python.library, join(root, python.library), {
    recursive: true,
    filter: (file) =>
      !/\/(__pycache__|test|tests|idlelib|ensurepip|tkinter|turtledemo|config-[^/]*)(\/|$)|\/dist-packages\//.test(
        file,
      ),
    verbatimSymlinks: true,
  });
  const objects = [...binaries.map(([from]) => from), ...python.extensions, ...(await existing(NAME_SERVICE))];
  for (const library of await librariesOf(objects)) await copyWithLinks(library, root);
  for (const library of await existing(NAME_SERVICE)) await copyWithLinks(library, root);
}

/** Loaded by name when a program asks for host names; no program lists them. */
const NAME_SERVICE = ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"].flatMap((name) => [
  `/lib/x86_64-linux-gnu/${name}`,
  `/lib/aarch64-linux-gnu/${name}`,
]);

async function systemPython(): Promise<{ executable: string; library: string; extensions: string[] }> {
  const executable = "/usr/bin/python3";
  if (!existsSync(executable)) throw new Error("/usr/bin/python3 is missing: apt-get install python3-minimal python3");
  const { stdout } = await run(executable, [
    "-c",
    "import glob,os;print(os.path.dirname(os.__file__));print('\\n'.join(glob.glob(os.path.dirname(os.__file__)+'/lib-dynload/*.so')))",
  ]);
  const [library = "", ...extensions] = stdout.trim().split("\n");
  return { executable, library, extensions };
}

async function librariesOf(objects: readonly string[]): Promise<Set<string>> {
  const libraries = new Set<string>();
  const { stdout } = await run("ldd", [...objects], { maxBuffer: 1 << 24 }).catch((error: { stdout?: string }) => ({
    stdout: error.stdout ?? "",
  }));
  for (const match of stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)) libraries.add(match[1]!);
  return libraries;
}

/** The file under the name by which it is loaded, whatever links lead to it on this machine. */
async function copyWithLinks(file: string, root: string): Promise<void> {
  const target = join(root, file);
  await mkdir(dirname(target), { recursive: true });
  await cp(await realpath(file), target);
  if ((await lstat(target)).isFile()) await chmod(target, (await stat(file)).mode & 0o777);
}

async function existing(files: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const file of files) if (existsSync(file) && (await readFile(file)).length > 0) found.push(file);
  return found;
}
