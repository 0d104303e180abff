import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline, Readable } from "node:stream";
import zlib from "node:zlib";
import { decodeZstd } from "../../containers/zstd.ts";

export type Compression = "none" | "gzip" | "zstd";

/** How a file is compressed, by its first bytes: media types of layers are not always right. */
export async function compressionOf(file: string): Promise<Compression> {
  const handle = await open(file, "r");
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    if (bytesRead >= 2 && buffer[0] === 0x1f && buffer[1] === 0x8b) return "gzip";
    if (bytesRead === 4 && buffer.readUInt32LE() === 0xfd2fb528) return "zstd";
    // A zstd file may begin with a skippable frame (RFC 8878, section 3.1.2).
    if (bytesRead === 4 && (buffer.readUInt32LE() & 0xfffffff0) >>> 0 === 0x184d2a50) return "zstd";
    return "none";
  } finally {
    await handle.close();
  }
}

/** The file's bytes, decompressed while they are read. Reading fails on a damaged file. */
export async function readDecompressed(file: string): Promise<Readable> {
  const compression = await compressionOf(file);
  const source = createReadStream(file, { highWaterMark: 1 << 18 });
  if (compression === "none") return source;
  if (compression === "gzip") return joined(source, zlib.createGunzip({ chunkSize: 1 << 18 }));
  // Node 22.15 and later bring zstd; before that a decoder in JavaScript does it.
  const native = (zlib as unknown as { createZstdDecompress?: () => zlib.Gunzip }).createZstdDecompress;
  if (native !== undefined) return joined(source, native());
  return Readable.from(decodeZstd(source), { objectMode: false });
}

function joined(source: Readable, transform: zlib.Gunzip): Readable {
  // Errors of either end destroy both; the reader sees them on the transform.
  pipeline(source, transform, () => undefined);
  return transform;
}
