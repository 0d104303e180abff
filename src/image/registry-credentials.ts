import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { z } from "zod";

/** How a client proves who it is to a registry. */
export type RegistryCredentials =
  | { readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, as `docker login` keeps it for some registries. */
  | { readonly identityToken: string };

/** Asked once, and again when the registry says that what it gave before is no longer good. Undefined: anonymous. */
export type CredentialsProvider = () => Promise<RegistryCredentials | undefined>;

const dockerConfigSchema = z.looseObject({
  auths: z
    .record(
      z.string(),
      z.looseObject({
        auth: z.string().optional(),
        username: z.string().optional(),
        password: z.string().optional(),
        identitytoken: z.string().optional(),
      }),
    )
    .optional(),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
});

/**
 * Credentials for a registry host from a Docker `config.json` (its auths, credHelpers and credsStore), or undefined if it
 * has none or does not exist. Helpers are programs `docker-credential-NAME` on the PATH
 * (https://github.com/docker/docker-credential-helpers).
 */
export async function readDockerCredentials(
  configFile: string,
  host: string,
): Promise<RegistryCredentials | undefined> {
  const text = await readFile(configFile, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const config = dockerConfigSchema.parse(JSON.parse(text));
  const names =
    host === "docker.io" ? ["https://index.docker.io/v1/", "index.docker.io", host] : [host, `https://${host}`];
  for (const name of names) {
    const helper = config.credHelpers?.[name] ?? config.credsStore;
    if (helper !== undefined && /^[\w.-]+$/.test(helper)) {
      const found = await askHelper(helper, name);
      if (found !== undefined) return found;
    }
    const entry = config.auths?.[name];
    if (entry?.identitytoken !== undefined) return { identityToken: entry.identitytoken };
    if (entry?.auth !== undefined && entry.auth !== "") {
      const decoded = Buffer.from(entry.auth, "base64").toString("utf8");
      const colon = decoded.indexOf(":");
      if (colon > 0) return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
    }
    if (entry?.username !== undefined && entry.password !== undefined) {
      return { username: entry.username, password: entry.password };
    }
  }
  return undefined;
}

function askHelper(helper: string, server: string): Promise<RegistryCredentials | undefined> {
  return new Promise((resolve) => {
    const child = execFile(`docker-credential-${helper}`, ["get"], { timeout: 30_000 }, (error, stdout) => {
      if (error !== null) return resolve(undefined);
      try {
        const { Username, Secret } = JSON.parse(stdout) as { Username?: string; Secret?: string };
        if (Username === undefined || Secret === undefined) return resolve(undefined);
        resolve(Username === "<token>" ? { identityToken: Secret } : { username: Username, password: Secret });
      } catch {
        resolve(undefined);
      }
    });
    child.stdin?.on("error", () => {});
    child.stdin?.end(server);
  });
}
