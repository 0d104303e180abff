import { Command } from "commander";
import { readCliConfig } from "../config.ts";
import { parsePort } from "../parse-port.ts";
import { runUntilSignal } from "../run-until-signal.ts";

export function serverCommand(): Command {
  return new Command("server")
    .description(
      "Start the control plane: accounts, queues, items, logs (SQLite in the data directory, or DATABASE_URL).",
    )
    .option("--data <dir>", "where its state lives (default ~/.slipway, or SLIPWAY_DATA)")
    .option("--port <n>", "port to listen on", parsePort)
    .option("--host <address>", "address to listen on")
    .action(async (options: { data?: string; port?: number; host?: string }) => {
      const { env, dataDir } = readCliConfig(options);
      const [{ readServerConfig }, { startServer }] = await Promise.all([
        import("../../server/config.ts"),
        import("../../server/start.ts"),
      ]);
      const server = await startServer(
        readServerConfig(env, {
          dataDir,
          ...(options.port === undefined ? {} : { port: options.port }),
          ...(options.host === undefined ? {} : { host: options.host }),
        }),
      );
      console.error(`slipway server at ${server.url}`);
      await runUntilSignal(server);
    });
}
