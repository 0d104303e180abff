import type { Command } from "commander";
import { type Client, createClient } from "../client/client.ts";
import { ViewerDocument } from "../client/generated/operations.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { type CliConfig, readCliConfig } from "./config.ts";
import { connection } from "./connection.ts";
import { version } from "./version.ts";

/** A command's client of the server, and the entity it acts for. */
export interface Session {
  readonly config: CliConfig;
  readonly client: Client;
  /** `-e`, else WANDB_ENTITY, else the caller's own entity. */
  entity(): Promise<string>;
}

export interface SessionOptions {
  data?: string;
  entity?: string;
}

/** Opens a session for a command that talks to the server. @throws NO_API_KEY, NO_SERVER_KNOWN, NOTHING_IN_DATA_DIR */
export async function openSession(options: SessionOptions): Promise<Session> {
  const config = readCliConfig(options);
  const { baseUrl, apiKey } = await connection(config, { data: options.data });
  const client = createClient({ baseUrl, apiKey, userAgent: `slipway/${version()}` });
  let entity: Promise<string> | undefined;
  return {
    config,
    client,
    entity: () => {
      entity ??= findEntity(client, options.entity ?? config.env.WANDB_ENTITY);
      return entity;
    },
  };
}

async function findEntity(client: Client, named: string | undefined): Promise<string> {
  if (named !== undefined && named !== "") return named;
  const { viewer } = await client.request(ViewerDocument, {});
  if (viewer == null) throw new SlipwayError("NOT_LOGGED_IN", { values: { url: client.baseUrl } });
  return viewer.entity;
}

/** Options that every command of the server takes. */
export function serverOptions(command: Command): Command {
  return command
    .option("-e, --entity <name>", "user or team that owns it (default: WANDB_ENTITY, else you)")
    .option("--data <dir>", "use the server that runs in this data directory");
}
