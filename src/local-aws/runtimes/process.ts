import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Logger } from "pino";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { ImageStore } from "../ecr/image-store.ts";
import { hostAddresses } from "./host-addresses.ts";
import { createJobNetworks, type NetworkFile, releaseNetwork } from "./job-network.ts";
import { followOutput, waitForFile } from "./output-log.ts";
import { processStartTime } from "./process-identity.ts";
import type { ContainerSpec, RunningContainer, TrainingRuntime } from "./runtime.ts";
import { bubblewrapCommand, findProgram, type SandboxSpec, unshareCommand } from "./sandbox.ts";
import type { ExitFile, LaunchFile, SupervisorFile } from "./supervisor.ts";

export interface ProcessRuntimeOptions {
  readonly images: Pick<ImageStore, "unpack">;
  readonly logger: Logger;
  /** Where the sandbox's tools and, for images on the machine's own file system, the job's programs are found. */
  readonly searchPath: string;
  /** Directories of the machine that no job may read: the state of the local AWS and what lies beside it. */
  readonly hidden: readonly string[];
  /** Chooses the sandbox; without it bubblewrap if the machine has it, else unshare. */
  readonly sandbox?: "bubblewrap" | "unshare";
}

const CONTAINER_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Runs each host of a training job as a process tree of this machine in a mount, process, IPC and host-name namespace of its own.
 * As root it needs bubblewrap or util-linux's unshare; as another user also unprivileged user namespaces and, for images with a root
 * of their own, overlayfs in them (Linux 5.11). Hosts share the machine's network: they have an address of 127.0.0.0/8 each, and two
 * that listen on 0.0.0.0 with the same port collide. Isolated jobs have a network of their own; for several hosts that needs root
 * and bubblewrap, else each host is alone.
 */
export function createProcessRuntime(options: ProcessRuntimeOptions): TrainingRuntime {
  const { images, searchPath } = options;

  async function tool(): Promise<{ kind: "bubblewrap" | "unshare"; path: string } | undefined> {
    const bwrap = options.sandbox === "unshare" ? undefined : await findProgram("bwrap", searchPath);
    const unshare = await findProgram("unshare", `${searchPath}:${CONTAINER_PATH}`);
    if (unshare === undefined) return undefined;
    if (bwrap !== undefined) return { kind: "bubblewrap", path: bwrap };
    return options.sandbox === "bubblewrap" ? undefined : { kind: "unshare", path: unshare };
  }

  const networks = createJobNetworks(async () => (await tool())?.path);

  return {
    kind: "process",
    available: async () => (await tool()) !== undefined,

    async start(spec) {
      const chosen = await tool();
      if (chosen === undefined) throw new SlipwayError("NO_SANDBOX");
      if ("engineImage" in spec.image)
        throw new SlipwayError("ENGINE_IMAGE", { values: { image: spec.image.engineImage } });
      const image = spec.image;
      const { config } = image;
      const onHost = image.labels["io.slipway.base"] === "host";
      const payload = [...(spec.entrypoint ?? config.Entrypoint ?? []), ...spec.arguments];
      const unpacked = await images.unpack(image);
      const env = payloadEnvironment(
        config.Env ?? [],
        onHost ? searchPath : CONTAINER_PATH,
        onHost ? "/tmp" : "/root",
        spec,
      );

      await mkdir(spec.stateDir, { recursive: true, mode: 0o700 });
      const asRoot = process.getuid?.() === 0;
      const shared =
        spec.networkIsolation && spec.hosts.length > 1 && asRoot && chosen.kind === "bubblewrap"
          ? await networks.join(spec.jobName, spec.stateDir)
          : undefined;
      const hostsFile = join(spec.stateDir, "hosts");
      await writeFile(hostsFile, hostsFileText(spec));
      await chmod(hostsFile, 0o644);
      const sandbox: SandboxSpec = {
        hostname: spec.host,
        root: { kind: onHost ? "host" : "image", unpacked },
        mlDir: spec.mlDir,
        hostsFile,
        mounts: spec.mounts ?? [],
        upperDir: join(spec.stateDir, "layer"),
        mergedDir: join(spec.stateDir, "root"),
        workingDir: config.WorkingDir || "/",
        networkIsolation: spec.networkIsolation && shared === undefined,
        hidden: options.hidden,
        hostOpt: onHost
          ? (await readdir("/opt").catch(() => [])).filter((name) => name !== "ml" && name !== "slipway")
          : [],
        asRoot,
      };
      await mkdir(sandbox.upperDir, { recursive: true });
      await mkdir(sandbox.mergedDir, { recursive: true });
      let launch: LaunchFile;
      if (chosen.kind === "bubblewrap") {
        const { command, options: list } = bubblewrapCommand(sandbox, chosen.path, env);
        const argsFile = join(spec.stateDir, "sandbox.args");
        await writeFile(argsFile, list!.map((option) => `${option}\0`).join(""), { mode: 0o600 });
        launch = {
          command: [...inNetwork(shared), ...command, ...payload],
          env: { PATH: `${CONTAINER_PATH}:${searchPath}` },
          argsFile,
          reportsChild: true,
        };
      } else {
        const [first, ...rest] = unshareCommand(sandbox).command;
        launch = { command: [chosen.path, ...rest, ...payload], env, reportsChild: false };
        if (first !== "unshare") throw new Error("unexpected sandbox");
      }
      await writeFile(join(spec.stateDir, "launch.json"), JSON.stringify(launch), { mode: 0o600 });
      await superviseDetached(spec.stateDir, searchPath);
      return openContainer(spec);
    },

    async reattach(spec) {
      return existsSync(join(spec.stateDir, "supervisor.json")) ? openContainer(spec) : undefined;
    },
  };
}

