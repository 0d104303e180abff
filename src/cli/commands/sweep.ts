import { Command } from "commander";
import { openSession, type SessionOptions, serverOptions } from "../session.ts";

type Options = SessionOptions & { project?: string; json?: boolean };

/** What a person may want of a sweep, and how that is told in the list of commands. */
const CHANGES = {
  pause: "Push no more runs for now; those on their way go on.",
  resume: "Go on with a paused sweep, or with one whose scheduler has ended.",
  stop: "Push no more runs for good; those on their way go on.",
  cancel: "Stop the sweep and its runs.",
} as const;

export function sweepCommand(): Command {
  const sweep = new Command("sweep").description("Sweeps: runs of one job with parameters that a search chooses.");
  common(sweep.command("create <file>"))
    .description("Make a sweep whose runs go through a queue.")
    .addHelpText(
      "after",
      `
FILE is YAML or JSON, - for standard input, as for \`wandb launch-sweep\`: method, parameters, metric, run_cap, early_terminate, and job or
image_uri. launch says what every run has besides (priority, overrides, template_variables), scheduler.num_workers how many runs there are at once.`,
    )
    .option("-q, --queue <name>", "queue of the runs (default: launch.queue of the file)")
    .option("--workers <n>", "runs at once (default: scheduler.num_workers of the file, else 8)", Number)
    .action(async (file: string, options: Options & { queue?: string; workers?: number }) => {
      const { createSweep } = await import("../sweeps.ts");
      await createSweep(await openSession(options), file, options);
    });
  common(sweep.command("list"))
    .description("List the sweeps of a project, newest first.")
    .option("-n, --limit <n>", "how many", Number, 50)
    .action(async (options: Options & { limit: number }) => {
      const { listSweeps } = await import("../sweep-views.ts");
      await listSweeps(await openSession(options), options);
    });
  common(sweep.command("show <sweep>"))
    .description("Show a sweep: its runs with their parameters, the best of them, its scheduler.")
    .action(async (name: string, options: Options) => {
      const { showSweep } = await import("../sweep-views.ts");
      await showSweep(await openSession(options), name, options);
    });
  for (const verb of ["pause", "resume", "stop", "cancel"] as const)
    common(sweep.command(`${verb} <sweep>`))
      .description(CHANGES[verb])
      .action(async (name: string, options: Options) => {
        const { changeSweep } = await import("../sweeps.ts");
        await changeSweep(await openSession(options), name, verb, options);
      });
  return sweep;
}

function common(command: Command): Command {
  return serverOptions(command)
    .option("-p, --project <name>", "project (default: WANDB_PROJECT, else uncategorized)")
    .option("--json", "print JSON");
}
