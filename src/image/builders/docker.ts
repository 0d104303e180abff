import { rm, stat, writeFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { contentTag, type ImageContent, treeDigest } from "../content-key.ts";
import { readBuildContext } from "../docker-ignore.ts";
import { chooseDockerfile } from "../dockerfile-choice.ts";
import { findDockerBase } from "../engine/docker-base.ts";
import { createEngine, type Engine } from "../engine/engine.ts";
import { pushFromEngine } from "../engine/push.ts";
import { type DockerBuild, runDockerBuild } from "../engine/run-build.ts";
import { generateDockerfile } from "../generated-dockerfile.ts";
import { keepAll, readIgnoreRules } from "../ignore-rules.ts";
import { createLayerCache } from "../layer-cache.ts";
import { formatPlatform, parsePlatform } from "../oci.ts";
import { createRegistry, type Registry } from "../registry.ts";
import { readRequirementsFile } from "../requirements-file.ts";
import { readTree, type TreeEntry } from "../tree.ts";
import type { BuilderDependencies, BuildProgress, BuildRequest, BuiltImage, ImageBuilder } from "./builder.ts";
import { codeDirectory, findBuilt } from "./preparation.ts";

type Options = BuildRequest & BuilderDependencies;

/** The builder that has a container engine run a Dockerfile: the code's own, or one made of base, requirements and entry point. */
export function createDockerBuilder(dependencies: BuilderDependencies): ImageBuilder {
  const engine = createEngine(dependencies.docker?.engine);
  return { build: (request) => buildImage(engine, { ...dependencies, ...request }) };
}

/**
 * Builds and pushes an image. If the registry has what this content makes, nothing is built or sent; two builds of one content
 * on this machine are one. Errors: those of the archive, the Dockerfile, the base, the engine and the registry
 * (src/core/errors/image.ts).
 */
async function buildImage(engine: Engine, options: Options): Promise<BuiltImage> {
  const start = options.clock.now();
  const cache = createLayerCache(options.cacheDir, options.clock);
  const workDirectory = await cache.workDirectory();
  const { target } = options;
  const registry = createRegistry({ ...options, endpoint: target.endpoint, credentials: target.credentials });
  try {
    const { content, prepare, entryPoint } = await plan(engine, options, registry, workDirectory);
    const tag = contentTag(content);
    const finish = (digest: string, cached: boolean): BuiltImage => ({
      imageUri: `${target.publicName}:${tag}`,
      digest,
      cached,
      seconds: (options.clock.now() - start) / 1000,
      ...(entryPoint === undefined ? {} : { entryPoint }),
    });
    const unchanged = async () => {
      const there = await findBuilt(options, registry, tag);
      if (there !== undefined) say(options, "unchanged", `The image ${tag} is in the registry already`);
      return there;
    };
    const there = await unchanged();
    if (there !== undefined) return finish(there, true);
    return await cache.alone(
      tag,
      async () => {
        const meanwhile = await unchanged();
        if (meanwhile !== undefined) return finish(meanwhile, true);
        const name = `${registry.host}/${target.repository}`;
        await runDockerBuild(engine, options, registry.host, workDirectory, {
          ...(await prepare()),
          image: `${name}:${tag}`,
        });
        say(options, "pushing", `Sending ${tag}`);
        const digest = await pushFromEngine(engine, options, registry, tag);
        say(options, "done", `Pushed ${target.publicName}:${tag}`);
        return finish(digest, false);
      },
      options.signal,
    );
  } finally {
    await rm(workDirectory, { recursive: true, force: true });
  }
}

function say(options: Options, step: BuildProgress["step"], message: string): void {
  options.onProgress?.({ step, message });
}

interface Plan {
  readonly content: ImageContent;
  /** Made only for a build that is needed. */
  readonly prepare: () => Promise<Omit<DockerBuild, "image">>;
  readonly entryPoint?: readonly string[];
}

async function plan(engine: Engine, options: Options, registry: Registry, workDirectory: string): Promise<Plan> {
  say(options, "code", "Reading the code");
  const platform = formatPlatform(parsePlatform(options.platform));
  const directory = await codeDirectory(options, workDirectory);
  const chosen = await chooseDockerfile(directory, options.dockerfile, options.entryPoint);
  if (chosen === undefined) return planGenerated(engine, options, registry, workDirectory, directory);
  const context = join(directory, chosen.context);
  const entries = await readBuildContext(context, chosen.dockerfile);
  const digest = await treeDigest(entries, options.signal);
  return {
    content: { kind: "dockerfile", platform, context: digest, dockerfile: chosen.dockerfile },
    entryPoint: chosen.entryPoint,
    prepare: async () => ({
      entries,
      dockerfile: chosen.dockerfile,
      path: join(context, chosen.dockerfile),
      name: posix.join(chosen.context, chosen.dockerfile),
      labels: { "io.slipway.code": digest },
    }),
  };
}

/** Names in the build context of a generated Dockerfile. */
const CODE = "code";
const GENERATED = "Dockerfile.slipway";

async function planGenerated(
  engine: Engine,
  options: Options,
  registry: Registry,
  workDirectory: string,
  directory: string,
): Promise<Plan> {
  const { base: named, requirements } = options;
  if (named === undefined || named === "host")
    throw new SlipwayError("BUILDER_NEEDS_IMAGE_BASE", { values: { base: named ?? "(none)" }, where: "builder.base" });
  say(options, "base", `Looking at ${named}`);
  const base = await findDockerBase(engine, options, registry, named);
  const entries = await readTree(directory, "archive" in options.source ? keepAll : await readIgnoreRules(directory));
  const code = await treeDigest(entries, options.signal);
  const file = requirements === undefined ? undefined : await readRequirementsFile(directory, requirements);
  const { buildKit } = await engine.abilities();
  return {
    content: {
      kind: "layers",
      base: base.digest,
      platform: formatPlatform(parsePlatform(options.platform)),
      code,
      requirements: file?.path ?? null,
      python: options.pythonVersion ?? null,
      entryPoint: options.entryPoint,
    },
    prepare: async () => {
      const secrets = [...((await options.docker?.secrets?.()) ?? new Map()).keys()];
      const path = join(workDirectory, GENERATED);
      await writeFile(
        path,
        generateDockerfile({
          base: base.from,
          requirements: file,
          entryPoint: options.entryPoint,
          code: CODE,
          buildKit,
          secrets: buildKit ? secrets : [],
        }),
      );
      const inside: TreeEntry[] = entries.map((entry) => ({ ...entry, path: `${CODE}/${entry.path}` }));
      const { size } = await stat(path);
      return {
        dockerfile: GENERATED,
        path,
        name: "the generated Dockerfile",
        entries: [
          { kind: "file", path: GENERATED, source: path, size, executable: false },
          { kind: "directory", path: CODE },
          ...inside,
        ],
        labels: { "io.slipway.base": named, "io.slipway.code": code },
      };
    },
  };
}
