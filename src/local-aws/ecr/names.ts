/** Repository names as ECR takes them (botocore's ecr model, RepositoryName). */
export const REPOSITORY_NAME = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;
/** Tags as the OCI distribution specification takes them. */
export const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
/** The one digest algorithm that ECR stores. */
export const DIGEST = /^sha256:[a-f0-9]{64}$/;

/** One registry of one region: the place where repository names are unique. */
export interface RegistryScope {
  readonly accountId: string;
  readonly region: string;
}

/** The host name by which AWS knows a registry. */
export function registryHost(scope: RegistryScope): string {
  return `${scope.accountId}.dkr.ecr.${scope.region}.amazonaws.com`;
}

/** The registry that a Host header or an image reference names, undefined for any other host (`127.0.0.1:4566`). */
export function parseRegistryHost(host: string): RegistryScope | undefined {
  const match = /^(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?(?::\d+)?$/.exec(
    host.toLowerCase(),
  );
  return match ? { accountId: match[1]!, region: match[2]! } : undefined;
}

/** An image reference taken apart: `HOST/REPOSITORY:TAG`, `HOST/REPOSITORY@DIGEST` or both (the digest then decides). */
export interface ImageReference {
  readonly host: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
}

/** Takes an image reference apart; undefined when it names no host or is malformed. Without tag and digest the tag is `latest`. */
export function parseImageReference(uri: string): ImageReference | undefined {
  const match = /^([a-zA-Z0-9.-]+(?::\d+)?)\/([^:@]+)(?::([^@]+))?(?:@(.+))?$/.exec(uri.replace(/^https?:\/\//, ""));
  if (!match) return undefined;
  const [, host, repository, tag, digest] = match;
  if (!/[.:]|^localhost$/.test(host!) || !REPOSITORY_NAME.test(repository!)) return undefined;
  if (tag !== undefined && !TAG.test(tag)) return undefined;
  if (digest !== undefined) return DIGEST.test(digest) ? { host: host!, repository: repository!, digest } : undefined;
  return { host: host!, repository: repository!, tag: tag ?? "latest" };
}
