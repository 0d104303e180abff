import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { SlipwayError } from "../core/errors/slipway-error.ts";

/** Every setting of the local AWS, by the name of its environment variable; each description says what it does. */
export const LOCAL_AWS_SETTINGS = z.object({
  SLIPWAY_DATA: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Data directory; the local AWS keeps everything under its folder local-aws, and its address in run/local-aws.json. Without it: ~/.slipway.",
    ),
  SLIPWAY_LOCAL_AWS_HOST: z
    .string()
    .min(1)
    .default("127.0.0.1")
    .describe("Address to listen on; 0.0.0.0 for every interface."),
  SLIPWAY_LOCAL_AWS_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65535)
    .default(4566)
    .describe("Port to listen on; 0 takes a free one."),
  SLIPWAY_LOCAL_AWS_REGION: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "is not the name of a region")
    .default("us-east-1")
    .describe("Region of the resources that the first start makes. Requests of every region are answered."),
  SLIPWAY_LOCAL_AWS_ACCOUNT: z
    .string()
    .regex(/^\d{12}$/, "must have 12 digits")
    .default("123456789012")
    .describe("The account that owns everything."),
  SLIPWAY_LOCAL_AWS_IAM: z
    .enum(["enforce", "off"])
    .default("enforce")
    .describe(
      "Whether every request must be allowed by IAM policies, as on AWS; off: who holds keys of the account may do everything in it.",
    ),
  SLIPWAY_LOCAL_AWS_RUNTIME: z
    .enum(["auto", "process", "docker"])
    .default("auto")
    .describe("What runs training containers: a process sandbox, the Docker engine, or (auto) what fits the image."),
  DOCKER_HOST: z
    .string()
    .min(1)
    .default("unix:///var/run/docker.sock")
    .describe("Socket of the Docker engine (or Podman's) of this machine; only unix:// addresses are used."),
  SLIPWAY_LOCAL_AWS_STOP_GRACE_SECONDS: z.coerce
    .number()
    .min(0)
    .max(120)
    .default(120)
    .describe("Seconds that a training container has between SIGTERM and SIGKILL; SageMaker gives 120."),
  SLIPWAY_LOG_LEVEL: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"])
    .default("info")
    .describe("The least severe log line that is written (JSON lines on stderr)."),
});

export interface LocalAwsConfig {
  /** The data directory (absolute); state lives in its folder `local-aws`. */
  readonly dataDir: string;
  /** `DATA/local-aws`. */
  readonly stateDir: string;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly region: string;
  readonly accountId: string;
  /** Whether IAM policies are evaluated. */
  readonly enforcesIam: boolean;
  readonly runtime: "auto" | "process" | "docker";
  /** DOCKER_HOST: where the container engine listens. */
  readonly engineHost: string;
  readonly stopGraceMs: number;
  /** The machine's PATH: the sandbox's tools, and the programs of jobs on the machine's own file system. */
  readonly searchPath: string;
  readonly logLevel: string;
}

/**
 * Reads the settings from the environment; an empty variable counts as absent, overrides (the command line) win.
 * Throws LOCAL_AWS_CONFIG_INVALID with one problem per wrong setting.
 */
export function readLocalAwsConfig(
  env: Readonly<Record<string, string | undefined>>,
  overrides: { readonly dataDir?: string; readonly port?: number; readonly host?: string } = {},
): LocalAwsConfig {
  const given: Record<string, unknown> = {};
  for (const name of Object.keys(LOCAL_AWS_SETTINGS.shape)) {
    if (env[name] !== undefined && env[name] !== "") given[name] = env[name];
  }
  if (overrides.dataDir !== undefined) given.SLIPWAY_DATA = overrides.dataDir;
  if (overrides.port !== undefined) given.SLIPWAY_LOCAL_AWS_PORT = overrides.port;
  if (overrides.host !== undefined) given.SLIPWAY_LOCAL_AWS_HOST = overrides.host;
  const parsed = LOCAL_AWS_SETTINGS.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => {
      const name = String(issue.path[0]);
      const effect = LOCAL_AWS_SETTINGS.shape[name as keyof typeof LOCAL_AWS_SETTINGS.shape]?.description;
      return { path: name, message: issue.message, ...(effect === undefined ? {} : { hint: effect }) };
    });
    throw new SlipwayError("LOCAL_AWS_CONFIG_INVALID", { values: { count: problems.length }, problems });
  }
  const settings = parsed.data;
  const dataDir = resolve(settings.SLIPWAY_DATA ?? join(env.HOME ?? homedir(), ".slipway"));
  return {
    dataDir,
    stateDir: join(dataDir, "local-aws"),
    host: settings.SLIPWAY_LOCAL_AWS_HOST,
    port: settings.SLIPWAY_LOCAL_AWS_PORT,
    region: settings.SLIPWAY_LOCAL_AWS_REGION,
    accountId: settings.SLIPWAY_LOCAL_AWS_ACCOUNT,
    enforcesIam: settings.SLIPWAY_LOCAL_AWS_IAM === "enforce",
    runtime: settings.SLIPWAY_LOCAL_AWS_RUNTIME,
    engineHost: settings.DOCKER_HOST,
    stopGraceMs: settings.SLIPWAY_LOCAL_AWS_STOP_GRACE_SECONDS * 1000,
    searchPath: env.PATH || "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    logLevel: settings.SLIPWAY_LOG_LEVEL,
  };
}
