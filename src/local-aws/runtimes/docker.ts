import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import type { Logger } from "pino";
import { EngineRefusal, query } from "../../containers/engine-http.ts";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { brokenOff, createDockerEngine, type DockerEngine } from "./docker-engine.ts";
import { createEngineImages, type LocalRegistry } from "./docker-images.ts";
import { readDockerLog } from "./docker-log.ts";
import { hostAddresses } from "./host-addresses.ts";
import type { ContainerSpec, RunningContainer, TrainingRuntime } from "./runtime.ts";

export interface DockerRuntimeOptions {
  /** DOCKER_HOST's form: `unix:///var/run/docker.sock`. */
  readonly host: string;
  readonly registry: LocalRegistry;
  readonly logger: Logger;
}

/** What an engine says about a container (engine API, ContainerInspect). */
interface Inspected {
  readonly Id: string;
  /** When it was made, in RFC 3339. */
  readonly Created: string;
  readonly State: { readonly Status: string; readonly Error: string };
}

/** The label by which a later process finds a container: the directory that the job keeps for it, which is nobody else's. */
const STATE_LABEL = "io.slipway.state";
const JOB_LABEL = "io.slipway.training-job";
const UNUSED_NETWORK_AGE = "10m";
/** Bytes of /dev/shm at most. Docker's own 64 MiB are too few for data loaders that pass batches between processes. */
const SHM_BYTES = 2 * 1024 ** 3;

/**
 * Runs each host of a training job as a container of the engine on this machine: Docker, or Podman behind Docker's API.
 *
 * Containers share the machine's network, so that they reach the local AWS, its credentials and a tracking server at the loopback addresses where these
 * listen and where SDKs accept credentials from; the hosts of a job have an address of 127.0.0.0/8 each. Two that listen on
 * 0.0.0.0 with the same port collide. An isolated job has an internal network of its own instead, where its hosts find each other and nothing else.
 */
export function createDockerRuntime(options: DockerRuntimeOptions): TrainingRuntime {
  const engine = createDockerEngine(options.host);
  const images = createEngineImages(engine, options.registry, options.logger);

  return {
    kind: "docker",
    available: () => engine.ping(),
    hasImage: (name) => images.has(name),

    async start(spec) {
      if (!("engineImage" in spec.image) && spec.image.labels["io.slipway.base"] === "host")
        throw new SlipwayError("ENGINE_HOST_IMAGE", { values: { image: spec.image.repository } });
      await mkdir(spec.stateDir, { recursive: true, mode: 0o700 });
      await sweep(engine, options.logger);
      const image = await images.ensure(spec.image);
      const name = containerName(spec);
      // What a start that was cut off has left.
      await engine.callUnless([404], "DELETE", `/containers/${name}?force=1&v=1`);
      const container = openContainer(engine, name, spec);
      try {
        if (spec.networkIsolation) await createNetwork(engine, spec);
        await engine.call("POST", `/containers/create${query({ name })}`, { body: containerBody(spec, image) });
        await startContainer(engine, name);
      } catch (error) {
        await container.remove().catch(() => undefined);
        if (error instanceof EngineRefusal)
          throw new SlipwayError("ENGINE_REFUSED", { values: { reason: error.message } });
        throw error;
      }
      return container;
    },

    async reattach(spec) {
      const filters = { label: [`${STATE_LABEL}=${spec.stateDir}`] };
      const found = (await engine.call("GET", `/containers/json${query({ all: "1", filters })}`)) as { Id: string }[];
      if (found.length === 0) return undefined;
      const { State } = await inspect(engine, found[0]!.Id);
      const container = openContainer(engine, found[0]!.Id, spec);
      if (State.Status !== "created" || State.Error !== "") return container;
      // Made but never started.
      await container.remove();
      return undefined;
    },
  };
}

/** Takes away what jobs have left whose directory is gone: the engine or the local AWS was killed while they were removed. */
async function sweep(engine: DockerEngine, logger: Logger): Promise<void> {
  try {
    const filters = { label: [STATE_LABEL] };
    const all = (await engine.call("GET", `/containers/json${query({ all: "1", filters })}`)) as {
      readonly Id: string;
      readonly Labels: Readonly<Record<string, string>>;
    }[];
    for (const { Id, Labels } of all) {
      if (existsSync(Labels[STATE_LABEL]!)) continue;
      await engine.callUnless([404, 409], "DELETE", `/containers/${Id}?force=1&v=1`);
    }
    // Only unused networks are pruned; a young one may still wait for its first container.
    const old = { label: [JOB_LABEL], until: [UNUSED_NETWORK_AGE] };
    await engine.call("POST", `/networks/prune${query({ filters: old })}`);
  } catch (error) {
    logger.warn({ err: error }, "what earlier jobs have left in the engine could not be removed");
  }
}

/**
 * An entry point that cannot be executed is the job's failure, as on SageMaker: the engine keeps its reason and exit code 127 or 126
 * with the container, and the container's output tells it.
 */
