import type { Command } from "commander";
import { type Client, createClient } from "../client/client.ts";
import { ViewerDocument } from "../client/generated/operations.ts";
import { hasLeases, isUnknownWord } from "../client/server-features.ts";
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
  /** Whether the server speaks the wandb client's protocol and has nothing of ours. */
  plain(): Promise<boolean>;
}

export interface SessionOptions {
  data?: string;
  entity?: string;
}

/**
 * Opens a session for a command that talks to the server. What it asks of a server that has nothing of ours, and that such a server
 * does not know, is NEEDS_SLIPWAY_SERVER.
 * @throws NO_API_KEY, NO_SERVER_KNOWN, NOTHING_IN_DATA_DIR
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const config = readCliConfig(options);
  const { baseUrl, apiKey } = await connection(config, { data: options.data });
  const direct = createClient({ baseUrl, apiKey, userAgent: `slipway/${version()}` });
  let leases: Promise<boolean> | undefined;
  const plain = async () => {
    leases ??= hasLeases(direct);
    return !(await leases);
  };
  const client: Client = {
    ...direct,
    async request(document, variables, how) {
      try {
        return await direct.request(document, variables, how);
      } catch (error) {
        if (!isUnknownWord(error) || !(await plain())) throw error;
        const values = { url: baseUrl, reason: error.message.replace(/^The server refused the request: /, "") };
        throw new SlipwayError("NEEDS_SLIPWAY_SERVER", { values, cause: error });
      }
    },
  };
  let entity: Promise<string> | undefined;
  return {
    config,
    client,
    plain,
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
