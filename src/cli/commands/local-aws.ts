import { Command } from "commander";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { readCliConfig } from "../config.ts";
import { localAwsEnvironment } from "../data-dir.ts";
import { localAwsExports, printExports } from "../exports.ts";
import { parsePort } from "../parse-port.ts";
import { runUntilSignal } from "../run-until-signal.ts";

export function localAwsCommand(): Command {
  const command = new Command("local-aws")
    .description(
      "Start a local AWS on one port: SageMaker training that really runs, S3, ECR, CloudWatch Logs, STS, IAM.",
    )
    .option("--data <dir>", "where its state lives (default ~/.slipway, or SLIPWAY_DATA)")
    .option("--port <n>", "port to listen on", parsePort)
    .action(async (options: { data?: string; port?: number }) => {
      const { env, dataDir } = readCliConfig(options);
      const [{ readLocalAwsConfig }, { startLocalAws }] = await Promise.all([
        import("../../local-aws/config.ts"),
        import("../../local-aws/start.ts"),
      ]);
      const localAws = await startLocalAws(
        readLocalAwsConfig(env, { dataDir, ...(options.port === undefined ? {} : { port: options.port }) }),
      );
      console.error(`local AWS at ${localAws.url}`);
      await runUntilSignal(localAws);
    });
  command
    .command("env")
    .description("Print shell exports that point any AWS SDK, boto3 and the aws CLI at the local AWS.")
    .option("--data <dir>", "its data directory")
    .option("--json", "print JSON")
    .action(async (options: { data?: string; json?: boolean }, command: Command) => {
      // Commander gives a repeated option to the parent command if that one declares it too.
      const { data, json } = { ...command.parent?.opts(), ...options } as { data?: string; json?: boolean };
      const { dataDir } = readCliConfig({ data });
      const environment = await localAwsEnvironment(dataDir);
      if (environment === undefined) throw new SlipwayError("LOCAL_AWS_NEVER_STARTED", { values: { dataDir } });
      printExports(localAwsExports(environment), json === true);
    });
  return command;
}
