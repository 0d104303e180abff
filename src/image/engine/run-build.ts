import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { EngineRefusal, query } from "../../containers/engine-http.ts";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { BuilderDependencies, BuildRequest } from "../builders/builder.ts";
import { type ImageReference, parseImageReference } from "../image-reference.ts";
import { formatPlatform, parsePlatform } from "../oci.ts";
import type { RegistryCredentials } from "../registry-credentials.ts";
import { writeTarGzip } from "../tar-gzip.ts";
import type { TreeEntry } from "../tree.ts";
import { buildError } from "./build-error.ts";
import { type BuildOutcome, readBuild, readMessages } from "./build-output.ts";
import { openBuildSession } from "./build-session.ts";
import { refused } from "./docker-base.ts";
import { type Instruction, imagesOf, readDockerfile } from "./dockerfile.ts";
import type { Engine } from "./engine.ts";

export interface DockerBuild {
  /** The build context. */
  readonly entries: readonly TreeEntry[];
  /** Path of the Dockerfile inside the context. */
  readonly dockerfile: string;
  /** Path of the same file on this machine. */
  readonly path: string;
  /** For messages. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `HOST/REPOSITORY:TAG` of the result in the engine. */
  readonly image: string;
}

type Options = BuildRequest & BuilderDependencies;

/**
 * Has the engine build an image, by BuildKit where it has that, and call it by its name. An abort ends the build in the engine too.
 * Errors: BUILD_ENGINE_REFUSED, BUILD_STEP_FAILED, BUILD_NEEDS_BUILDKIT, BUILD_SECRET_MISSING, BUILD_PLATFORM_WRONG, IMAGE_NOT_FOUND.
 */
export async function runDockerBuild(
  engine: Engine,
  options: Options,
  registryHost: string,
  workDirectory: string,
  build: DockerBuild,
): Promise<void> {
  const { signal } = options;
  const { buildKit } = await engine.abilities();
  const instructions = readDockerfile(await readFile(build.path, "utf8"));
  const images = imagesOf(instructions);
  const secrets = (await options.docker?.secrets?.()) ?? new Map<string, Buffer>();
  if (!buildKit) checkWithoutBuildKit(engine, build, instructions);
  const credentials = credentialsOf(options, registryHost);
  await bringOwnImages(engine, options, registryHost, images);

  const context = await writeTarGzip(join(workDirectory, "context.tar.gz"), build.entries, {
    level: 1, // the engine is near
    ...(signal === undefined ? {} : { signal }),
  });
  const platform = formatPlatform(parsePlatform(options.platform));
  options.onProgress?.({
    step: "building",
    message: `Building by ${buildKit ? "BuildKit" : "the engine"} for ${platform}`,
  });
  const parameters = {
    t: build.image,
    dockerfile: build.dockerfile,
    platform,
    labels: build.labels,
    rm: "1",
    forcerm: "1",
    ...(options.docker?.network === undefined ? {} : { networkmode: options.docker.network }),
  };
  const session = buildKit
    ? await openBuildSession(engine, { secret: (id) => secrets.get(id), credentials }, signal)
    : undefined;
  const buildId = randomUUID();
  const cancel = () => {
    // Closing the connection ends a build as well, in most engines.
    engine.json("POST", `/build/cancel${query({ id: buildId })}`).catch(() => {});
  };
  signal?.addEventListener("abort", cancel, { once: true });
  let outcome: BuildOutcome;
  try {
    const answer = await engine.open(
      "POST",
      `/build${query({ ...parameters, ...(session === undefined ? {} : { version: "2", session: session.id, buildid: buildId }) })}`,
      {
        body: createReadStream(context.path),
        headers: session === undefined ? { "x-registry-config": await registryConfig(images, credentials) } : {},
        ...(signal === undefined ? {} : { signal }),
      },
    );
    outcome = await readBuild(answer, (message) => options.onProgress?.({ step: "building", message }));
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof EngineRefusal)) throw brokenOff(engine, error);
    outcome = { imageId: undefined, failure: { message: error.message, step: undefined, lines: [] } };
  } finally {
    signal?.removeEventListener("abort", cancel);
    session?.close();
  }
  signal?.throwIfAborted();
  if (outcome.failure !== undefined) throw buildError(engine, build, instructions, outcome.failure);
  await checkPlatform(engine, build.image, platform);
}

