import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { CliConfig } from "./config.ts";
import { writePrivate } from "./data-dir.ts";

/** The wandb client's own places, so that one login serves both: `~/.netrc` (key) and `settings` (base_url). */
const netrcFile = (config: CliConfig) => config.env.NETRC ?? join(config.home, ".netrc");
const settingsFile = (config: CliConfig) => join(config.wandbConfigDir, "settings");

/** The stored key of a server, by its host and port. */
export async function storedKey(config: CliConfig, baseUrl: string): Promise<string | undefined> {
  const words = (await readText(netrcFile(config))).split(/\s+/).filter(Boolean);
  const machine = new URL(baseUrl).host;
  for (let place = 0; place < words.length; place++) {
    if (words[place] !== "machine" || words[place + 1] !== machine) continue;
    for (let next = place + 2; next < words.length && words[next] !== "machine"; next += 2) {
      if (words[next] === "password") return words[next + 1];
    }
  }
  return undefined;
}

/** The server of the last login. */
export async function storedBaseUrl(config: CliConfig): Promise<string | undefined> {
  return /^\s*base_url\s*=\s*(\S+)/m.exec(await readText(settingsFile(config)))?.[1];
}

export async function storeLogin(config: CliConfig, baseUrl: string, key: string): Promise<void> {
  const machine = new URL(baseUrl).host;
  const others = withoutMachine(await readText(netrcFile(config)), machine);
  await writePrivate(netrcFile(config), `${others}machine ${machine}\n  login user\n  password ${key}\n`);
  const settings = (await readText(settingsFile(config))).replace(/^\s*base_url\s*=.*\n?/m, "");
  const section = settings.includes("[default]") ? settings : `[default]\n${settings}`;
  await writePrivate(settingsFile(config), section.replace("[default]\n", `[default]\nbase_url = ${baseUrl}\n`));
}

function withoutMachine(netrc: string, machine: string): string {
  const entries = netrc.split(/^(?=\s*(?:machine|default)\b)/m);
  return entries.filter((entry) => entry.trim().split(/\s+/)[1] !== machine || !/^\s*machine/.test(entry)).join("");
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
