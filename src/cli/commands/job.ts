import { Command } from "commander";
import { collect } from "../collect.ts";
import { openSession, type SessionOptions, serverOptions } from "../session.ts";

export interface JobCreateOptions extends SessionOptions {
  project?: string;
  name?: string;
  alias?: string[];
  description?: string;
  entryPoint?: string;
  ref?: string;
  runtime?: string;
  baseImage?: string;
  buildContext?: string;
  dockerfile?: string;
  schema?: string;
  json?: boolean;
}

export function jobCommand(): Command {
  const job = new Command("job").description(
    "Jobs: what to run, kept as versions of an artifact, to be launched by name.",
  );
  job.addCommand(createCommand());
  projectOption(serverOptions(job.command("list")))
    .description("List the jobs of a project.")
    .option("--json", "print JSON")
    .action(async (options: SessionOptions & { project?: string; json?: boolean }) => {
      const { listJobs } = await import("../job-views.ts");
      await listJobs(await openSession(options), options);
    });
  projectOption(serverOptions(job.command("show <job>")))
    .description("Show a job: what it runs, its inputs, its versions, how to launch it.")
    .addHelpText(
      "after",
      "\nJOB is NAME, PROJECT/NAME or ENTITY/PROJECT/NAME, with :ALIAS or :vN for another version than the latest.",
    )
    .option("--json", "print JSON")
    .action(async (name: string, options: SessionOptions & { project?: string; json?: boolean }) => {
      const { showJob } = await import("../job-views.ts");
      await showJob(await openSession(options), name, options);
    });
  return job;
}

const ENTRY_POINT = 'what to run, split into words, never given to a shell: "python3 train.py --lr 0.1"';

function createCommand(): Command {
  const create = new Command("create").description(
    "Make a job, or a new version of it. The same content is the same version.",
  );
  jobOptions(create.command("image <image>"))
    .description("A job of a prebuilt image; its tag becomes an alias.")
    .option("-E, --entry-point <command>", `${ENTRY_POINT} (default: the image's own)`)
    .action(async (image: string, options: JobCreateOptions) => {
      const { createImageJob } = await import("../jobs.ts");
      await createImageJob(await openSession(options), image, options);
    });
  codeOptions(jobOptions(create.command("code <directory>")))
    .description("A job of a directory of code, which is kept with it; ignore files are heeded as by launch.")
    .option("-E, --entry-point <command>", `${ENTRY_POINT} (default: train.py or main.py)`)
    .action(async (directory: string, options: JobCreateOptions) => {
      const { createCodeJob } = await import("../jobs.ts");
      await createCodeJob(await openSession(options), directory, options);
    });
  codeOptions(jobOptions(create.command("git <remote>")))
    .description("A job of a commit of a git repository (https://HOST/PATH, ssh://..., USER@HOST:PATH).")
    .option("-E, --entry-point <command>", `${ENTRY_POINT}; required`)
    .option("-g, --ref <ref>", "branch, tag or whole commit id; a job keeps the commit (default: the default branch)")
    .action(async (remote: string, options: JobCreateOptions) => {
      const { createRepoJob } = await import("../jobs.ts");
      await createRepoJob(await openSession(options), remote, options);
    });
  return create;
}

function projectOption(command: Command): Command {
  return command.option("-p, --project <name>", "project of the job (default: WANDB_PROJECT, else uncategorized)");
}

function jobOptions(command: Command): Command {
  return projectOption(serverOptions(command))
    .option("-n, --name <name>", "name of the job (default: made of the source)")
    .option("-a, --alias <alias>", "alias of the version, beside latest; may be given several times", collect)
    .option("-d, --description <text>", "description of the version")
    .option("--schema <file>", "JSON Schema of the run config, YAML or JSON: what a launch gives is held to it")
    .option("--json", "print JSON");
}

function codeOptions(command: Command): Command {
  return command
    .option("-r, --runtime <version>", "Python that the code runs with: 3.11")
    .option("-B, --base-image <image>", "base image for the code (default: the agent's builder.base)")
    .option(
      "-b, --build-context <directory>",
      "directory inside the code that is built; the entry point is relative to it",
    )
    .option("-D, --dockerfile <path>", "Dockerfile inside what is built that makes the image (builder docker)");
}