function brokenOff(engine: Engine, error: unknown): unknown {
  if (error instanceof SlipwayError) return error;
  const reason = `its answer broke off (${error instanceof Error ? error.message : String(error)})`;
  return new SlipwayError("BUILD_ENGINE_UNREACHABLE", { values: { host: engine.host, reason }, cause: error });
}

/** Without BuildKit a secret could only come in by a file or an argument that stays in the image. */
function checkWithoutBuildKit(engine: Engine, build: DockerBuild, instructions: readonly Instruction[]): void {
  const mounting = instructions.find(({ keyword, rest }) => keyword === "RUN" && /^(--\S+\s+)*--mount=/.test(rest));
  if (mounting === undefined) return;
  const what = `${build.name} line ${mounting.line} has RUN --mount`;
  throw new SlipwayError("BUILD_NEEDS_BUILDKIT", {
    values: { host: engine.host, what },
    where: `${build.name}:${mounting.line}`,
  });
}

function credentialsOf(options: Options, registryHost: string) {
  const own = options.target.publicName.slice(0, options.target.publicName.indexOf("/"));
  return (host: string): Promise<RegistryCredentials | undefined> => {
    if (host === own || host === registryHost) return options.target.credentials();
    return options.baseCredentials?.(host) ?? Promise.resolve(undefined);
  };
}

/**
 * An engine reaches the registry by the address that it answers at, which need not be the host of its images' names (the local
 * AWS): images of it are pulled beforehand and given the names that the Dockerfile has for them.
 */
async function bringOwnImages(engine: Engine, options: Options, registryHost: string, images: readonly string[]) {
  const own = options.target.publicName.slice(0, options.target.publicName.indexOf("/"));
  if (own === registryHost) return;
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  for (const image of images) {
    const reference = referenceOf(image);
    if (reference === undefined || reference.host !== own) continue;
    const name = `${registryHost}/${reference.repository}`;
    try {
      const from = { fromImage: name, tag: reference.reference, platform: options.platform };
      const known = await options.target.credentials();
      const headers: Record<string, string> =
        known === undefined ? {} : { "x-registry-auth": encodeLogin(known, registryHost) };
      for await (const { error } of readMessages(
        await engine.open("POST", `/images/create${query(from)}`, { headers, ...signal }),
      ))
        if (typeof error === "string") throw new EngineRefusal(404, error);
      if (reference.digest !== undefined) continue;
      const to = { repo: `${own}/${reference.repository}`, tag: reference.reference };
      await engine.json("POST", `/images/${encodeURI(`${name}:${reference.reference}`)}/tag${query(to)}`, signal);
    } catch (error) {
      if (error instanceof EngineRefusal && /not found|manifest unknown|name unknown/i.test(error.message))
        throw new SlipwayError("IMAGE_NOT_FOUND", { values: { image }, where: image, cause: error });
      throw refused(engine, `pull ${image}`, error);
    }
  }
}

function referenceOf(image: string): ImageReference | undefined {
  try {
    return parseImageReference(image);
  } catch {
    return undefined; // the engine says what is wrong with it, and where
  }
}

/** As the engine's headers take JSON: base64 for URLs, padded, without which engines up to 23 drop its end. */
function encodeHeader(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}

/** Credentials as the engine's headers take them. */
export function encodeLogin(known: RegistryCredentials, host: string): string {
  const login =
    "username" in known
      ? { username: known.username, password: known.password }
      : { identitytoken: known.identityToken };
  return encodeHeader({ ...login, serveraddress: host });
}

async function registryConfig(
  images: readonly string[],
  credentials: (host: string) => Promise<RegistryCredentials | undefined>,
): Promise<string> {
  const logins: Record<string, object> = {};
  for (const host of new Set(images.flatMap((image) => referenceOf(image)?.host ?? []))) {
    const known = await credentials(host);
    if (known === undefined || !("username" in known)) continue;
    logins[host === "docker.io" ? "https://index.docker.io/v1/" : host] = known;
  }
  return encodeHeader(logins);
}

async function checkPlatform(engine: Engine, image: string, platform: string): Promise<void> {
  const found = (await engine.json("GET", `/images/${encodeURI(image)}/json`)) as { Os: string; Architecture: string };
  const built = `${found.Os}/${found.Architecture}`;
  if (built !== platform)
    throw new SlipwayError("BUILD_PLATFORM_WRONG", { values: { built, platform }, where: "builder.platform" });
}
