import type { ErrorEntry } from "./registry.ts";

/** Mistakes on the command line and in the surroundings of a command. */
export const CLI_ERRORS = {
  USAGE: { status: 400, exit: 2, message: "{problem}", hint: "Run the command with --help to see what it takes." },
  FILE_NOT_FOUND: {
    status: 404,
    exit: 2,
    message: "There is no file {file}",
    hint: "Correct the path, or run the command from the folder it is relative to.",
  },
  NOT_LOGGED_IN: {
    status: 401,
    exit: 3,
    message: "No API key is known for {server}",
    hint: "Run `slipway login --host URL KEY`, or set WANDB_BASE_URL and WANDB_API_KEY, or start everything here with `slipway up`.",
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
  ITEM_NOT_FOUND: {
    status: 404,
    exit: 3,
    message: "There is no item {item}",
    hint: "`slipway item list` shows the items; an item is named by its id or by its run id.",
  },
} as const satisfies Record<string, ErrorEntry>;
