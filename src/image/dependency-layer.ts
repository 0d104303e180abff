import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, sha256 } from "./digest.ts";
import { installPackages } from "./install-packages.ts";
import { readInstalledTree } from "./installed-tree.ts";
import type { LayerCache } from "./layer-cache.ts";
import { type Layer, writeDependencyLayer } from "./layers.ts";
import { composeImage, emptyBase, parseConfig, parseManifest } from "./oci.ts";
import type { PythonTarget } from "./python-target.ts";
import type { Registry } from "./registry.ts";
import type { RequirementsFile } from "./requirements-file.ts";

/** Raised when a change of this program changes what a layer holds: old layers are then not taken for new ones. */
const VERSION = 1;

/**
 * The key of a dependency layer: what the requirements say and which Python they are for. Versions that the file leaves open are
 * chosen when the layer is first built and stay so until the file changes.
 */
export function dependencyKey(requirements: RequirementsFile, target: PythonTarget, codeDiffId: Digest): string {
  const content = {
    version: VERSION,
    file: requirements.path,
    parts: requirements.parts,
    python: target.identity,
    architecture: target.platform.architecture,
    code: requirements.usesCode ? codeDiffId : null,
  };
  return sha256(JSON.stringify(content)).slice("sha256:".length);
}

/** The tag under which a registry keeps a dependency layer for agents that did not build it. */
export function dependencyTag(key: string): string {
  return `slipway-deps-${key.slice(0, 20)}`;
}

export interface DependencyRequest {
  readonly key: string;
  readonly requirements: RequirementsFile;
  readonly target: PythonTarget;
  /** Directory of the unpacked code. */
  readonly code: string;
  readonly workDirectory: string;
  readonly python: string;
  readonly cache: LayerCache;
  readonly registry: Registry;
  readonly repository: string;
  readonly say: (message: string) => void;
  readonly signal: AbortSignal | undefined;
}

/**
 * The dependency layer of a key: from this machine's cache, from the registry, or built now, in that order. Whatever it
 * answers is either in the registry's repository already or has its blob in the cache.
 * Errors: those of `installPackages` and of the registry.
 */
export async function dependencyLayer(request: DependencyRequest): Promise<Layer & { readonly built: boolean }> {
  const { cache, key } = request;
  const there = () => findLayer(request);
  const found = await there();
  if (found !== undefined) return { ...found, built: false };
  return cache.alone(
    key,
    async () => {
      const meanwhile = await there(); // another build of this machine may have made it while we waited
      if (meanwhile !== undefined) return { ...meanwhile, built: false };
      return { ...(await build(request)), built: true };
    },
    request.signal,
  );
}

async function findLayer({ cache, key, registry, repository }: DependencyRequest): Promise<Layer | undefined> {
  const kept = await cache.find(key);
  if (kept !== undefined) {
    if ((await cache.blob(kept.digest)) !== undefined) return kept;
    if (await registry.hasBlob(repository, kept.digest)) return kept;
  }
  const image = `${repository}:${dependencyTag(key)}`;
  const manifest = await registry.getManifest(repository, dependencyTag(key));
  if (manifest === undefined) return undefined;
  const { config, layers } = parseManifest(manifest.body, image);
  const layer = layers[0];
  const { rootfs, config: container } = parseConfig(await registry.readBlob(repository, config.digest), image);
  const diffId = rootfs.diff_ids[0];
  if (layer === undefined || diffId === undefined || container?.Labels?.[KEY_LABEL] !== key) return undefined;
  if (!(await registry.hasBlob(repository, layer.digest))) return undefined;
  return { digest: layer.digest, size: layer.size, diffId };
}

async function build(request: DependencyRequest): Promise<Layer> {
  const { requirements, target, workDirectory, cache, key, signal, say } = request;
  const into = join(workDirectory, "packages");
  await mkdir(into);
  await installPackages({
    code: request.code,
    requirements: requirements.path,
    target,
    into,
    python: request.python,
    onLine: (line) => {
      const message = /^\s*((?:Collecting|Building|Installing|Resolved|Prepared|Installed) .*)/.exec(line)?.[1];
      if (message !== undefined) say(message.replace(/\s*\(from .*$/, "").slice(0, 120));
    },
    signal,
  });
  say("Packing the packages into a layer");
  const layer = await writeDependencyLayer(
    join(workDirectory, "packages.tar.gz"),
    await readInstalledTree(into),
    signal,
  );
  await cache.keep(layer, key);
  return layer;
}

const KEY_LABEL = "io.slipway.dependencies";

/** Stores the layer under its own tag, as an image of this one layer, so that other agents find it by its key. */
export async function tagDependencyLayer(request: DependencyRequest, layer: Layer): Promise<void> {
  const { registry, repository, key, target } = request;
  const tag = dependencyTag(key);
  if ((await registry.headManifest(repository, tag)) !== undefined) return;
  const image = composeImage(
    emptyBase(target.platform),
    [{ ...layer, createdBy: "slipway: the packages of a requirements file" }],
    { env: {}, labels: { [KEY_LABEL]: key }, workingDir: "/", entryPoint: [] },
  );
  const config = { digest: sha256(image.config), size: image.config.length };
  await registry.uploadBlob(repository, { ...config, content: { data: image.config } });
  const { mediaType, body } = image.manifest(config);
  try {
    await registry.putManifest(repository, tag, mediaType, body);
  } catch (error) {
    // Refused because another agent was first and tags are immutable: its layer serves as well.
    if ((await registry.headManifest(repository, tag).catch(() => undefined)) === undefined) throw error;
  }
}
