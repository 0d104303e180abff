import { readFile } from "node:fs/promises";
import { SlipwayError } from "../core/errors/slipway-error.ts";

/** Where a secret of a build comes from: a variable of the agent's environment, or a file of its machine. */
export type SecretSource = { readonly env: string } | { readonly file: string };

/** Reads the secrets of a build now, so that one that was renewed is taken. Throws BUILD_SECRET_MISSING. */
export async function readBuildSecrets(
  sources: Readonly<Record<string, SecretSource>>,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ReadonlyMap<string, Buffer>> {
  const secrets = new Map<string, Buffer>();
  for (const [id, source] of Object.entries(sources)) {
    const missing = (reason: string, cause?: unknown) =>
      new SlipwayError("BUILD_SECRET_MISSING", { values: { id, reason }, where: `builder.secrets.${id}`, cause });
    if ("env" in source) {
      const value = environment[source.env];
      if (value === undefined) throw missing(`the agent's environment has no ${source.env}`);
      secrets.set(id, Buffer.from(value));
    } else {
      const content = await readFile(source.file).catch((error: NodeJS.ErrnoException) => {
        throw missing(error.message, error);
      });
      secrets.set(id, content);
    }
  }
  return secrets;
}
