import { mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { compressionOf, readDecompressed } from "./decompress.ts";

const directory = mkdtempSync(join(tmpdir(), "slipway-decompress-"));
afterAll(() => rm(directory, { recursive: true, force: true }));

const TEXT = "layer line\n".repeat(20);
/** TEXT as `zstd -19` writes it, with its checksum. */
const ZSTD = Buffer.from("KLUv/STclQAAWGxheWVyIGxpbmUKAQBOU8ULEkkShQ==", "base64");
/** A skippable frame of four bytes (RFC 8878, section 3.1.2). */
const SKIPPABLE = Buffer.from("502a4d180400000000000000", "hex");

function file(name: string, content: Buffer | string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

async function read(path: string): Promise<string> {
  let text = "";
  for await (const chunk of await readDecompressed(path)) text += (chunk as Buffer).toString();
  return text;
}

test("a file tells by its first bytes how it is compressed", async () => {
  expect(await compressionOf(file("plain", TEXT))).toBe("none");
  expect(await compressionOf(file("empty", ""))).toBe("none");
  expect(await compressionOf(file("gzip", gzipSync(TEXT)))).toBe("gzip");
  expect(await compressionOf(file("zstd", ZSTD))).toBe("zstd");
  expect(await compressionOf(file("skippable", Buffer.concat([SKIPPABLE, ZSTD])))).toBe("zstd");
});

test("plain, gzip and zstd give the same bytes; several zstd frames follow each other", async () => {
  const decoded = async (name: string, content: Buffer | string) => read(file(name, content));
  expect(await decoded("plain", TEXT)).toBe(TEXT);
  expect(await decoded("gzip", gzipSync(TEXT))).toBe(TEXT);
  expect(await decoded("zstd", ZSTD)).toBe(TEXT);
  expect(await decoded("two", Buffer.concat([ZSTD, SKIPPABLE, ZSTD]))).toBe(TEXT + TEXT);
});

test("a file that is cut off or damaged fails", async () => {
  await expect(read(file("cut-gzip", gzipSync(TEXT).subarray(0, 20)))).rejects.toThrow();
  await expect(read(file("cut-zstd", ZSTD.subarray(0, 15)))).rejects.toThrow();
  await expect(read(file("bad-zstd", Buffer.concat([ZSTD.subarray(0, 4), Buffer.alloc(20, 0xff)])))).rejects.toThrow();
});
