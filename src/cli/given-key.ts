import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import { SlipwayError } from "../core/errors/slipway-error.ts";

/** The ways to give a key that somebody has already. One on the command line stands in the shell's history; the others do not. */
export interface GivenKey {
  /** The key; `-`: standard input; `@FILE`: a file. */
  readonly apiKey?: string;
  readonly apiKeyFile?: string;
  readonly apiKeyStdin?: boolean;
}

/** The key without the white space around it; undefined if none was given. @throws USAGE */
export async function givenKey({ apiKey, apiKeyFile, apiKeyStdin }: GivenKey): Promise<string | undefined> {
  if ([apiKey, apiKeyFile, apiKeyStdin].filter((way) => way !== undefined).length > 1)
    throw refused("Give one of --api-key, --api-key-file and --api-key-stdin", "--api-key");
  if (apiKeyStdin || apiKey === "-") return (await readAll(process.stdin)).trim();
  const file = apiKeyFile ?? (apiKey?.startsWith("@") ? apiKey.slice(1) : undefined);
  if (file === undefined) return apiKey;
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (error) {
    throw refused(`The file ${file} can't be read (${(error as NodeJS.ErrnoException).code})`, "--api-key-file");
  }
}

const refused = (problem: string, where: string) => new SlipwayError("USAGE", { values: { problem }, where });
