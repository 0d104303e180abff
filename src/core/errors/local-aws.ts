import type { ErrorEntry } from "./registry.ts";

/** What keeps the local AWS from starting or running (its API errors are AWS's own). */
export const LOCAL_AWS_ERRORS = {
  PORT_TAKEN: {
    status: 409,
    exit: 4,
    message: "Port {port} is taken",
    hint: "Stop the other program, or choose another port with --port.",
  },
  NO_SANDBOX: {
    status: 503,
    exit: 4,
    message: "No training job can run as a process: neither bubblewrap nor unshare is installed",
    hint: "Install bubblewrap (Debian, Ubuntu: apt-get install bubblewrap) or util-linux, or start a Docker engine.",
  },
  ENGINE_IMAGE: {
    status: 400,
    exit: 2,
    message: "Image {image} is known to the container engine only",
    hint: "Start the Docker engine, or push the image to the local ECR.",
  },
  ENGINE_UNREACHABLE: {
    status: 503,
    exit: 4,
    message: "The container engine at {host} does not answer: {reason}",
    hint: "Start it, or point DOCKER_HOST at its socket (unix:///var/run/docker.sock).",
  },
  ENGINE_IMAGE_FAILED: {
    status: 502,
    exit: 1,
    message: "The container engine could not get image {image}: {reason}",
    hint: "Look at the engine's log and its free disk space, and push the image again if it is damaged.",
  },
  ENGINE_REFUSED: {
    status: 502,
    exit: 1,
    message: "The container engine refused to run the training container: {reason}",
    hint: "Correct what the engine names; SLIPWAY_LOCAL_AWS_RUNTIME=process runs jobs without an engine.",
  },
  ENGINE_HOST_IMAGE: {
    status: 400,
    exit: 2,
    message: "Image {image} has no file system of its own (base: host), so that no container engine can run it",
    hint: "Unset SLIPWAY_LOCAL_AWS_RUNTIME or set it to process, or build the image on a real base.",
  },
  SUPERVISOR_FAILED: {
    status: 500,
    exit: 1,
    message: "The training process could not be started: {reason}",
    hint: "Look at supervisor.log in the job's directory under DATA/local-aws/jobs.",
  },
  LOCAL_AWS_IN_USE: {
    status: 409,
    exit: 4,
    message: "Another process already runs the local AWS on {dataDir}",
    hint: "Stop it first, or choose another data directory with --data.",
  },
  LOCAL_AWS_CONFIG_INVALID: {
    status: 422,
    exit: 2,
    message: "The local AWS's settings have {count} problem(s)",
    hint: "Correct each setting named below; docs/guide/local-aws.md lists them.",
  },
} as const satisfies Record<string, ErrorEntry>;