/** Starts the supervisor in a session of its own and waits until it has started the payload. */
async function superviseDetached(stateDir: string, searchPath: string): Promise<void> {
  // Run from source (development, tests) the supervisor needs tsx; from the build it is plain JavaScript.
  const fromSource = import.meta.url.endsWith(".ts");
  const script = fileURLToPath(new URL(fromSource ? "./supervisor.ts" : "./supervisor.js", import.meta.url));
  const errors = await open(join(stateDir, "supervisor.log"), "a", 0o600);
  try {
    const child = spawn(process.execPath, [...(fromSource ? ["--import", "tsx"] : []), script, stateDir], {
      cwd: dirname(script),
      detached: true,
      env: { PATH: `${CONTAINER_PATH}:${searchPath}` },
      stdio: ["ignore", "ignore", errors.fd],
    });
    let gone = false;
    child.on("exit", () => {
      gone = true;
    });
    child.on("error", () => {
      gone = true;
    });
    child.unref();
    if (!(await waitForFile(stateDir, "supervisor.json", () => gone))) {
      const text = await readFile(join(stateDir, "supervisor.log"), "utf8");
      throw new SlipwayError("SUPERVISOR_FAILED", { values: { reason: text.trim().split("\n").slice(-5).join(" ") } });
    }
  } finally {
    await errors.close();
  }
}

function openContainer(spec: ContainerSpec): RunningContainer {
  const { stateDir } = spec;
  const supervisor = JSON.parse(readFileSync(join(stateDir, "supervisor.json"), "utf8")) as SupervisorFile;
  const gone = () => processStartTime(supervisor.pid) !== supervisor.startTime;
  let ended: Promise<{ exitCode: number }> | undefined;
  const wait = (signal?: AbortSignal) => {
    if (signal !== undefined) return waitForExit(signal);
    ended ??= waitForExit();
    return ended;
  };
  const waitForExit = async (signal?: AbortSignal) => {
    const written = await waitForFile(stateDir, "exit.json", gone, signal);
    signal?.throwIfAborted();
    // A supervisor that was killed takes its payload with it (--die-with-parent): as if that had been killed.
    if (!written) return { exitCode: 137 };
    const exit = JSON.parse(await readFile(join(stateDir, "exit.json"), "utf8")) as ExitFile;
    return { exitCode: exit.exitCode };
  };
  const signal = async (name: "SIGTERM" | "SIGKILL") => {
    if (!gone()) process.kill(supervisor.pid, name === "SIGKILL" ? "SIGUSR2" : "SIGTERM");
  };
  return {
    output: (signal) => followOutput(stateDir, gone, signal),
    wait,
    signal,
    async remove() {
      await signal("SIGKILL");
      await wait();
      await rm(join(stateDir, "layer"), { recursive: true, force: true });
      await rm(join(stateDir, "root"), { recursive: true, force: true });
      await rm(join(stateDir, "sandbox.args"), { force: true });
      const network = await readFile(join(stateDir, "network.json"), "utf8").catch(() => undefined);
      if (network !== undefined) releaseNetwork(JSON.parse(network) as NetworkFile);
    },
  };
}

function inNetwork(holder: NetworkFile | undefined): string[] {
  return holder === undefined ? [] : ["nsenter", `--net=/proc/${holder.pid}/ns/net`];
}

function payloadEnvironment(
  imageEnv: readonly string[],
  path: string,
  home: string,
  spec: ContainerSpec,
): Record<string, string> {
  const env: Record<string, string> = { PATH: path, HOME: home, HOSTNAME: spec.host };
  for (const entry of imageEnv) {
    const equals = entry.indexOf("=");
    if (equals > 0) env[entry.slice(0, equals)] = entry.slice(equals + 1);
  }
  return { ...env, ...spec.env };
}

function hostsFileText(spec: ContainerSpec): string {
  const lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"];
  for (const { host, address } of hostAddresses(spec)) lines.push(`${address} ${host}`);
  return `${lines.join("\n")}\n`;
}
