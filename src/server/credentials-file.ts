import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** `credentials.json` in the data directory: how the owner of the machine reaches the server as its first admin. */
export interface Credentials {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly username: string;
  readonly entity: string;
}

/** Undefined when there is no such file, or none that can be read as one. */
export function readCredentials(file: string): Credentials | undefined {
  try {
    const { baseUrl, apiKey, username, entity } = JSON.parse(readFileSync(file, "utf8")) as Partial<Credentials>;
    if (!baseUrl || !apiKey || !username || !entity) return undefined;
    return { baseUrl, apiKey, username, entity };
  } catch {
    return undefined;
  }
}

export function writeCredentials(file: string, credentials: Credentials): void {
  writePrivate(file, `${JSON.stringify(credentials, null, 2)}\n`);
}

/** Replaces a file whole, readable by its owner alone. */
export function writePrivate(file: string, content: string | Uint8Array): void {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.part`;
  writeFileSync(temporary, content, { mode: 0o600 });
  chmodSync(temporary, 0o600);
  try {
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
