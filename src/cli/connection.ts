import { SlipwayError } from "../core/errors/slipway-error.ts";
import type { CliConfig } from "./config.ts";
import { runningPart, serverCredentials } from "./data-dir.ts";
import { storedBaseUrl, storedKey } from "./login-store.ts";

/** Which server a command speaks to, and as whom. */
export interface Connection {
  readonly baseUrl: string;
  readonly apiKey: string;
}

/**
 * Finds the server and the key, in this order: `--data DIR` if it was given; WANDB_BASE_URL with WANDB_API_KEY or the stored
 * login; the login of `slipway login`; the server that runs in the default data directory.
 * @throws NO_API_KEY, NO_SERVER_KNOWN, NOTHING_IN_DATA_DIR
 */
export async function connection(
  config: CliConfig,
  options: { data?: string | undefined; baseUrl?: string } = {},
): Promise<Connection> {
  const ofDataDir = async () => {
    const credentials = await serverCredentials(config.dataDir);
    if (credentials === undefined) return undefined;
    const running = await runningPart(config.dataDir, "server");
    return { baseUrl: running?.url ?? credentials.baseUrl, apiKey: config.env.WANDB_API_KEY ?? credentials.apiKey };
  };
  const baseUrl = options.baseUrl ?? config.env.WANDB_BASE_URL;
  if (options.data !== undefined && baseUrl === undefined) {
    const found = await ofDataDir();
    if (found !== undefined) return found;
    throw new SlipwayError("NOTHING_IN_DATA_DIR", { values: { dataDir: config.dataDir }, where: "--data" });
  }
  const named = baseUrl ?? (await storedBaseUrl(config));
  if (named !== undefined) {
    const apiKey = config.env.WANDB_API_KEY ?? (await storedKey(config, named)) ?? (await keyOfDataDir(config, named));
    if (apiKey !== undefined) return { baseUrl: named.replace(/\/+$/, ""), apiKey };
    throw new SlipwayError("NO_API_KEY", { values: { url: named } });
  }
  const found = await ofDataDir();
  if (found !== undefined) return found;
  throw new SlipwayError("NO_SERVER_KNOWN");
}

async function keyOfDataDir(config: CliConfig, baseUrl: string): Promise<string | undefined> {
  const credentials = await serverCredentials(config.dataDir);
  return credentials !== undefined && sameServer(credentials.baseUrl, baseUrl) ? credentials.apiKey : undefined;
}

function sameServer(a: string, b: string): boolean {
  return new URL(a).host === new URL(b).host;
}
