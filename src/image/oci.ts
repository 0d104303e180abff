import { z } from "zod";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { type Digest, isDigest } from "./digest.ts";

/** Media types: https://github.com/opencontainers/image-spec/blob/main/media-types.md and Docker's image manifest v2, schema 2. */
export const MEDIA_TYPES = {
  oci: {
    manifest: "application/vnd.oci.image.manifest.v1+json",
    index: "application/vnd.oci.image.index.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  },
  docker: {
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  },
} as const;

export type ImageFormat = keyof typeof MEDIA_TYPES;

const digestSchema = z.custom<Digest>((value) => typeof value === "string" && isDigest(value));
const descriptorSchema = z.looseObject({
  mediaType: z.string(),
  digest: digestSchema,
  size: z.number().int().nonnegative(),
});
const manifestSchema = z.looseObject({
  schemaVersion: z.literal(2),
  config: descriptorSchema,
  layers: z.array(descriptorSchema),
});
const platformSchema = z.looseObject({ os: z.string(), architecture: z.string(), variant: z.string().optional() });
const indexSchema = z.looseObject({
  schemaVersion: z.literal(2),
  manifests: z.array(descriptorSchema.extend({ platform: platformSchema.optional() })),
});
const configSchema = z.looseObject({
  architecture: z.string(),
  os: z.string(),
  config: z
    .looseObject({
      Env: z.array(z.string()).nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
      WorkingDir: z.string().nullish(),
      Entrypoint: z.array(z.string()).nullish(),
      Cmd: z.array(z.string()).nullish(),
    })
    .nullish(),
  rootfs: z.looseObject({ type: z.string(), diff_ids: z.array(digestSchema) }),
  history: z.array(z.looseObject({ created_by: z.string().optional() })).nullish(),
});

export type Descriptor = z.infer<typeof descriptorSchema>;
export type ImageManifest = z.infer<typeof manifestSchema>;
export type ImageConfig = z.infer<typeof configSchema>;

/** An operating system and a processor, in the words of OCI: `linux/amd64`. */
export interface Platform {
  readonly os: "linux";
  readonly architecture: "amd64" | "arm64";
}

/** Reads `linux/amd64`, `linux/arm64` or `linux/arm64/v8`. Errors: PLATFORM_INVALID. */
export function parsePlatform(text: string): Platform {
  const match = /^linux\/(?:(amd64)|(arm64)(?:\/v8)?)$/.exec(text);
  if (match === null) throw new SlipwayError("PLATFORM_INVALID", { values: { platform: text } });
  return { os: "linux", architecture: match[1] === "amd64" ? "amd64" : "arm64" };
}

export function formatPlatform(platform: { os: string; architecture: string }): string {
  return `${platform.os}/${platform.architecture}`;
}

/** `oci` or `docker`, by the media type of a manifest; undefined if it is neither's image manifest. */
export function manifestFormat(mediaType: string): ImageFormat | undefined {
  if (mediaType === MEDIA_TYPES.oci.manifest) return "oci";
  if (mediaType === MEDIA_TYPES.docker.manifest) return "docker";
  return undefined;
}

export function isIndex(mediaType: string): boolean {
  return mediaType === MEDIA_TYPES.oci.index || mediaType === MEDIA_TYPES.docker.index;
}

/** The manifest of an index for a platform. Errors: IMAGE_PLATFORM_MISSING. */
export function selectPlatform(index: Buffer, platform: Platform, image: string): Descriptor {
  const { manifests } = parse(indexSchema, index, image);
  // "unknown/unknown" marks attestations that build tools put beside the images.
  const images = manifests.filter((one) => one.platform !== undefined && one.platform.os !== "unknown");
  const found = images.find(
    (one) => one.platform?.os === platform.os && one.platform.architecture === platform.architecture,
  );
  if (found !== undefined) return found;
  const available = images.map((one) => formatPlatform(one.platform as { os: string; architecture: string }));
  throw new SlipwayError("IMAGE_PLATFORM_MISSING", {
    values: {
      image,
      platform: formatPlatform(platform),
      available: [...new Set(available)].join(", ") || "none at all",
    },
    where: image,
  });
}

export function parseManifest(body: Buffer, image: string): ImageManifest {
  return parse(manifestSchema, body, image);
}

export function parseConfig(body: Buffer, image: string): ImageConfig {
  return parse(configSchema, body, image);
}

function parse<T>(schema: z.ZodType<T>, body: Buffer, image: string): T {
  try {
    return schema.parse(JSON.parse(body.toString("utf8")));
  } catch (cause) {
    const mediaType = "of a document that does not follow the image specification";
    throw new SlipwayError("IMAGE_FORMAT_UNSUPPORTED", { values: { image, mediaType }, where: image, cause });
  }
}

/** A layer to put on top: its descriptor, its diff id, and how `docker history` names it. */
export interface TopLayer {
  readonly digest: Digest;
  readonly diffId: Digest;
  readonly size: number;
  readonly createdBy: string;
}

export interface ImageSettings {
  readonly env: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly workingDir: string;
  /** Replaces the base's ENTRYPOINT and CMD. */
  readonly entryPoint: readonly string[];
}

/** The parts of an image that another is built on. */
export interface BaseParts {
  readonly format: ImageFormat;
  readonly config: ImageConfig;
  readonly layers: readonly Descriptor[];
}

/** The base of an image that has only our own layers. */
export function emptyBase(platform: Platform): BaseParts {
  return {
    format: "oci",
    config: { ...platform, config: {}, rootfs: { type: "layers", diff_ids: [] }, history: [] },
    layers: [],
  };
}

const CREATED = "1970-01-01T00:00:00Z";

/** The config and the manifest of base + layers, byte for byte the same for the same parts. */
export function composeImage(
  base: BaseParts,
  layers: readonly TopLayer[],
  settings: ImageSettings,
): { config: Buffer; manifest(config: { digest: Digest; size: number }): { mediaType: string; body: Buffer } } {
  const types = MEDIA_TYPES[base.format];
  const container = base.config.config ?? {};
  const config: ImageConfig = {
    ...base.config,
    created: CREATED,
    config: {
      ...container,
      Env: mergeEnv(container.Env ?? [], settings.env),
      Labels: { ...container.Labels, ...settings.labels },
      WorkingDir: settings.workingDir,
      Entrypoint: [...settings.entryPoint],
      Cmd: null,
    },
    rootfs: { type: "layers", diff_ids: [...base.config.rootfs.diff_ids, ...layers.map((layer) => layer.diffId)] },
    history: [
      ...(base.config.history ?? []),
      ...layers.map((layer) => ({ created: CREATED, created_by: layer.createdBy })),
    ],
  };
  if (container.Cmd === undefined || settings.entryPoint.length > 0) delete config.config?.Cmd;
  return {
    config: Buffer.from(JSON.stringify(config)),
    manifest: (configBlob) => ({
      mediaType: types.manifest,
      body: Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: types.manifest,
          config: { mediaType: types.config, digest: configBlob.digest, size: configBlob.size },
          layers: [...base.layers, ...layers.map(({ digest, size }) => ({ mediaType: types.layer, digest, size }))],
        }),
      ),
    }),
  };
}

function mergeEnv(env: readonly string[], added: Readonly<Record<string, string>>): string[] {
  const kept = env.filter((entry) => !Object.hasOwn(added, entry.slice(0, entry.indexOf("="))));
  return [...kept, ...Object.entries(added).map(([name, value]) => `${name}=${value}`)];
}
