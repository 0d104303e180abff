import { Command, CommanderError } from "commander";
import { adminCommand } from "./commands/admin.ts";
import { agentCommand } from "./commands/agent.ts";
import { awsCommand } from "./commands/aws.ts";
import { envCommand } from "./commands/env.ts";
import { itemCommand } from "./commands/item.ts";
import { jobCommand } from "./commands/job.ts";
import { launchCommand } from "./commands/launch.ts";
import { launchAgentCommand } from "./commands/launch-agent.ts";
import { localAwsCommand } from "./commands/local-aws.ts";
import { loginCommand } from "./commands/login.ts";
import { logsCommand } from "./commands/logs.ts";
import { queueCommand } from "./commands/queue.ts";
import { serverCommand } from "./commands/server.ts";
import { sweepCommand } from "./commands/sweep.ts";
import { upCommand } from "./commands/up.ts";
import { printError } from "./output/print-error.ts";
import { version } from "./version.ts";

/** The whole command line. Commands import the parts they start only when they run, so that `--help` stays instant. */
export function program(): Command {
  const slipway = new Command("slipway")
    .description("Launch machine-learning training jobs on Amazon SageMaker, or on a local AWS that really runs them.")
    .version(version())
    .showHelpAfterError("Run the command with --help to see what it takes.")
    .exitOverride();
  const commands = [
    upCommand(),
    serverCommand(),
    launchAgentCommand(),
    localAwsCommand(),
    loginCommand(),
    envCommand(),
    queueCommand(),
    launchCommand(),
    jobCommand(),
    sweepCommand(),
    itemCommand(),
    logsCommand(),
    agentCommand(),
    awsCommand(),
    adminCommand(),
  ];
  for (const command of commands) slipway.addCommand(withExitOverride(command));
  return slipway;
}

function withExitOverride(command: Command): Command {
  command.exitOverride();
  command.showHelpAfterError("Run the command with --help to see what it takes.");
  for (const child of command.commands) withExitOverride(child);
  return command;
}

/** Runs one command line and ends the process with its exit code: 0, or the code of the error (core/errors). */
export async function run(argv: readonly string[]): Promise<void> {
  try {
    await program().parseAsync([...argv]);
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    process.exitCode = printError(error, { json: argv.includes("--json") });
  }
}
