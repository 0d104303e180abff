import { join } from "node:path";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { type Digest, isDigest } from "../digest.ts";
import type { Registry } from "../registry.ts";
import { unpackArchive } from "../unpack.ts";
import type { BuildRequest } from "./builder.ts";

/** The directory of the code: the one that was given, or the archive unpacked below the work directory. */
export async function codeDirectory(request: BuildRequest, workDirectory: string): Promise<string> {
  if ("directory" in request.source) return request.source.directory;
  const directory = join(workDirectory, "code");
  await unpackArchive(
    request.source.archive,
    directory,
    request.signal === undefined ? {} : { signal: request.signal },
  );
  return directory;
}

/** The digest of a tag that was pushed before: asked of the registry's owner, and of the registry where that is not allowed. */
export async function findBuilt(request: BuildRequest, registry: Registry, tag: string): Promise<Digest | undefined> {
  const { repository, findImage } = request.target;
  if (findImage !== undefined) {
    try {
      const found = await findImage(tag);
      if (found === undefined || isDigest(found)) return found;
    } catch (error) {
      request.signal?.throwIfAborted();
      if (error instanceof SlipwayError) throw error;
      // Not allowed, or out of order: the registry knows as well.
    }
  }
  return registry.headManifest(repository, tag);
}