async function startContainer(engine: DockerEngine, name: string): Promise<void> {
  try {
    await engine.call("POST", `/containers/${name}/start`);
  } catch (error) {
    if (!(error instanceof EngineRefusal)) throw error;
    const { State } = await inspect(engine, name);
    if (State.Error === "" || !/exec: |executable file|permission denied/.test(State.Error)) throw error;
  }
}

function openContainer(engine: DockerEngine, name: string, spec: ContainerSpec): RunningContainer {
  const path = `/containers/${name}`;
  const waitForEnd = async (signal?: AbortSignal) => {
    const call = signal === undefined ? {} : { signal };
    const ended = (await engine.call("POST", `${path}/wait`, call)) as { StatusCode: number };
    return { exitCode: ended.StatusCode };
  };
  let ended: Promise<{ exitCode: number }> | undefined;
  return {
    async *output(signal) {
      const call = signal === undefined ? {} : { signal };
      const { Created, State } = await inspect(engine, name);
      const failure = startFailure(State.Error);
      const parameters = { follow: "1", stdout: "1", stderr: "1", timestamps: "1" };
      try {
        const answer = await engine.open("GET", `${path}/logs${query(parameters)}`, call);
        yield* readDockerLog(answer);
      } catch (error) {
        if (signal?.aborted === true) return;
        throw error instanceof SlipwayError || error instanceof EngineRefusal ? error : brokenOff(engine.host, error);
      }
      if (failure !== undefined) yield { at: Date.parse(Created), text: failure };
    },
    wait(signal) {
      if (signal !== undefined) return waitForEnd(signal);
      ended ??= waitForEnd();
      return ended;
    },
    async signal(name) {
      // 409: it does not run any more.
      await engine.callUnless([404, 409], "POST", `${path}/kill${query({ signal: name })}`);
    },
    async remove() {
      // 409: its removal is under way already.
      await engine.callUnless([404, 409], "DELETE", `${path}?force=1&v=1`);
      // 403: another host of the job still runs; it takes the network with it.
      if (spec.networkIsolation) await engine.callUnless([403, 404], "DELETE", `/networks/${networkName(spec)}`);
    },
  };
}

async function inspect(engine: DockerEngine, name: string): Promise<Inspected> {
  return (await engine.call("GET", `/containers/${name}/json`)) as Inspected;
}

/** The last part of an engine's message is the reason; what comes before names the engine's own layers. */
function startFailure(error: string): string | undefined {
  if (error === "") return undefined;
  return /exec: .*$/s.exec(error)?.[0].replace(/: unknown$/, "") ?? error;
}

/** The body of ContainerCreate. */
function containerBody(spec: ContainerSpec, image: string): object {
  const alone = spec.networkIsolation;
  const mounts = [{ source: spec.mlDir, target: "/opt/ml", readOnly: false }, ...(spec.mounts ?? [])];
  return {
    Image: image,
    Hostname: spec.host,
    Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    // Without an Entrypoint the image's own is kept and Cmd follows it; with one the image's Cmd is dropped too.
    ...(spec.entrypoint === undefined ? {} : { Entrypoint: spec.entrypoint }),
    Cmd: spec.arguments,
    Labels: { [STATE_LABEL]: spec.stateDir, [JOB_LABEL]: spec.jobName },
    AttachStdout: false,
    AttachStderr: false,
    HostConfig: {
      Mounts: mounts.map(({ source, target, readOnly }) => ({
        Type: "bind",
        Source: source,
        Target: target,
        ReadOnly: readOnly,
      })),
      NetworkMode: alone ? networkName(spec) : "host",
      ...(alone ? {} : { ExtraHosts: hostAddresses(spec).map(({ host, address }) => `${host}:${address}`) }),
      ShmSize: SHM_BYTES,
      // The one driver whose log can be read back whole, whatever the engine's default is.
      LogConfig: { Type: "json-file", Config: {} },
      RestartPolicy: { Name: "no" },
    },
    ...(alone ? { NetworkingConfig: { EndpointsConfig: { [networkName(spec)]: { Aliases: [spec.host] } } } } : {}),
  };
}

/** 409: another host of the job has made it. */
async function createNetwork(engine: DockerEngine, spec: ContainerSpec): Promise<void> {
  const body = {
    Name: networkName(spec),
    CheckDuplicate: true,
    Driver: "bridge",
    Internal: true,
    Labels: { [JOB_LABEL]: spec.jobName },
  };
  await engine.callUnless([409], "POST", "/networks/create", { body });
}

/** The state directory tells jobs of the same name on two data directories apart; the job's is the one above the host's. */
function containerName(spec: ContainerSpec): string {
  return `slipway-${spec.jobName}-${spec.host}-${shortHash(spec.stateDir)}`;
}

function networkName(spec: ContainerSpec): string {
  return `slipway-${spec.jobName}-${shortHash(spec.stateDir.slice(0, spec.stateDir.lastIndexOf(`/${spec.host}`)))}`;
}

function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}
