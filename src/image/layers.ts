import type { Digest } from "./digest.ts";
import { type TarGzip, writeTarGzip } from "./tar-gzip.ts";
import type { TreeEntry } from "./tree.ts";

/** Everything that Slipway adds to an image lies below this directory. */
export const IMAGE_ROOT = "/opt/slipway";
export const CODE_DIRECTORY = `${IMAGE_ROOT}/code`;
export const DEPENDENCIES_DIRECTORY = `${IMAGE_ROOT}/deps`;

/** A layer of an image: an OCI blob and the digest of the tar inside. */
export interface Layer {
  readonly digest: Digest;
  readonly diffId: Digest;
  /** Bytes, compressed. */
  readonly size: number;
}

/** Writes the layer of the code. The same tree gives the same layer. */
export async function writeCodeLayer(
  path: string,
  entries: readonly TreeEntry[],
  signal?: AbortSignal,
): Promise<TarGzip> {
  return writeLayer(path, CODE_DIRECTORY, entries, 6, signal);
}

/**
 * Writes the layer of the installed packages. Level 2: scikit-learn with numpy and scipy (206 MB, 3,956 files) takes 3.0 s and
 * 67.6 MB on two cores, at level 1 3.8 s and 69.3 MB, at level 6 4.8 s and 61.9 MB.
 */
export async function writeDependencyLayer(
  path: string,
  entries: readonly TreeEntry[],
  signal?: AbortSignal,
): Promise<TarGzip> {
  return writeLayer(path, DEPENDENCIES_DIRECTORY, entries, 2, signal);
}

function writeLayer(
  path: string,
  directory: string,
  entries: readonly TreeEntry[],
  level: number,
  signal: AbortSignal | undefined,
): Promise<TarGzip> {
  // Not /opt itself: its mode and owner are the base image's.
  const rootEntries = [IMAGE_ROOT.slice(1), directory.slice(1)];
  return writeTarGzip(path, entries, {
    prefix: directory.slice(1),
    rootEntries,
    level,
    ...(signal === undefined ? {} : { signal }),
  });
}
