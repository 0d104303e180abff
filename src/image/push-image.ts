import { rename } from "node:fs/promises";
import { join } from "node:path";
import type { BaseImage } from "./base-image.ts";
import { type Digest, sha256 } from "./digest.ts";
import type { LayerCache } from "./layer-cache.ts";
import type { Layer } from "./layers.ts";
import { type BaseParts, composeImage, type Descriptor, type ImageSettings } from "./oci.ts";
import type { Registry } from "./registry.ts";

/** Layers moved at once. */
const AT_ONCE = 3;

export interface PushRequest {
  readonly registry: Registry;
  readonly repository: string;
  readonly tag: string;
  readonly base: BaseParts;
  /** The base's place, if it has one; undefined for the base `host`. */
  readonly from: BaseImage | undefined;
  /** Our layers, from below; `path` is absent for one that the repository has already. */
  readonly layers: readonly (Layer & { readonly path: string | undefined; readonly createdBy: string })[];
  readonly settings: ImageSettings;
  readonly cache: LayerCache;
  readonly workDirectory: string;
  readonly progress: (bytes: number, totalBytes: number) => void;
}

/** Sends what the repository does not have yet, the manifest last, so that a tag never names an incomplete image. */
export async function pushImage(request: PushRequest): Promise<Digest> {
  const { registry, repository, base, from } = request;
  const image = composeImage(base, request.layers, request.settings);
  const config = { digest: sha256(image.config), size: image.config.length };
  const jobs: { size: number; run: (moved: (bytes: number) => void) => Promise<void> }[] = [];
  for (const layer of request.layers) {
    const { path, digest, size } = layer;
    if (path === undefined || (await registry.hasBlob(repository, digest))) continue;
    jobs.push({ size, run: (moved) => registry.uploadBlob(repository, { digest, size, content: { path } }, moved) });
  }
  if (from !== undefined) {
    for (const layer of base.layers) {
      if (isForeign(layer) || (await registry.hasBlob(repository, layer.digest))) continue;
      if (from.registry.host === registry.host && from.repository !== repository) {
        if (await registry.mountBlob(repository, layer.digest, from.repository)) continue;
      }
      jobs.push({ size: layer.size, run: (moved) => copyLayer(request, from, layer, moved) });
    }
  }
  const total = jobs.reduce((sum, job) => sum + job.size, 0);
  const moved = jobs.map(() => 0);
  await inParallel(AT_ONCE, jobs, async (job, index) => {
    await job.run((bytes) => {
      moved[index] = bytes;
      request.progress(
        moved.reduce((sum, one) => sum + one, 0),
        total,
      );
    });
  });
  if (!(await registry.hasBlob(repository, config.digest))) {
    await registry.uploadBlob(repository, { ...config, content: { data: image.config } });
  }
  const { mediaType, body } = image.manifest(config);
  try {
    return await registry.putManifest(repository, request.tag, mediaType, body);
  } catch (error) {
    // In a repository with immutable tags the second of two agents that build the same content is refused: all is well.
    const there = await registry.headManifest(repository, request.tag).catch(() => undefined);
    if (there !== undefined) return there;
    throw error;
  }
}

async function copyLayer(
  request: PushRequest,
  from: BaseImage,
  layer: Descriptor,
  moved: (bytes: number) => void,
): Promise<void> {
  const path = await fetchLayer(request.cache, request.workDirectory, from, layer);
  await request.registry.uploadBlob(
    request.repository,
    { digest: layer.digest, size: layer.size, content: { path } },
    moved,
  );
}

/** The file of a base image's layer, from the cache or downloaded into it. */
export async function fetchLayer(
  cache: LayerCache,
  workDirectory: string,
  from: BaseImage,
  layer: Descriptor,
): Promise<string> {
  const kept = await cache.blob(layer.digest);
  if (kept !== undefined) return kept;
  const path = join(workDirectory, layer.digest.slice("sha256:".length));
  await from.registry.downloadBlob(from.repository, layer.digest, path);
  await rename(path, cache.blobPath(layer.digest));
  return cache.blobPath(layer.digest);
}

/** A layer that registries do not keep (Windows base layers): only its descriptor is taken over. */
function isForeign(layer: Descriptor): boolean {
  return Array.isArray(layer.urls) && layer.urls.length > 0;
}

async function inParallel<T>(
  limit: number,
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  let broken = false;
  const worker = async () => {
    while (next < items.length && !broken) {
      const index = next;
      next += 1;
      try {
        await work(items[index] as T, index);
      } catch (error) {
        broken = true;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, worker));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
