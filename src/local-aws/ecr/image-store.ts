import { mkdir, rename, rm, utimes } from "node:fs/promises";
import { arch } from "node:os";
import path from "node:path";
import type { LocalAwsContext } from "../service.ts";
import type { BlobStore } from "./blob-store.ts";
import type { Images } from "./images.ts";
import { type Descriptor, isForeignLayer, parseManifest } from "./manifest.ts";
import { parseImageReference, parseRegistryHost } from "./names.ts";
import type { Repositories, Repository } from "./repositories.ts";
import { unpackLayers } from "./unpack.ts";

/** What an image says about running it (the `config` member of the OCI image configuration). */
export interface ImageRunConfig {
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly WorkingDir?: string;
  readonly User?: string;
  readonly Labels?: Readonly<Record<string, string>>;
}

/** An image of the local registry for this machine's platform, found and complete. */
export interface ResolvedImage {
  /** Digest of the image's manifest (of the platform's manifest, where the reference named an index). */
  readonly digest: string;
  /** Where it lies: repository name, account and region. */
  readonly repository: string;
  readonly accountId: string;
  readonly region: string;
  /** Digest of the configuration: what an engine calls the image id. */
  readonly configDigest: string;
  /** How to run it. */
  readonly config: ImageRunConfig;
  /** `os` and `architecture` of the configuration, in Go's words: `linux`, `amd64`. */
  readonly platform: { readonly os: string; readonly architecture: string };
  /** Lowest layer first; `path` is the compressed file in the blob store. */
  readonly layers: readonly {
    readonly path: string;
    readonly mediaType: string;
    readonly digest: string;
    readonly size: number;
  }[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface ImageStore {
  /**
   * Finds an image by `ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG` (or `@sha256:...`), or by the registry's own address
   * (`127.0.0.1:PORT/REPOSITORY:TAG`). Undefined when there is no such image, when an index has none for this machine's platform, or when it is
   * not a container image.
   */
  resolve(imageUri: string): Promise<ResolvedImage | undefined>;
  /** A directory with the image's whole root: layers merged, whiteouts applied. Made once for a digest; callers must not write into it. */
  unpack(image: ResolvedImage): Promise<string>;
}

export function createImageStore(deps: {
  readonly context: LocalAwsContext;
  readonly repositories: Repositories;
  readonly images: Images;
  readonly blobs: BlobStore;
  readonly directory: string;
}): ImageStore {
  const { context, repositories, images, blobs, directory } = deps;
  const unpacking = new Map<string, Promise<string>>();

  function findRepository(imageUri: string): { repository: Repository; digest?: string; tag?: string } | undefined {
    const reference = parseImageReference(imageUri);
    if (!reference) return undefined;
    const scope = parseRegistryHost(reference.host) ?? (reference.host === localHost(context) ? context : undefined);
    const repository = scope && repositories.find(scope, reference.repository);
    return repository && { repository, ...pick(reference) };
  }

  async function resolve(imageUri: string): Promise<ResolvedImage | undefined> {
    const found = findRepository(imageUri);
    if (!found) return undefined;
    const { repository } = found;
    let image = images.find(repository, found);
    if (!image) return undefined;
    let manifest = parseManifest(images.content(repository, image.digest), image.mediaType);
    if (manifest.index) {
      const chosen = choosePlatform(manifest.manifests);
      image = chosen && images.find(repository, { digest: chosen.digest });
      if (!image) return undefined;
      manifest = parseManifest(images.content(repository, image.digest), image.mediaType);
    }
    if (!manifest.config || !isImageConfig(manifest.config.mediaType)) return undefined;
    const configuration = JSON.parse((await blobs.readAll(manifest.config.digest)).toString("utf8")) as {
      os?: string;
      architecture?: string;
      config?: ImageRunConfig | null;
    };
    const config = withoutNulls(configuration.config ?? {});
    return {
      digest: image.digest,
      repository: repository.name,
      accountId: repository.accountId,
      region: repository.region,
      configDigest: manifest.config.digest,
      config,
      platform: { os: configuration.os ?? "linux", architecture: configuration.architecture ?? goArchitecture() },
      layers: manifest.layers
        .filter((layer) => !isForeignLayer(layer))
        .map((layer) => ({
          path: blobs.path(layer.digest),
          mediaType: layer.mediaType,
          digest: layer.digest,
          size: layer.size,
        })),
      labels: config.Labels ?? {},
    };
  }

  async function unpackOnce(image: ResolvedImage): Promise<string> {
    const target = path.join(directory, image.digest.replace(":", "-"));
    await mkdir(directory, { recursive: true });
    const now = new Date();
    // The time of the last use, by which the collection goes; also tells whether it is there.
    const there = await utimes(target, now, now).then(
      () => true,
      () => false,
    );
    if (there) return path.join(target, "rootfs");
    const startedAt = performance.now();
    const temporary = `${target}.${process.pid}.tmp`;
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true });
    try {
      await unpackLayers(image.layers, path.join(temporary, "rootfs"));
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
    context.logger.info(
      { image: image.digest, layers: image.layers.length, ms: Math.round(performance.now() - startedAt) },
      "image unpacked",
    );
    return path.join(target, "rootfs");
  }

  return {
    resolve,
    unpack: (image) => {
      const running = unpacking.get(image.digest);
      if (running) return running;
      const started = unpackOnce(image).finally(() => unpacking.delete(image.digest));
      unpacking.set(image.digest, started);
      return started;
    },
  };
}

/** The platform's manifest of an index: this machine's, or the only one that is no attestation. */
export function choosePlatform(
  manifests: readonly Descriptor[],
  architecture = goArchitecture(),
): Descriptor | undefined {
  const images = manifests.filter(({ platform }) => platform?.os !== "unknown");
  const fitting = images.filter(({ platform }) => platform?.os === "linux" && platform.architecture === architecture);
  return fitting[0] ?? (images.length === 1 && images[0]!.platform === undefined ? images[0] : undefined);
}

/** This machine's architecture as images name it. */
export function goArchitecture(): string {
  const names: Record<string, string> = { x64: "amd64", ia32: "386", arm64: "arm64", arm: "arm" };
  return names[arch()] ?? arch();
}

function isImageConfig(mediaType: string): boolean {
  return (
    mediaType === "application/vnd.oci.image.config.v1+json" ||
    mediaType === "application/vnd.docker.container.image.v1+json"
  );
}

function localHost(context: LocalAwsContext): string {
  return new URL(context.baseUrl()).host;
}

function pick(reference: { digest?: string; tag?: string }) {
  return {
    ...(reference.digest === undefined ? {} : { digest: reference.digest }),
    ...(reference.tag === undefined ? {} : { tag: reference.tag }),
  };
}

/** Docker writes `null` for what is not set. */
function withoutNulls(config: ImageRunConfig): ImageRunConfig {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null)) as ImageRunConfig;
}
