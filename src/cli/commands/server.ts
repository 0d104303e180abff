import { Command } from "commander";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { readCliConfig } from "../config.ts";
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

/** A TCP port from the command line; 0 takes any free one. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new TypeError(`--port must be 0 to 65535, not "${text}"`);
  return port;
}
