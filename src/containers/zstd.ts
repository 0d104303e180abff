import type { Readable } from "node:stream";
import { Decompress } from "fzstd";

/** Decompresses zstd while it is read. Node has its own decoder from 22.15 on only. Reading fails on damaged data. */
export async function* decodeZstd(source: Readable): AsyncGenerator<Uint8Array> {
  let ready: Uint8Array[] = [];
  const decoder = new Decompress((data) => {
    if (data.length > 0) ready.push(data.slice());
  });
  for await (const chunk of source) {
    decoder.push(chunk as Buffer);
    yield* ready;
    ready = [];
  }
  decoder.push(new Uint8Array(0), true);
  yield* ready;
}
