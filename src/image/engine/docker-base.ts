import { EngineRefusal } from "../../containers/engine-http.ts";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { findBaseImage } from "../base-image.ts";
import type { BuilderDependencies, BuildRequest } from "../builders/builder.ts";
import { parseImageReference } from "../image-reference.ts";
import { parsePlatform } from "../oci.ts";
import { createRegistry, type Registry } from "../registry.ts";
import type { Engine } from "./engine.ts";

/** A base image as a build is to name it. */
export interface DockerBase {
  /** Behind FROM. */
  readonly from: string;
  /** Of the platform's manifest, or the engine's id of an image that no registry has. */
  readonly digest: string;
}

/**
 * Finds a base image in its registry, so that the same base has the same key for every builder, or (one that was made on this
 * machine) in the engine. Errors: those of findBaseImage.
 */
export async function findDockerBase(
  engine: Engine,
  options: BuildRequest & BuilderDependencies,
  registry: Registry,
  image: string,
): Promise<DockerBase> {
  const reference = parseImageReference(image);
  const local = await inspect(engine, image, options.signal);
  // Never pulled and never pushed: no registry knows it.
  if (local !== undefined && (local.RepoDigests ?? []).length === 0) return { from: image, digest: local.Id };
  const own = options.target.publicName.slice(0, options.target.publicName.indexOf("/"));
  const isOwn = (host: string) => host === own || host === registry.host;
  try {
    const found = await findBaseImage(image, parsePlatform(options.platform), (host, endpoint) => {
      if (isOwn(host)) return registry;
      return createRegistry({ ...options, endpoint, credentials: async () => options.baseCredentials?.(host) });
    });
    const host = isOwn(reference.host) ? registry.host : reference.host;
    return { from: `${host}/${reference.repository}@${found.digest}`, digest: found.digest };
  } catch (error) {
    const away = ["IMAGE_NOT_FOUND", "REGISTRY_UNREACHABLE", "REGISTRY_REFUSED", "REGISTRY_FAILED"];
    if (local === undefined || !(error instanceof SlipwayError) || !away.includes(error.code)) throw error;
    return { from: image, digest: local.Id };
  }
}

interface LocalImage {
  readonly Id: string;
  readonly RepoDigests?: readonly string[] | null;
}

async function inspect(
  engine: Engine,
  image: string,
  signal: AbortSignal | undefined,
): Promise<LocalImage | undefined> {
  try {
    const path = `/images/${encodeURI(image)}/json`;
    return (await engine.json("GET", path, signal === undefined ? {} : { signal })) as LocalImage;
  } catch (error) {
    if (error instanceof EngineRefusal && (error.status === 404 || error.status === 400)) return undefined;
    throw refused(engine, `look for the image ${image}`, error);
  }
}

/** An engine's refusal in the words of people; any other error as it is. */
export function refused(engine: Engine, action: string, error: unknown): unknown {
  if (!(error instanceof EngineRefusal)) return error;
  const reason = error.message || `HTTP ${error.status}`;
  return new SlipwayError("BUILD_ENGINE_REFUSED", { values: { host: engine.host, action, reason }, cause: error });
}
