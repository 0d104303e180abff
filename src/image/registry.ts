import { open, rename, rm, stat } from "node:fs/promises";
import type { Clock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { type Digest, isDigest, sha256, sha256OfFile } from "./digest.ts";
import { MEDIA_TYPES } from "./oci.ts";
import type { CredentialsProvider } from "./registry-credentials.ts";
import { createRegistryHttp, type RegistryHttp, type RegistryRequest } from "./registry-http.ts";
import { type BlobSource, uploadBlob } from "./registry-upload.ts";

export interface RegistryOptions {
  /** `https://HOST` or `http://HOST:PORT`, without a path. */
  readonly endpoint: string;
  readonly credentials: CredentialsProvider;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

export interface FoundManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly body: Buffer;
}

/** Told how many bytes of a blob have moved. */
export type TransferProgress = (bytes: number) => void;

/**
 * A registry, spoken to by the OCI distribution protocol
 * (https://github.com/opencontainers/distribution-spec/blob/main/spec.md).
 * Every method can fail with REGISTRY_UNREACHABLE, REGISTRY_REFUSED, REGISTRY_FAILED or REPOSITORY_NOT_FOUND.
 */
export interface Registry {
  /** Host and port. */
  readonly host: string;
  /** The digest behind a tag or digest; undefined if there is none. */
  headManifest(repository: string, reference: string): Promise<Digest | undefined>;
  /** The manifest or index, its digest checked; undefined if there is none. Also DIGEST_MISMATCH. */
  getManifest(repository: string, reference: string): Promise<FoundManifest | undefined>;
  putManifest(repository: string, reference: string, mediaType: string, body: Buffer): Promise<Digest>;
  hasBlob(repository: string, digest: Digest): Promise<boolean>;
  /** A small blob (an image's config), its digest checked. Also DIGEST_MISMATCH. */
  readBlob(repository: string, digest: Digest): Promise<Buffer>;
  /** Downloads a blob to a file, going on where a broken download stopped; its digest is checked. Also DIGEST_MISMATCH. */
  downloadBlob(repository: string, digest: Digest, path: string, progress?: TransferProgress): Promise<void>;
  /** Uploads a blob in pieces; a piece that failed goes on where the registry says it stands. */
  uploadBlob(repository: string, blob: BlobSource, progress?: TransferProgress): Promise<void>;
  /** Makes a blob of another repository of the same registry appear in this one; false if the registry does not. */
  mountBlob(repository: string, digest: Digest, from: string): Promise<boolean>;
}

const MANIFEST_TYPES = [
  MEDIA_TYPES.oci.manifest,
  MEDIA_TYPES.oci.index,
  MEDIA_TYPES.docker.manifest,
  MEDIA_TYPES.docker.index,
].join(", ");

export function createRegistry(options: RegistryOptions): Registry {
  const http = createRegistryHttp({ ...options, signal: options.signal });
  const pull = (repository: string): RegistryRequest["scopes"] => [{ repository, actions: "pull" }];
  const push = (repository: string): RegistryRequest["scopes"] => [{ repository, actions: "pull,push" }];
  const mismatch = (digest: Digest, actual: string) =>
    new SlipwayError("DIGEST_MISMATCH", { values: { source: http.host, digest, actual } });

  return {
    host: http.host,
    async headManifest(repository, reference) {
      const response = await http.send({
        method: "HEAD",
        url: `/v2/${repository}/manifests/${reference}`,
        scopes: pull(repository),
        action: `look for ${repository}:${reference}`,
        headers: { accept: MANIFEST_TYPES },
        accept: [404],
      });
      if (response.status === 404) return undefined;
      const digest = response.headers.get("docker-content-digest") ?? "";
      if (isDigest(digest)) return digest;
      // The header is optional; without it the body tells.
      return (await this.getManifest(repository, reference))?.digest;
    },
    async getManifest(repository, reference) {
      const response = await http.send({
        method: "GET",
        url: `/v2/${repository}/manifests/${reference}`,
        scopes: pull(repository),
        action: `read the image ${repository}:${reference}`,
        headers: { accept: MANIFEST_TYPES },
        accept: [404],
      });
      const body = Buffer.from(await response.arrayBuffer());
      if (response.status === 404) return undefined;
      const digest = sha256(body);
      if (isDigest(reference) && reference !== digest) throw mismatch(reference, digest);
      const mediaType = (response.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "";
      return { digest, mediaType, body };
    },
    async putManifest(repository, reference, mediaType, body) {
      const response = await http.send({
        method: "PUT",
        url: `/v2/${repository}/manifests/${reference}`,
        scopes: push(repository),
        action: `store the image ${repository}:${reference}`,
        headers: { "content-type": mediaType },
        body,
      });
      await response.body?.cancel();
      return sha256(body);
    },
    async hasBlob(repository, digest) {
      const response = await http.send({
        method: "HEAD",
        url: `/v2/${repository}/blobs/${digest}`,
        scopes: pull(repository),
        action: `look for a layer of ${repository}`,
        accept: [404],
      });
      return response.status !== 404;
    },
    async readBlob(repository, digest) {
      const response = await http.send(blobRequest(repository, digest, pull(repository)));
      const body = Buffer.from(await response.arrayBuffer());
      if (sha256(body) !== digest) throw mismatch(digest, sha256(body));
      return body;
    },
    async downloadBlob(repository, digest, path, progress) {
      await download(http, options, blobRequest(repository, digest, pull(repository)), `${path}.part`, progress);
      const actual = await sha256OfFile(`${path}.part`);
      if (actual !== digest) {
        await rm(`${path}.part`, { force: true });
        throw mismatch(digest, actual);
      }
      await rename(`${path}.part`, path);
    },
    uploadBlob: (repository, blob, progress) =>
      uploadBlob({ http, ...options, repository, scopes: push(repository), progress: progress ?? (() => {}) }, blob),
    async mountBlob(repository, digest, from) {
      const response = await http.send({
        method: "POST",
        url: `/v2/${repository}/blobs/uploads/?mount=${digest}&from=${encodeURIComponent(from)}`,
        scopes: [...push(repository), ...pull(from)],
        action: `take a layer over from ${from}`,
        headers: { "content-length": "0" },
        accept: [202, 400, 401, 403, 404, 405],
      });
      await response.body?.cancel();
      return response.status === 201;
    },
  };
}

function blobRequest(repository: string, digest: Digest, scopes: RegistryRequest["scopes"]): RegistryRequest {
  return { method: "GET", url: `/v2/${repository}/blobs/${digest}`, scopes, action: `send a layer of ${repository}` };
}

/** Appends to `path` until the blob is whole; a broken connection goes on by a Range request. */
async function download(
  http: RegistryHttp,
  options: RegistryOptions,
  request: RegistryRequest,
  path: string,
  progress: TransferProgress = () => {},
): Promise<void> {
  for (let failures = 0; ; ) {
    const have = (await stat(path).catch(() => undefined))?.size ?? 0;
    const headers: Record<string, string> = have === 0 ? {} : { range: `bytes=${have}-` };
    const response = await http.send({ ...request, headers, accept: [416] });
    if (response.status === 416) return; // nothing after what we have: the digest will tell
    const resumed = response.status === 206;
    const file = await open(path, resumed ? "a" : "w");
    let at = resumed ? have : 0;
    try {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        await file.write(chunk);
        at += chunk.length;
        progress(at);
      }
      return;
    } catch (error) {
      options.signal?.throwIfAborted();
      failures = at > have ? 0 : failures + 1;
      if (failures >= 4) {
        const detail = (error as Error).message;
        throw new SlipwayError("REGISTRY_UNREACHABLE", { values: { registry: http.host, detail }, cause: error });
      }
      await options.clock.sleep(500 * 2 ** failures, options.signal);
    } finally {
      await file.close();
    }
  }
}
