import type { ResolvedImage } from "../ecr/image-store.ts";

/** One host's container of a training job. Everything in it can be rebuilt from the job's row, so that a restart finds it again. */
export interface ContainerSpec {
  readonly jobName: string;
  /** This host's name: `algo-1`. */
  readonly host: string;
  /** All hosts of the job, in order. Every container resolves all of them by name. */
  readonly hosts: readonly string[];
  /** An image of the local ECR, or the name of an image that only a container engine knows. */
  readonly image: ResolvedImage | { readonly engineImage: string };
  /** ContainerEntrypoint of the request. Replaces the image's ENTRYPOINT; absent, the image's own runs. */
  readonly entrypoint?: readonly string[];
  /** What follows the entry point: `["train"]`, or ContainerArguments. Replaces the image's CMD. */
  readonly arguments: readonly string[];
  /** Laid over the image's Env. Nothing of the server's own environment reaches the container. */
  readonly env: Readonly<Record<string, string>>;
  /** Directory of the machine that is bound to /opt/ml, writable. It holds FIFOs, so it must be a bind, not a copy. */
  readonly mlDir: string;
  /** Further directories: read-only channels (`/opt/ml/input/data/NAME`), checkpoints outside /opt/ml. Mounted after /opt/ml. */
  readonly mounts?: readonly { readonly source: string; readonly target: string; readonly readOnly: boolean }[];
  /** Only the job's own hosts can be reached. */
  readonly networkIsolation: boolean;
  /** The runtime's own directory for this container: pid, output log, exit code. Survives a restart of the local AWS. */
  readonly stateDir: string;
}

/** A container that runs or has ended. */
export interface RunningContainer {
  /** Lines of stdout and stderr in the order they came, from the first one, until the container has ended. `at` is in milliseconds since 1970. An aborted signal ends the reading. */
  output(signal?: AbortSignal): AsyncIterable<{ readonly at: number; readonly text: string }>;
  /** Resolves when the container has ended; death by signal N is exit code 128 + N. May be called several times. An aborted signal ends only the waiting, with its reason. */
  wait(signal?: AbortSignal): Promise<{ readonly exitCode: number }>;
  /** Signals the payload (in Docker pid 1). No error when it has ended already. */
  signal(name: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Ends what still runs and frees what the runtime holds beside `stateDir` (engine containers, networks). Idempotent. */
  remove(): Promise<void>;
}

/** A way to run training containers on this machine. */
export interface TrainingRuntime {
  readonly kind: "process" | "docker";
  /** Whether containers can run here now. Cheap enough to ask for each job. */
  available(): Promise<boolean>;
  /** Whether the engine has an image of this name; only for runtimes that have images of their own. */
  hasImage?(name: string): Promise<boolean>;
  /** Starts the container and returns once its payload has been started. Rejects when the image or its entry point cannot run. */
  start(spec: ContainerSpec): Promise<RunningContainer>;
  /** Finds a container that an earlier process of the local AWS started, running or ended; undefined when there is none. */
  reattach(spec: ContainerSpec): Promise<RunningContainer | undefined>;
}
