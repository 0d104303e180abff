import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { collect } from "../collect.ts";
import { readCliConfig } from "../config.ts";
import { connection } from "../connection.ts";
import { runUntilSignal } from "../run-until-signal.ts";
import { version } from "../version.ts";

interface LaunchAgentOptions {
  data?: string;
  queue?: string[];
  entity?: string;
  config?: string;
  maxJobs?: number;
  verbose?: number;
}

export function launchAgentCommand(): Command {
  return new Command("launch-agent")
    .description(
      "Start an agent: it takes items from queues, makes sure of their images and submits them to SageMaker.",
    )
    .option("-q, --queue <name>", "queue to serve; may be given several times", collect)
    .option("-e, --entity <name>", "entity that owns the queues")
    .option("-c, --config <file>", "launch-config.yaml (default ~/.config/wandb/launch-config.yaml)")
    .option("-j, --max-jobs <n>", "most jobs at once; -1: no limit", parseMaxJobs)
    .option("-v, --verbose", "say more; may be given twice", (_, before: number) => before + 1, 0)
    .option("--data <dir>", "the agent's own state, and the server to use if none is named (default ~/.slipway)")
    .action(async (options: LaunchAgentOptions) => {
      const config = readCliConfig(options);
      const [{ parseLaunchConfig, DEFAULT_LAUNCH_CONFIG }, { readAgentConfig }, { startAgent }] = await Promise.all([
        import("../../core/launch-config/launch-config.ts"),
        import("../../agent/config.ts"),
        import("../../agent/start.ts"),
      ]);
      const file = options.config ?? join(config.wandbConfigDir, "launch-config.yaml");
      const text = await readLaunchConfig(file, options.config !== undefined);
      const launchConfig = text === undefined ? DEFAULT_LAUNCH_CONFIG : parseLaunchConfig(text, file);
      const server = await connection(config, {
        data: options.data,
        ...(launchConfig.baseUrl === undefined ? {} : { baseUrl: launchConfig.baseUrl }),
      });
      const agent = await startAgent(
        readAgentConfig(config.env, launchConfig, {
          dataDir: config.dataDir,
          baseUrl: server.baseUrl,
          apiKey: server.apiKey,
          ...(options.queue === undefined ? {} : { queues: options.queue }),
          ...(options.entity === undefined ? {} : { entity: options.entity }),
          ...(options.maxJobs === undefined ? {} : { maxJobs: options.maxJobs }),
          verbosity: options.verbose ?? 0,
        }),
        { version: version() },
      );
      console.error(`agent ${agent.id} serves ${server.baseUrl}`);
      await runUntilSignal(agent);
    });
}

async function readLaunchConfig(file: string, required: boolean): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    if (required) throw new SlipwayError("FILE_NOT_FOUND", { values: { file }, where: "--config" });
    return undefined;
  }
}

function parseMaxJobs(text: string): number {
  const jobs = Number(text);
  if (!Number.isInteger(jobs) || jobs < -1 || jobs === 0) {
    throw new SlipwayError("USAGE", {
      values: { problem: `--max-jobs must be a positive whole number, or -1 for no limit, not "${text}"` },
      where: "--max-jobs",
    });
  }
  return jobs;
}
