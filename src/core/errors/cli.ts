import type { ErrorEntry } from "./registry.ts";

/** Mistakes on the command line and in the surroundings of a command. */
export const CLI_ERRORS = {
  NO_SERVER_KNOWN: {
    status: 404,
    exit: 3,
    message: "It is not known which server to speak to",
    hint: "Start everything on this machine with `slipway up`, or run `slipway login --host URL KEY`, or set WANDB_BASE_URL and WANDB_API_KEY.",
  },
  USAGE: { status: 400, exit: 2, message: "{problem}", hint: "Run the command with --help to see what it takes." },
  NEEDS_SLIPWAY_SERVER: {
    status: 501,
    exit: 3,
    message: "This command needs a Slipway server; {url} speaks the protocol of the wandb client alone ({reason})",
    hint: "There, slipway launch, job, queue, item list, item show and launch-agent work. Stop a run, or read its log, on that server's own pages or by wandb.Api().",
  },
  REQUEST_NOT_THERE: {
    status: 404,
    exit: 3,
    message: "Item {item} is {state} and has no CreateTrainingJob request",
    hint: "The request is kept when a training job is submitted. `slipway item show {item}` says how far it came.",
  },
  NO_API_KEY: {
    status: 401,
    exit: 3,
    message: "No API key is known for {url}",
    hint: "Run `slipway login --host {url} KEY`, or set WANDB_API_KEY.",
  },
  FILE_NOT_FOUND: {
    status: 404,
    exit: 2,
    message: "There is no file {file}",
    hint: "Correct the path, or run the command from the folder it is relative to.",
  },
  NOTHING_IN_DATA_DIR: {
    status: 404,
    exit: 4,
    message: "Nothing has been started in the data directory {dataDir}",
    hint: "Start it with `slipway up --data {dataDir}`, or name the right directory with --data.",
  },
  LOCAL_AWS_NEVER_STARTED: {
    status: 404,
    exit: 4,
    message: "No local AWS has been started in the data directory {dataDir}",
    hint: "Start it with `slipway local-aws --data {dataDir}` or `slipway up --data {dataDir}`.",
  },
  PART_ENDED: {
    status: 500,
    exit: 4,
    message: "{part} ended before it was ready (exit code {exitCode})",
    hint: "Its last lines are above; all of them are in {log}.",
  },
  QUEUE_FILE_INVALID: {
    status: 422,
    exit: 2,
    message: "{file} has {count} problem(s)",
    hint: "Correct each place named here; the file holds the body of CreateTrainingJob, in YAML or JSON.",
  },
  JSON_ARGUMENT_INVALID: {
    status: 422,
    exit: 2,
    message: "{source} is not a JSON object: {problem}",
    hint: 'Give JSON such as {"lr": 0.1} in single quotes, or the name of a file that holds it.',
  },
  ENTRY_POINT_MISSING: {
    status: 422,
    exit: 2,
    message: "{directory} has no train.py or main.py, so it is not clear what to run",
    hint: 'Name it: --entry-point "python3 your_script.py".',
  },
  SOURCE_NOT_FOUND: {
    status: 404,
    exit: 2,
    message: "There is no file or directory {source}",
    hint: "Give a directory of code or a script, or a prebuilt image with -d IMAGE.",
  },
} as const satisfies Record<string, ErrorEntry>;
