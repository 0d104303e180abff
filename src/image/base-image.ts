import { SlipwayError } from "../core/errors/slipway-error.ts";
import type { Digest } from "./digest.ts";
import { type ImageReference, parseImageReference, registryEndpoint } from "./image-reference.ts";
import {
  type BaseParts,
  formatPlatform,
  isIndex,
  manifestFormat,
  type Platform,
  parseConfig,
  parseManifest,
  selectPlatform,
} from "./oci.ts";
import type { Registry } from "./registry.ts";

/** A base image for one platform, found in its registry. */
export interface BaseImage extends BaseParts {
  /** As it was written. */
  readonly image: string;
  /** Of the platform's manifest. */
  readonly digest: Digest;
  readonly registry: Registry;
  readonly repository: string;
  readonly host: string;
}

/**
 * Finds a base image and its variant for the platform. `registryFor` gives the client for a host of an image reference.
 * Errors: IMAGE_REFERENCE_INVALID, IMAGE_NOT_FOUND, IMAGE_PLATFORM_MISSING, IMAGE_FORMAT_UNSUPPORTED, the registry's.
 */
export async function findBaseImage(
  image: string,
  platform: Platform,
  registryFor: (host: string, endpoint: string) => Registry,
): Promise<BaseImage> {
  const reference: ImageReference = parseImageReference(image);
  const { repository, host } = reference;
  const registry = registryFor(host, registryEndpoint(host));
  const get = async (wanted: string) => {
    const found = await registry.getManifest(repository, wanted).catch((error: unknown) => {
      if (error instanceof SlipwayError && error.code === "REPOSITORY_NOT_FOUND") return undefined;
      throw error;
    });
    if (found === undefined) throw new SlipwayError("IMAGE_NOT_FOUND", { values: { image }, where: image });
    return found;
  };
  let manifest = await get(reference.reference);
  if (isIndex(manifest.mediaType)) manifest = await get(selectPlatform(manifest.body, platform, image).digest);
  const format = manifestFormat(manifest.mediaType);
  if (format === undefined) {
    const values = { image, mediaType: manifest.mediaType || "no media type" };
    throw new SlipwayError("IMAGE_FORMAT_UNSUPPORTED", { values, where: image });
  }
  const { config: descriptor, layers } = parseManifest(manifest.body, image);
  const config = parseConfig(await registry.readBlob(repository, descriptor.digest), image);
  if (config.os !== platform.os || config.architecture !== platform.architecture) {
    const values = { image, platform: formatPlatform(platform), available: formatPlatform(config) };
    throw new SlipwayError("IMAGE_PLATFORM_MISSING", { values, where: image });
  }
  return { image, digest: manifest.digest, format, config, layers, registry, repository, host };
}
