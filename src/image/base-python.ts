import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { decodeZstd } from "../containers/zstd.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import type { BaseImage } from "./base-image.ts";
import type { Descriptor } from "./oci.ts";
import { parsePlatform } from "./oci.ts";
import { DEFAULT_LIBC, imagePython, type Libc, type PythonTarget } from "./python-target.ts";

/**
 * The Python of a base image: `pythonVersion` where given, else the PYTHON_VERSION variable that the official Python and the
 * AWS Deep Learning images carry, else the interpreter found in its layers. The C library is read from the lowest layer.
 * `fetchLayer` brings a layer's file. Errors: BASE_PYTHON_UNKNOWN, the registry's.
 */
export async function basePython(
  base: BaseImage,
  pythonVersion: string | undefined,
  fetchLayer: (layer: Descriptor) => Promise<string>,
): Promise<PythonTarget> {
  const platform = parsePlatform(`${base.config.os}/${base.config.architecture}`);
  const variable = base.config.config?.Env?.find((entry) => entry.startsWith("PYTHON_VERSION="));
  let version = /^(\d+\.\d+)/.exec(pythonVersion ?? variable?.slice("PYTHON_VERSION=".length) ?? "")?.[1];
  const lowest = base.layers[0];
  const names = lowest === undefined ? [] : await listLayer(await fetchLayer(lowest), lowest);
  const libc = libcIn(names);
  for (let n = 0; version === undefined && n < base.layers.length; n += 1) {
    const layer = base.layers[n] as Descriptor;
    version = pythonIn(n === 0 ? names : await listLayer(await fetchLayer(layer), layer));
  }
  if (version === undefined) {
    throw new SlipwayError("BASE_PYTHON_UNKNOWN", { values: { image: base.image }, where: base.image });
  }
  return imagePython(version, platform, libc);
}

/** The version of the interpreter among the paths of a layer. */
export function pythonIn(paths: readonly string[]): string | undefined {
  for (const path of paths) {
    // The interpreter, or its library where the interpreter is only called python3.
    const version =
      /^(?:usr\/local|usr|opt\/conda|opt\/venv)\/(?:bin\/python(3\.\d+)$|lib\/python(3\.\d+)\/os\.py$)/.exec(path);
    if (version !== null) return version[1] ?? version[2];
  }
  return undefined;
}

/** musl's loader, or glibc's library, which up to 2.33 carried its version in its file name. */
export function libcIn(paths: readonly string[]): Libc {
  for (const path of paths) {
    if (/^lib\/ld-musl-/.test(path)) return { kind: "musl" };
    const minor = /(?:^|\/)libc-2\.(\d+)\.so$/.exec(path)?.[1];
    if (minor !== undefined) return { kind: "glibc", minor: Number(minor) };
    if (/^(?:usr\/)?lib(?:64|\/[\w-]+)?\/libc\.so\.6$/.test(path)) return { kind: "glibc", minor: 34 };
  }
  return DEFAULT_LIBC;
}

/** The paths in a layer, compressed by gzip, zstd or not at all. A layer in another format tells nothing. */
export async function listLayer(path: string, layer: Pick<Descriptor, "mediaType">): Promise<string[]> {
  const names: string[] = [];
  const tar = extract();
  const source = decompress(createReadStream(path), layer.mediaType);
  if (source === undefined) return [];
  pipeline(source, tar).catch((error: Error) => tar.destroy(error));
  for await (const entry of tar) {
    // A hard link to libc-2.31.so named libc.so.6 is not glibc 2.34: the names with a version come first.
    names.push(entry.header.name.replace(/^\.?\//, ""));
    entry.resume();
  }
  return names.sort((a, b) => Number(/libc\.so\.6$/.test(a)) - Number(/libc\.so\.6$/.test(b)));
}

/** By the media types of OCI (`...tar`, `...tar+gzip`, `...tar+zstd`) and Docker (`...tar.gzip`). */
function decompress(source: Readable, mediaType: string): Readable | undefined {
  if (/gzip$/.test(mediaType)) {
    const gunzip = createGunzip();
    source.once("error", (error) => gunzip.destroy(error));
    return source.pipe(gunzip);
  }
  if (/zstd$/.test(mediaType)) return Readable.from(decodeZstd(source), { objectMode: false });
  return /\btar$/.test(mediaType) ? source : undefined;
}
