import { SlipwayError } from "../core/errors/slipway-error.ts";
import { type Digest, isDigest } from "./digest.ts";

/** Where an image is: `host/repository:tag` or `host/repository@digest`. */
export interface ImageReference {
  /** With its port, if it has one. Docker Hub is `docker.io`. */
  readonly host: string;
  readonly repository: string;
  /** Tag or digest; `latest` where neither was written. */
  readonly reference: string;
  readonly digest: Digest | undefined;
}

/**
 * Reads an image reference by Docker's rules: the part before the first slash is a host if it has a dot or a colon or is
 * `localhost`; without one the image is Docker Hub's, and there a name without a slash is in `library/`.
 * Errors: IMAGE_REFERENCE_INVALID.
 */
export function parseImageReference(text: string): ImageReference {
  const invalid = () => new SlipwayError("IMAGE_REFERENCE_INVALID", { values: { reference: JSON.stringify(text) } });
  const [named = "", digest, ...more] = text.split("@");
  if (more.length > 0 || (digest !== undefined && !isDigest(digest))) throw invalid();
  const slash = named.indexOf("/");
  const first = slash < 0 ? "" : named.slice(0, slash);
  const hasHost = first.includes(".") || first.includes(":") || first === "localhost";
  const host = hasHost ? first : "docker.io";
  const rest = hasHost ? named.slice(slash + 1) : named;
  const colon = rest.lastIndexOf(":");
  const name = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (!/^[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/.test(name)) throw invalid();
  if (!/^[A-Za-z0-9.:[\]-]+$/.test(host)) throw invalid();
  if (tag !== undefined && !/^\w[\w.-]{0,127}$/.test(tag)) throw invalid();
  const repository = host === "docker.io" && !name.includes("/") ? `library/${name}` : name;
  return { host, repository, reference: digest ?? tag ?? "latest", digest };
}

/** The registry API's address for a host of an image reference: plain HTTP only on this very machine. */
export function registryEndpoint(host: string): string {
  if (host === "docker.io") return "https://registry-1.docker.io";
  const url = new URL(`http://${host}`);
  return isLoopback(url.hostname) ? `http://${host}` : `https://${host}`;
}

export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
}
