import { rm } from "node:fs/promises";
import { join, posix } from "node:path";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { type BaseImage, findBaseImage } from "../base-image.ts";
import { basePython } from "../base-python.ts";
import { contentTag, treeDigest } from "../content-key.ts";
import { type DependencyRequest, dependencyKey, dependencyLayer, tagDependencyLayer } from "../dependency-layer.ts";
import { type Digest, formatSize } from "../digest.ts";
import { chooseDockerfile } from "../dockerfile-choice.ts";
import { keepAll, readIgnoreRules } from "../ignore-rules.ts";
import { createLayerCache, type LayerCache } from "../layer-cache.ts";
import { CODE_DIRECTORY, DEPENDENCIES_DIRECTORY, writeCodeLayer } from "../layers.ts";
import { emptyBase, formatPlatform, type ImageSettings, parsePlatform } from "../oci.ts";
import { fetchLayer, pushImage } from "../push-image.ts";
import { hostPython, type PythonTarget } from "../python-target.ts";
import { createRegistry, type Registry } from "../registry.ts";
import { readRequirementsFile } from "../requirements-file.ts";
import { readTree } from "../tree.ts";
import type { BuilderDependencies, BuildProgress, BuildRequest, BuiltImage, ImageBuilder } from "./builder.ts";
import { codeDirectory, findBuilt } from "./preparation.ts";

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

  say("code", "Reading the code");
  const directory = await codeDirectory(options, workDirectory);
  await refuseDockerfile(directory, options);
  const entries = await readTree(directory, "archive" in options.source ? keepAll : await readIgnoreRules(directory));
  const codeDigest = await treeDigest(entries, signal);
  const named = baseOf(options);
  const from = named === "host" ? undefined : await findBase(options, named, registry);
  const base = from ?? emptyBase(platform);
  const requirements =
    options.requirements === undefined ? undefined : await readRequirementsFile(directory, options.requirements);
  // Found out only where it is needed: the Python of an image follows from its digest, that of this machine does not.
  const pythonTarget = () => pythonOf(options, cache, workDirectory, from, python);
  const own = requirements !== undefined && from === undefined ? await pythonTarget() : undefined;

  const tag = contentTag({
    kind: "layers",
    base: from?.digest ?? "host",
    platform: formatPlatform(platform),
    code: codeDigest,
    requirements: requirements?.path ?? null,
    python: own?.identity ?? options.pythonVersion ?? null,
    entryPoint: options.entryPoint,
  });
  const imageUri = `${target.publicName}:${tag}`;
  const unchanged = async () => {
    const there = await findBuilt(options, registry, tag);
    if (there !== undefined) say("unchanged", `The image ${tag} is in the registry already`);
    return there;
  };
  const there = await unchanged();
  if (there !== undefined) return { imageUri, digest: there, cached: true };
  return cache.alone(
    tag,
    async () => {
      const meanwhile = await unchanged();
      if (meanwhile !== undefined) return { imageUri, digest: meanwhile, cached: true };
      say("code", "Packing the code");
      const code = await writeCodeLayer(join(workDirectory, "code.tar.gz"), entries, signal);
      let dependencies: DependencyRequest | undefined;
      if (requirements !== undefined) {
        const forPython = own ?? (await pythonTarget());
        const key = dependencyKey(requirements, forPython, codeDigest);
        dependencies = {
          key,
          requirements,
          target: forPython,
          code: directory,
          workDirectory,
          python,
          cache,
          registry,
          repository,
          signal,
          say: (message: string) => say("dependencies", message),
        };
      }
      const packages = dependencies === undefined ? undefined : await dependencyLayer(dependencies);
      if (packages !== undefined && !packages.built) say("dependencies", "The packages are unchanged");
      say("pushing", `Sending ${tag}`);
      const digest = await pushImage({
        registry,
        repository,
        tag,
        base,
        from,
        cache,
        workDirectory,
        layers: [
          ...(packages === undefined
            ? []
            : [{ ...packages, path: await cache.blob(packages.digest), createdBy: "slipway: packages" }]),
          { ...code, createdBy: "slipway: code" },
        ],
        settings: settings(named, options.entryPoint, from, codeDigest, dependencies),
        progress: (bytes, totalBytes) => {
          const message = `Sent ${formatSize(bytes)} of ${formatSize(totalBytes)}`;
          options.onProgress?.({ step: "pushing", message, bytes, totalBytes });
        },
      });
      if (dependencies !== undefined && packages !== undefined) await tagDependencyLayer(dependencies, packages);
      await cache.trim(CACHE_LIMIT);
      say("done", `Pushed ${imageUri}`);
      return { imageUri, digest, cached: false };
    },
    signal,
  );
}

function baseOf({ base }: BuildRequest): string {
  if (base === undefined) throw new SlipwayError("BUILD_NEEDS_BASE", { where: "builder.base" });
  return base;
}

/** A Dockerfile says how the image is to be made: leaving it unread would make another image. */
async function refuseDockerfile(directory: string, options: BuildRequest): Promise<void> {
  const chosen = await chooseDockerfile(directory, options.dockerfile, options.entryPoint);
  if (chosen === undefined) return;
  const dockerfile = posix.join(chosen.context, chosen.dockerfile);
  throw new SlipwayError("JOB_NEEDS_DOCKERFILE", { values: { dockerfile }, where: dockerfile });
}

function findBase(options: BuildRequest & BuilderDependencies, base: string, registry: Registry): Promise<BaseImage> {
  const { target } = options;
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
  base: string,
  entryPoint: readonly string[],
  from: BaseImage | undefined,
  code: Digest,
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
      "io.slipway.base": base,
      "io.slipway.code": code,
      ...(dependencies === undefined ? {} : { "io.slipway.python": dependencies.target.version }),
    },
    workingDir: CODE_DIRECTORY,
    entryPoint,
  };
}

/** What Docker sets where an image does not. */
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
