import { Command } from "commander";
import { collect } from "../collect.ts";
import { openSession, type SessionOptions, serverOptions } from "../session.ts";

export interface LaunchOptions extends SessionOptions {
  queue: string;
  project?: string;
  dockerImage?: string;
  job?: string;
  name?: string;
  entryPoint?: string;
  config?: string;
  setVar?: string[];
  priority?: string;
  resourceArgs?: string;
  base?: string;
  dockerfile?: string;
  ref?: string;
  follow?: boolean;
  json?: boolean;
}

export function launchCommand(): Command {
  return serverOptions(new Command("launch"))
    .description("Push a job: a directory of code, a script, a git repository, a prebuilt image, or a job made before.")
    .argument("[source]", "directory, script, or git repository (https://HOST/PATH, ssh://..., USER@HOST:PATH)")
    .option("-d, --docker-image <image>", "a prebuilt image instead of code")
    .option(
      "-j, --job <job>",
      "a job: NAME, PROJECT/NAME or ENTITY/PROJECT/NAME, with :ALIAS or :vN (slipway job list)",
    )
    .option("-q, --queue <name>", "queue to push to", "default")
    .option("-p, --project <name>", "project of the run (default: that of the job, else uncategorized)")
    .option("--name <name>", "display name of the run")
    .option(
      "-E, --entry-point <command>",
      'what to run, split into words, never given to a shell: "python3 train.py --lr 0.1"',
    )
    .option(
      "-c, --config <json|file>",
      "overrides: JSON, or a file of JSON: {overrides: {run_config, args, entry_point}}",
    )
    .option("--set-var <name=value>", "value of a template variable; may be given several times", collect)
    .option("-P, --priority <level>", "critical, high, medium or low (0 to 3)")
    .option("-R, --resource-args <json|file>", "CreateTrainingJob members that replace the queue's")
    .option("--base <image>", "base image for code, or `host` (default: the agent's builder.base)")
    .option(
      "-D, --dockerfile <path>",
      "Dockerfile inside the code that makes the image (default: Dockerfile.wandb beside the script, if there is one)",
    )
    .option("--ref <ref>", "branch, tag or whole commit id of the git repository (default: its default branch)")
    .option("-f, --follow", "show phases and logs until the end, and end with the job's own exit code")
    .option("--json", "print JSON")
    .action(async (source: string | undefined, options: LaunchOptions) => {
      const { launch } = await import("../launch.ts");
      await launch(await openSession(options), source, options);
    });
}
