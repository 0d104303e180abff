import { EngineRefusal, query } from "../../containers/engine-http.ts";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { BuilderDependencies, BuildRequest } from "../builders/builder.ts";
import { formatSize, isDigest } from "../digest.ts";
import type { Registry } from "../registry.ts";
import { readMessages } from "./build-output.ts";
import { refused } from "./docker-base.ts";
import type { Engine } from "./engine.ts";
import { encodeLogin } from "./run-build.ts";

/** A registry's words for a login that is no good (any more). */
const DENIED =
  /denied|unauthorized|no basic auth|authorization token has expired|forbidden|HTTP status: 40[13]|status: 40[13]/i;

/**
 * Has the engine push a tag of the target's repository and answers the manifest's digest. The login is asked for now, however long
 * the build took, and once more if the registry says that it is no good. Errors: BUILD_PUSH_DENIED, REPOSITORY_NOT_FOUND,
 * BUILD_ENGINE_REFUSED.
 */
export async function pushFromEngine(
  engine: Engine,
  options: BuildRequest & BuilderDependencies,
  registry: Registry,
  tag: string,
): Promise<string> {
  const { target, signal } = options;
  const name = `${registry.host}/${target.repository}`;
  for (let tries = 1; ; tries += 1) {
    try {
      return await pushOnce(engine, options, registry, name, tag);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof EngineRefusal)) throw error;
      const reason = error.message;
      const values = {
        image: `${target.publicName}:${tag}`,
        reason,
        registry: registry.host,
        repository: target.repository,
      };
      if (/name unknown|repository .*does not exist|NAME_UNKNOWN/i.test(reason))
        throw new SlipwayError("REPOSITORY_NOT_FOUND", { values, where: target.publicName, cause: error });
      // Another agent was first, in a repository with immutable tags: what it pushed serves as well.
      const there = await registry.headManifest(target.repository, tag).catch(() => undefined);
      if (there !== undefined) return there;
      if (!DENIED.test(reason)) throw refused(engine, `push ${target.publicName}:${tag}`, error);
      if (tries >= 2) throw new SlipwayError("BUILD_PUSH_DENIED", { values, where: target.publicName, cause: error });
    }
  }
}

async function pushOnce(
  engine: Engine,
  options: BuildRequest & BuilderDependencies,
  registry: Registry,
  name: string,
  tag: string,
): Promise<string> {
  const { target, signal } = options;
  const known = await target.credentials();
  const answer = await engine.open("POST", `/images/${encodeURI(name)}/push${query({ tag })}`, {
    headers: { "x-registry-auth": encodeLogin(known ?? { username: "", password: "" }, registry.host) },
    ...(signal === undefined ? {} : { signal }),
  });
  const layers = new Map<string, { current: number; total: number }>();
  let digest: string | undefined;
  for await (const message of readMessages(answer)) {
    const { error, aux, id, progressDetail } = message;
    if (typeof error === "string") throw new EngineRefusal(500, error);
    const told = (aux as { Digest?: unknown } | undefined)?.Digest;
    if (typeof told === "string") digest = told;
    const { current, total } = (progressDetail ?? {}) as { current?: number; total?: number };
    if (typeof id !== "string" || current === undefined || total === undefined) continue;
    layers.set(id, { current, total });
    const all = [...layers.values()];
    const bytes = all.reduce((sum, one) => sum + Math.min(one.current, one.total), 0);
    const totalBytes = all.reduce((sum, one) => sum + one.total, 0);
    const text = `Sent ${formatSize(bytes)} of ${formatSize(totalBytes)}`;
    options.onProgress?.({ step: "pushing", message: text, bytes, totalBytes });
  }
  const found = digest ?? (await registry.headManifest(target.repository, tag));
  if (found !== undefined && isDigest(found)) return found;
  throw new EngineRefusal(500, "the registry does not have the image after the push");
}
