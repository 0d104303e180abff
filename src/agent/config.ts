import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { type Problem, SlipwayError } from "../core/errors/slipway-error.ts";
import type { LaunchConfig } from "../core/launch-config/launch-config.ts";

/** Everything an agent is told before it starts. */
export interface AgentConfig {
  readonly baseUrl: string;
  readonly apiKey: string;
  /** Owner of the queues; absent: the key's own user. */
  readonly entity: string | undefined;
  readonly queues: readonly string[];
  /** Jobs at once, leased and running; Infinity: no limit. */
  readonly maxJobs: number;
  /** Absolute. Holds the agent's identity and the layer cache. */
  readonly dataDir: string;
  /** Seconds between a stop request and StopTrainingJob; 0: at once. */
  readonly stopDelaySeconds: number;
  readonly launchConfig: LaunchConfig;
  readonly logLevel: string;
  /** The container engine of the builder docker, as the docker command finds it. */
  readonly engine: { readonly host?: string; readonly tls?: boolean; readonly certPath?: string };
  /** Docker's config.json, with the logins for base images. */
  readonly dockerConfig: string;
  /** The agent's environment, of which builder.secrets and credential helpers name variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /**
   * A test hook, of no use otherwise: the agent kills itself (SIGKILL) at this named point between two steps of a job;
   * `crash-point.ts` lists the names.
   */
  readonly crashAt: string | undefined;
}

const url = z.url({ protocol: /^https?$/, error: "must be an http or https address" });

/** The agent's settings in the environment, each with what it does. */
export const AGENT_SETTINGS = z.object({
  WANDB_BASE_URL: url.optional().describe("Address of the server."),
  WANDB_API_KEY: z.string().min(1).optional().describe("API key of the user the agent acts as."),
  WANDB_ENTITY: z.string().min(1).optional().describe("Owner of the queues."),
  SLIPWAY_DATA: z
    .string()
    .min(1)
    .optional()
    .describe("Directory of the agent's identity and its cache of image layers. Default ~/.slipway."),
  SLIPWAY_LOG_LEVEL: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"])
    .optional()
    .describe("The least severe log line that is written. Default: by the launch-config's verbosity."),
  DOCKER_HOST: z
    .string()
    .optional()
    .describe("Address of the container engine for builder.type docker: unix:///PATH or tcp://HOST:PORT."),
  DOCKER_TLS_VERIFY: z.string().optional().describe("Set to anything: speak TLS with an engine at tcp://."),
  DOCKER_CERT_PATH: z
    .string()
    .optional()
    .describe("Directory of ca.pem, cert.pem and key.pem for that. Default ~/.docker."),
  DOCKER_CONFIG: z
    .string()
    .optional()
    .describe("Directory of Docker's config.json, with the logins for base images. Default ~/.docker."),
  SLIPWAY_TEST_CRASH_AT: z.string().optional().describe("Test hook: kill the agent at a named point."),
});

/** What the command line says; it wins over launch-config.yaml, which wins over the environment. */
export interface AgentOverrides {
  readonly queues?: readonly string[];
  readonly entity?: string;
  readonly maxJobs?: number;
  readonly dataDir?: string;
  readonly baseUrl?: string;
  readonly apiKey?: string;
  readonly verbosity?: number;
}

/** Throws AGENT_SETTINGS_INVALID naming each wrong or missing setting, AGENT_NO_QUEUE without a queue. */
export function readAgentConfig(
  env: Readonly<Record<string, string | undefined>>,
  launchConfig: LaunchConfig,
  overrides: AgentOverrides = {},
): AgentConfig {
  const given = Object.fromEntries(
    Object.keys(AGENT_SETTINGS.shape)
      .filter((name) => env[name] !== undefined && env[name] !== "")
      .map((name) => [name, env[name]]),
  );
  const parsed = AGENT_SETTINGS.safeParse(given);
  const problems: Problem[] = parsed.success
    ? []
    : parsed.error.issues.map((issue) => ({ path: String(issue.path[0]), message: issue.message }));
  const settings: z.infer<typeof AGENT_SETTINGS> = parsed.success ? parsed.data : {};
  const baseUrl = overrides.baseUrl ?? launchConfig.baseUrl ?? settings.WANDB_BASE_URL;
  const apiKey = overrides.apiKey ?? settings.WANDB_API_KEY;
  const log = { hint: "Run `slipway login`, or set the variable." };
  if (baseUrl === undefined && problems.length === 0) {
    problems.push({ path: "WANDB_BASE_URL", message: "no server address is given", ...log });
  }
  if (apiKey === undefined) problems.push({ path: "WANDB_API_KEY", message: "no API key is given", ...log });
  if (problems.length > 0 || baseUrl === undefined || apiKey === undefined) {
    throw new SlipwayError("AGENT_SETTINGS_INVALID", { values: { count: problems.length }, problems });
  }
  const queues = overrides.queues !== undefined && overrides.queues.length > 0 ? overrides.queues : launchConfig.queues;
  if (queues.length === 0) throw new SlipwayError("AGENT_NO_QUEUE");
  const verbosity = overrides.verbosity ?? launchConfig.verbosity;
  return {
    baseUrl: baseUrl.replace(/\/+$/, ""),
    apiKey,
    entity: overrides.entity ?? launchConfig.entity ?? settings.WANDB_ENTITY,
    queues: [...new Set(queues)],
    maxJobs: overrides.maxJobs === undefined ? launchConfig.maxJobs : limitOf(overrides.maxJobs),
    dataDir: resolve(overrides.dataDir ?? settings.SLIPWAY_DATA ?? join(homedir(), ".slipway")),
    // Absent from the file it means "at once": waiting is for code that listens for the run's own stop.
    stopDelaySeconds: "stopped_run_timeout" in launchConfig.raw ? launchConfig.stoppedRunTimeout : 0,
    launchConfig,
    logLevel: settings.SLIPWAY_LOG_LEVEL ?? (verbosity > 0 ? "debug" : "info"),
    engine: {
      ...(settings.DOCKER_HOST === undefined ? {} : { host: settings.DOCKER_HOST }),
      ...(settings.DOCKER_TLS_VERIFY === undefined ? {} : { tls: true }),
      ...(settings.DOCKER_CERT_PATH === undefined ? {} : { certPath: settings.DOCKER_CERT_PATH }),
    },
    dockerConfig: join(settings.DOCKER_CONFIG ?? join(homedir(), ".docker"), "config.json"),
    environment: env,
    crashAt: settings.SLIPWAY_TEST_CRASH_AT,
  };
}

function limitOf(maxJobs: number): number {
  return maxJobs === -1 ? Number.POSITIVE_INFINITY : maxJobs;
}
