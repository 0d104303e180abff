import colors from "picocolors";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { readCliConfig } from "../config.ts";

/** Prints an error for a person (stderr) or as one JSON line (stdout, `--json`), and says the exit code. */
export function printError(error: unknown, { json }: { json: boolean }): number {
  if (!(error instanceof SlipwayError)) {
    const message = error instanceof Error ? error.message : String(error);
    if (json) console.log(JSON.stringify({ error: { code: "INTERNAL", message } }));
    else console.error(`${colors.red("error")} ${message}`);
    if (readCliConfig().debug && error instanceof Error) console.error(error.stack);
    return 1;
  }
  if (json) {
    const { code, message, where, hint, problems } = error;
    console.log(JSON.stringify({ error: { code, message, where, hint, problems } }));
    return error.exitCode;
  }
  const where = error.where === undefined ? "" : ` ${colors.dim(`at ${error.where}`)}`;
  console.error(`${colors.red("error")} ${colors.bold(error.code)} ${error.message}${where}`);
  for (const problem of error.problems) {
    const place = problem.line === undefined ? problem.path : `${problem.line}:${problem.column ?? 1} ${problem.path}`;
    console.error(
      `  ${colors.yellow(place)}  ${problem.message}${problem.hint ? colors.dim(`  (${problem.hint})`) : ""}`,
    );
  }
  if (error.hint) console.error(`  ${colors.dim("hint")} ${error.hint}`);
  return error.exitCode;
}
