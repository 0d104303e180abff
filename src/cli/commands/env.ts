import { Command } from "commander";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { readCliConfig } from "../config.ts";
import { localAwsEnvironment, serverCredentials } from "../data-dir.ts";
import { localAwsExports, printExports, serverExports } from "../exports.ts";

export function envCommand(): Command {
  return new Command("env")
    .description('Print shell exports for what runs in a data directory: eval "$(slipway env)".')
    .option("--data <dir>", "the data directory (default ~/.slipway, or SLIPWAY_DATA)")
    .option("--json", "print JSON")
    .action(async (options: { data?: string; json?: boolean }) => {
      const { dataDir } = readCliConfig(options);
      const credentials = await serverCredentials(dataDir);
      const localAws = await localAwsEnvironment(dataDir);
      if (credentials === undefined && localAws === undefined) {
        throw new SlipwayError("NOTHING_IN_DATA_DIR", { values: { dataDir } });
      }
      printExports(
        {
          ...(credentials === undefined ? {} : serverExports(credentials)),
          ...(localAws === undefined ? {} : localAwsExports(localAws)),
        },
        options.json === true,
      );
    });
}
