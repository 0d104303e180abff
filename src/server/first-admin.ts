import { rmSync } from "node:fs";
import { mintApiKey } from "../store/api-keys.ts";
import type { RandomBytes } from "../store/ids.ts";
import { type ServerConfig, serverFiles } from "./config.ts";
import { readCredentials, writeCredentials } from "./credentials-file.ts";
import type { Services } from "./services/services.ts";

/**
 * Makes the first admin at the first start and keeps its key in credentials.json. The file is written before the user
 * is made, so that a start that is cut short between the two loses no key; at later starts only its address follows.
 */
export async function ensureFirstAdmin(
  services: Pick<Services, "accounts">,
  config: ServerConfig,
  baseUrl: string,
  random: RandomBytes,
): Promise<void> {
  const file = serverFiles(config.dataDir).credentials;
  const kept = readCredentials(file);
  const name = kept?.username ?? config.adminUser;
  const apiKey = kept?.apiKey ?? config.adminApiKey ?? mintApiKey(random);
  const credentials = { baseUrl, apiKey, username: name, entity: kept?.entity ?? name };
  if (kept?.baseUrl !== baseUrl) writeCredentials(file, credentials);
  const made = await services.accounts.ensureFirstAdmin({ name, apiKey });
  if (made) {
    const entity = made.user.name;
    if (entity !== credentials.entity) writeCredentials(file, { ...credentials, username: entity, entity });
    return;
  }
  // The users were there before this data directory was: it has no one's key.
  if (!kept && !(await services.accounts.authenticate(apiKey))) rmSync(file, { force: true });
}
