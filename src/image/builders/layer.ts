import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type BaseImage, findBaseImage } from "../base-image.ts";
import { basePython } from "../base-python.ts";
import { type DependencyRequest, dependencyKey, dependencyLayer, tagDependencyLayer } from "../dependency-layer.ts";
import { formatSize, sha256 } from "../digest.ts";
import { keepAll, readIgnoreRules } from "../ignore-rules.ts";
import { createLayerCache, type LayerCache } from "../layer-cache.ts";
import { CODE_DIRECTORY, DEPENDENCIES_DIRECTORY, type Layer, writeCodeLayer } from "../layers.ts";
import { emptyBase, formatPlatform, type ImageSettings, parsePlatform } from "../oci.ts";
import { fetchLayer, pushImage } from "../push-image.ts";
import { hostPython, type PythonTarget } from "../python-target.ts";
import { createRegistry, type Registry } from "../registry.ts";
import { readRequirementsFile } from "../requirements-file.ts";
import type { TarGzip } from "../tar-gzip.ts";
import { readTree } from "../tree.ts";
import { unpackArchive } from "../unpack.ts";
import type { BuilderDependencies, BuildProgress, BuildRequest, BuiltImage, ImageBuilder } from "./builder.ts";

/** Raised when a change of this program changes what an image holds. */
const VERSION = 1;
/** Bytes of layers that the cache keeps. */
const CACHE_LIMIT = 20_000_000_000;

/** The builder that needs neither Docker nor a daemon: it puts layers on a base image over the registry protocol. */
export function createLayerBuilder(dependencies: BuilderDependencies): ImageBuilder {
  return { build: (request) => buildImage({ ...dependencies, ...request }) };
}

/**
 * Builds and pushes an image of code: a layer of the code and one of its packages, on a base image or (base `host`) alone.
 * The tag follows from the content of all that goes in; if the registry has it, nothing is built or sent.
 * Errors: those of the archive, the requirements, the packages, the base image and the registry (src/core/errors/image.ts).
 */
export async function buildImage(options: BuildRequest & BuilderDependencies): Promise<BuiltImage> {
  const start = options.clock.now();
  const cache = createLayerCache(options.cacheDir, options.clock);
  const workDirectory = await cache.workDirectory();
  try {
    const built = await buildIn(options, cache, workDirectory);
    return { ...built, seconds: (options.clock.now() - start) / 1000 };
  } finally {
    await rm(workDirectory, { recursive: true, force: true });
  }
}

async function buildIn(
  options: BuildRequest & BuilderDependencies,
  cache: LayerCache,
  workDirectory: string,
): Promise<Omit<BuiltImage, "seconds">> {
  const { target, signal } = options;
  const { repository } = target;
  const say = (step: BuildProgress["step"], message: string) => options.onProgress?.({ step, message });
  const platform = parsePlatform(options.platform);
  const python = options.python ?? "python3";
  const registry = createRegistry({ ...options, endpoint: target.endpoint, credentials: target.credentials });

  const { directory, layer: code } = await codeLayer(options, workDirectory);
  const from = options.base === "host" ? undefined : await findBase(options, registry);
  const base = from ?? emptyBase(platform);

  let dependencies: DependencyRequest | undefined;
  if (options.requirements !== undefined) {
    const requirements = await readRequirementsFile(directory, options.requirements);
    const pythonTarget = await pythonOf(options, cache, workDirectory, from, python);
    const key = dependencyKey(requirements, pythonTarget, code.diffId);
    dependencies = {
      ...{ key, requirements, target: pythonTarget, code: directory, workDirectory, python, cache, registry },
      ...{ repository, signal, say: (message: string) => say("dependencies", message) },
    };
  }

  const tag = contentTag({
    version: VERSION,
    base: from?.digest ?? "host",
    platform: formatPlatform(platform),
    code: code.diffId,
    dependencies: dependencies?.key ?? null,
    entryPoint: options.entryPoint,
  });
  const imageUri = `${target.publicName}:${tag}`;
  const there = await registry.headManifest(repository, tag);
  if (there !== undefined) {
    say("unchanged", `The image ${tag} is in the registry already`);
    return { imageUri, digest: there, cached: true };
  }

  const packages = dependencies === undefined ? undefined : await dependencyLayer(dependencies);
  if (packages !== undefined && !packages.built) say("dependencies", "The packages are unchanged");
  say("pushing", `Sending ${tag}`);
  const digest = await pushImage({
    ...{ registry, repository, tag, base, from, cache, workDirectory },
    layers: [
      ...(packages === undefined
        ? []
        : [{ ...packages, path: await cache.blob(packages.digest), createdBy: "slipway: packages" }]),
      { ...code, createdBy: "slipway: code" },
    ],
    settings: settings(options, from, code, dependencies),
    progress: (bytes, totalBytes) => {
      const message = `Sent ${formatSize(bytes)} of ${formatSize(totalBytes)}`;
      options.onProgress?.({ step: "pushing", message, bytes, totalBytes });
    },
  });
  if (dependencies !== undefined && packages !== undefined) await tagDependencyLayer(dependencies, packages);
  await cache.trim(CACHE_LIMIT);
  say("done", `Pushed ${imageUri}`);
  return { imageUri, digest, cached: false };
}

