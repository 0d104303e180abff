import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import colors from "picocolors";
import { type CliConfig, readCliConfig } from "../config.ts";
import { agentRuns, localAwsEnvironment, runningPart, serverCredentials, writePrivate } from "../data-dir.ts";
import { localAwsExports, serverExports } from "../exports.ts";
import { parsePort } from "../parse-port.ts";
import { runUntilSignal } from "../run-until-signal.ts";
import { type Supervised, supervise } from "../supervisor.ts";

interface UpOptions {
  data?: string;
  port: number;
  localAwsPort: number;
  agent: boolean;
  config?: string;
}

export function upCommand(): Command {
  return new Command("up")
    .description("Start everything on this machine: server, local AWS and an agent. No AWS account, no Docker needed.")
    .option("--data <dir>", "where all state lives (default ~/.slipway, or SLIPWAY_DATA)")
    .option("--port <n>", "port of the server", parsePort, 8080)
    .option("--local-aws-port <n>", "port of the local AWS", parsePort, 4566)
    .option("--no-agent", "start no agent (and make no default queue)")
    .option("-c, --config <file>", "the agent's launch-config.yaml (default: one is written to the data directory)")
    .action(async (options: UpOptions) => {
      const config = readCliConfig(options);
      const parts: Supervised[] = [];
      try {
        await startAll(config, options, parts);
        await runUntilSignal({ close: () => stopAll(parts) });
      } catch (error) {
        await stopAll(parts);
        throw error;
      }
    });
}

/** The agent first, so that it hands its items over while the server still answers. */
async function stopAll(parts: readonly Supervised[]): Promise<void> {
  for (const part of parts.toReversed()) await part.stop();
}

async function startAll(config: CliConfig, options: UpOptions, parts: Supervised[]): Promise<void> {
  const { dataDir } = config;
  const logDir = join(dataDir, "log");
  const start = async (
    part: string,
    args: () => Promise<readonly string[]>,
    env: NodeJS.ProcessEnv,
    isReady: () => Promise<boolean>,
  ) => {
    const logFile = join(logDir, `${part}.log`);
    const supervised = supervise({
      part,
      args,
      env,
      logFile,
      isReady,
      onRestart: (code) =>
        console.error(`${part} ended (exit code ${code ?? "killed"}); starting it again, see ${logFile}`),
    });
    parts.push(supervised);
    await supervised.ready;
  };
  const ports = new Map<string, string>();
  const onItsPort = async (part: "server" | "local-aws", wanted: number) => {
    const port = ports.get(part) ?? String(wanted);
    return [part, "--data", dataDir, "--port", port];
  };
  const answersAndKeepsItsPort = async (part: "server" | "local-aws", path: string) => {
    const running = await runningPart(dataDir, part);
    if (running === undefined || !(await answersOk(new URL(path, running.url)))) return false;
    ports.set(part, new URL(running.url).port);
    return true;
  };

  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await Promise.all([
    start(
      "local-aws",
      () => onItsPort("local-aws", options.localAwsPort),
      config.env,
      () => answersAndKeepsItsPort("local-aws", "/healthz"),
    ),
    start(
      "server",
      () => onItsPort("server", options.port),
      config.env,
      () => answersAndKeepsItsPort("server", "/readyz"),
    ),
  ]);
  const credentials = await serverCredentials(dataDir);
  const localAws = await localAwsEnvironment(dataDir);
  const server = await runningPart(dataDir, "server");
  if (credentials === undefined || localAws === undefined || server === undefined) {
    throw new Error(`the server or the local AWS wrote no credentials into ${dataDir}`);
  }
  say(
    "server",
    `${server.url}  ${colors.dim(`user ${credentials.username}, key in ${join(dataDir, "credentials.json")}`)}`,
  );
  say(
    "local AWS",
    `${localAws.endpointUrl}  ${colors.dim(`account ${localAws.accountId}, bucket ${localAws.bucket}`)}`,
  );

  if (options.agent) {
    const { prepareFirstQueue, FIRST_QUEUE } = await import("../first-queue.ts");
    const env = {
      ...config.env,
      ...localAwsExports(localAws),
      ...serverExports({ ...credentials, baseUrl: server.url }),
    };
    const launchConfig = options.config ?? (await defaultLaunchConfig(dataDir, FIRST_QUEUE, localAws));
    await prepareFirstQueue({ baseUrl: server.url, credentials, localAws });
    await start(
      "launch-agent",
      async () => ["launch-agent", "--data", dataDir, "-c", launchConfig],
      env,
      () => agentRuns(dataDir),
    );
    say("agent", `serves queue ${FIRST_QUEUE}  ${colors.dim(`configured by ${launchConfig}`)}`);
    console.error(`\nTry it: ${colors.bold(`slipway launch DIRECTORY -q ${FIRST_QUEUE} --follow --data ${dataDir}`)}`);
  }
  console.error(`${colors.dim(`Logs in ${logDir}. Ctrl-C stops everything.`)}`);
}

async function defaultLaunchConfig(dataDir: string, queue: string, localAws: { region: string; ecrRegistry: string }) {
  const file = join(dataDir, "launch-config.yaml");
  try {
    await access(file);
  } catch {
    const { launchConfigText } = await import("../first-queue.ts");
    await writePrivate(file, launchConfigText(queue, localAws));
  }
  return file;
}

async function answersOk(url: URL): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

function say(part: string, text: string): void {
  console.error(`${colors.green("up")} ${part.padEnd(10)} ${text}`);
}
