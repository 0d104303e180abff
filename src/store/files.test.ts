import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDirectoryFileStore, type FileStore, FileTooLarge } from "./files.ts";

let root: string;
let files: FileStore;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "slipway-files-"));
  files = createDirectoryFileStore(root);
});
afterEach(async () => {
  await files.close();
  rmSync(root, { recursive: true, force: true });
});

const accept = { limit: 1000, check: () => {} };

test("appends at once to one file do not mix, and each is told where its bytes begin", async () => {
  const texts = Array.from({ length: 50 }, (_, i) => `line ${i}\n`.repeat(1 + (i % 3)));
  const offsets = await Promise.all(texts.map((text) => files.append("a/b/log", Buffer.from(text))));
  for (const [i, text] of texts.entries())
    expect((await files.read("a/b/log", offsets[i] ?? 0, text.length)).toString()).toBe(text);
});

test("more files than stay open at once, and a store that opens a file again, go on at its end", async () => {
  for (let round = 0; round < 2; round++)
    for (let i = 0; i < 100; i++) expect(await files.append(`f/${i}`, Buffer.from("12345"))).toBe(round * 5);
  await files.close();
  const again = createDirectoryFileStore(root);
  expect(await again.append("f/7", Buffer.from("x"))).toBe(10);
  await again.close();
});

test("a read beyond the end fails; a removed directory begins anew", async () => {
  await files.append("d/x", Buffer.from("abc"));
  await expect(files.read("d/x", 1, 3)).rejects.toThrow(/ends before byte 4/);
  await files.remove("d");
  await files.remove("d");
  expect(await files.size("d/x")).toBeUndefined();
  expect(await files.append("d/x", Buffer.from("new"))).toBe(0);
});

test("put keeps what passes the check, and nothing of what does not", async () => {
  const body = Buffer.from("hello");
  const put = await files.put("p/ok", Readable.from([body]), accept);
  expect(put).toMatchObject({ sha256: createHash("sha256").update(body).digest("hex"), size: 5 });
  expect(await files.size("p/ok")).toBe(5);
  const refuse = {
    limit: 1000,
    check() {
      throw new Error("another's");
    },
  };
  await expect(files.put("p/bad", Readable.from([body]), refuse)).rejects.toThrow("another's");
  await expect(files.put("p/big", Readable.from([Buffer.alloc(1001)]), accept)).rejects.toBeInstanceOf(FileTooLarge);
  const cut = Readable.from(
    (async function* () {
      yield body;
      throw new Error("cut off");
    })(),
  );
  await expect(files.put("p/cut", cut, accept)).rejects.toThrow("cut off");
  expect(readdirSync(join(root, "p"))).toEqual(["ok"]);
});

test("no path leads out", async () => {
  await expect(files.read("../secret", 0, 1)).rejects.toThrow(/leads out/);
  await expect(files.append("a/../../x", Buffer.from("x"))).rejects.toThrow(/leads out/);
});

test("makes one file of its parts, in their order, and removes them; an absent one leaves all as it was", async () => {
  for (const [part, text] of [
    ["parts/a.1", "one "],
    ["parts/a.2", "two"],
  ] as const)
    await files.put(part, Readable.from([text]), accept);
  await expect(files.concatenate("whole", ["parts/a.1", "parts/a.3"])).rejects.toThrow("parts/a.3");
  expect(await files.size("parts/a.1")).toBe(4);
  const md5 = createHash("md5").update("one two").digest("base64");
  expect(await files.concatenate("whole", ["parts/a.1", "parts/a.2"])).toMatchObject({ size: 7, md5 });
  expect((await files.read("whole", 0, 7)).toString()).toBe("one two");
  expect(await files.size("parts/a.1")).toBeUndefined();
});

test("streams a range", async () => {
  await files.put("r", Readable.from(["0123456789"]), accept);
  const chunks: Buffer[] = [];
  for await (const chunk of files.stream("r", { start: 3, end: 5 })) chunks.push(chunk);
  expect(Buffer.concat(chunks).toString()).toBe("345");
});