async function codeLayer(options: BuildRequest, workDirectory: string): Promise<{ directory: string; layer: TarGzip }> {
  options.onProgress?.({ step: "code", message: "Packing the code" });
  let directory = join(workDirectory, "code");
  let rules = keepAll;
  if ("archive" in options.source) {
    const limits = options.signal === undefined ? {} : { signal: options.signal };
    await unpackArchive(options.source.archive, directory, limits);
  } else {
    directory = options.source.directory;
    rules = await readIgnoreRules(directory);
  }
  const entries = await readTree(directory, rules);
  return { directory, layer: await writeCodeLayer(join(workDirectory, "code.tar.gz"), entries, options.signal) };
}

function findBase(options: BuildRequest & BuilderDependencies, registry: Registry): Promise<BaseImage> {
  const { base, target } = options;
  options.onProgress?.({ step: "base", message: `Looking at ${base}` });
  const own = target.publicName.slice(0, target.publicName.indexOf("/"));
  return findBaseImage(base, parsePlatform(options.platform), (host, endpoint) => {
    if (host === own || host === registry.host) return registry;
    const credentials = async () => options.baseCredentials?.(host);
    return createRegistry({ ...options, endpoint, credentials });
  });
}

function pythonOf(
  options: BuildRequest,
  cache: LayerCache,
  workDirectory: string,
  from: BaseImage | undefined,
  python: string,
): Promise<PythonTarget> {
  if (from === undefined) return hostPython(python, parsePlatform(options.platform), options.signal);
  return basePython(from, options.pythonVersion, (layer) => fetchLayer(cache, workDirectory, from, layer));
}

function settings(
  options: BuildRequest,
  from: BaseImage | undefined,
  code: Layer,
  dependencies: DependencyRequest | undefined,
): ImageSettings {
  const before = (name: string) =>
    from?.config.config?.Env?.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
  const env: Record<string, string> = {};
  if (dependencies !== undefined) {
    const pythonPath = before("PYTHONPATH");
    env.PYTHONPATH = pythonPath ? `${DEPENDENCIES_DIRECTORY}:${pythonPath}` : DEPENDENCIES_DIRECTORY;
    // The commands of the packages (torchrun). Not for the base host, whose own PATH is not known here.
    const path = before("PATH");
    if (from !== undefined) env.PATH = `${DEPENDENCIES_DIRECTORY}/bin:${path ?? DEFAULT_PATH}`;
  }
  return {
    env,
    labels: {
      "io.slipway.base": from === undefined ? "host" : options.base,
      "io.slipway.code": code.diffId,
      ...(dependencies === undefined ? {} : { "io.slipway.python": dependencies.target.version }),
    },
    workingDir: CODE_DIRECTORY,
    entryPoint: options.entryPoint,
  };
}

/** What Docker sets where an image does not. */
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function contentTag(content: object): string {
  return `slipway-${sha256(JSON.stringify(content)).slice("sha256:".length, "sha256:".length + 20)}`;
}
