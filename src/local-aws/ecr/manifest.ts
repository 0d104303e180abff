import { invalidManifest } from "./errors.ts";
import { DIGEST } from "./names.ts";

export const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
export const DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json";
export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

/** ECR's limit of a manifest (botocore's ecr model, ImageManifest). */
export const MANIFEST_LIMIT = 4_194_304;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os?: string; readonly architecture?: string; readonly variant?: string };
}

/** What a manifest says, of all four kinds. `blobs` is config and layers; `manifests` is the content of an index. */
export interface ParsedManifest {
  readonly mediaType: string;
  readonly index: boolean;
  readonly config?: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly manifests: readonly Descriptor[];
  readonly subject?: string;
  /** Media type of the config, or `artifactType`. */
  readonly artifactMediaType?: string;
}

/**
 * Reads a manifest. `claimed` is the media type of the request (a Content-Type without parameters), which wins over nothing but must agree
 * with the document's own. Throws InvalidParameterException for anything but a v2 manifest or index.
 */
export function parseManifest(content: Buffer, claimed: string | undefined): ParsedManifest {
  if (content.length > MANIFEST_LIMIT)
    throw invalidManifest(`must have length less than or equal to ${MANIFEST_LIMIT}`);
  const document = parseObject(content);
  if (document.schemaVersion !== 2) throw invalidManifest("must be a manifest of schema version 2");
  const own = typeof document.mediaType === "string" ? document.mediaType : undefined;
  if (own !== undefined && claimed !== undefined && isManifestType(claimed) && own !== claimed)
    throw invalidManifest(`must have the media type of the request, ${claimed}, not ${own}`);
  const mediaType =
    own ??
    (claimed !== undefined && isManifestType(claimed)
      ? claimed
      : Array.isArray(document.manifests)
        ? OCI_INDEX
        : OCI_MANIFEST);
  if (!isManifestType(mediaType)) throw invalidManifest(`must have a supported media type, not ${mediaType}`);
  const index = mediaType === OCI_INDEX || mediaType === DOCKER_INDEX;
  const subject = document.subject === undefined ? undefined : descriptor(document.subject, "subject").digest;
  if (index) {
    if (!Array.isArray(document.manifests)) throw invalidManifest("must have a list of manifests");
    const manifests = document.manifests.map((entry, i) => descriptor(entry, `manifests[${i}]`));
    return { mediaType, index, layers: [], manifests, ...optional(subject, artifactType(document)) };
  }
  const config = descriptor(document.config, "config");
  if (!Array.isArray(document.layers)) throw invalidManifest("must have a list of layers");
  const layers = document.layers.map((entry, i) => descriptor(entry, `layers[${i}]`));
  return {
    mediaType,
    index,
    config,
    layers,
    manifests: [],
    ...optional(subject, artifactType(document) ?? config.mediaType),
  };
}

/** Whether a layer lies elsewhere (Windows base layers): ECR takes the manifest without it. */
export function isForeignLayer(layer: Descriptor): boolean {
  return /foreign|nondistributable/.test(layer.mediaType);
}

function optional(subject: string | undefined, artifactMediaType: string | undefined) {
  return {
    ...(subject === undefined ? {} : { subject }),
    ...(artifactMediaType === undefined ? {} : { artifactMediaType }),
  };
}

function artifactType(document: Record<string, unknown>): string | undefined {
  return typeof document.artifactType === "string" ? document.artifactType : undefined;
}

function isManifestType(mediaType: string): boolean {
  return [DOCKER_MANIFEST, DOCKER_INDEX, OCI_MANIFEST, OCI_INDEX].includes(mediaType);
}

function parseObject(content: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(content.toString("utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Falls through: not JSON at all.
  }
  throw invalidManifest("must be a JSON object");
}

function descriptor(value: unknown, where: string): Descriptor {
  const entry = value as Partial<Descriptor> | null | undefined;
  if (typeof entry !== "object" || entry === null) throw invalidManifest(`${where} must be a descriptor`);
  if (typeof entry.digest !== "string" || !DIGEST.test(entry.digest))
    throw invalidManifest(`${where}.digest must be a sha256 digest`);
  if (typeof entry.mediaType !== "string") throw invalidManifest(`${where}.mediaType must be a string`);
  if (typeof entry.size !== "number" || !Number.isSafeInteger(entry.size) || entry.size < 0)
    throw invalidManifest(`${where}.size must be a whole number`);
  return {
    mediaType: entry.mediaType,
    digest: entry.digest,
    size: entry.size,
    ...(typeof entry.platform === "object" && entry.platform !== null ? { platform: entry.platform } : {}),
  };
}
