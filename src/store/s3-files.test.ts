import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestLocalAws, type TestLocalAws } from "../../test/support/local-aws.ts";
import { type FileStore, FileTooLarge } from "./files.ts";
import { createS3FileStore } from "./s3-files.ts";

let aws: TestLocalAws;
let files: FileStore;
beforeAll(async () => {
  aws = await startTestLocalAws();
  const client = new S3Client({ ...aws.client, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: "files" }));
  const { endpoint, region, credentials } = aws.client;
  files = createS3FileStore({ bucket: "files", prefix: "a/b", endpoint, region, credentials });
});
afterAll(async () => {
  await files?.close();
  await aws?.close();
});

const accept = { limit: 1e9, check: () => {} };
const md5 = (bytes: Uint8Array) => createHash("md5").update(bytes).digest("base64");
const whole = async (stream: Readable) => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
};

test("what is appended at once is read back by the offset that each was told", async () => {
  const texts = Array.from({ length: 20 }, (_, i) => `line ${i}`);
  const offsets = await Promise.all(texts.map((text) => files.append("log/x", Buffer.from(text))));
  for (const [i, text] of texts.entries()) {
    expect((await files.read("log/x", offsets[i] ?? 0, text.length)).toString()).toBe(text);
  }
  await files.remove("log");
  await expect(files.read("log/x", offsets[0] ?? 0, 1)).rejects.toThrow();
});

test("small and large files go in whole, and what is refused leaves nothing", async () => {
  for (const size of [0, 10, 40_000_000]) {
    const body = randomBytes(size);
    const pieces = Array.from({ length: Math.ceil(size / 1e6) }, (_, i) => body.subarray(i * 1e6, (i + 1) * 1e6));
    const stored = await files.put(`ü f/${size}.bin`, Readable.from(pieces), accept);
    expect(stored).toMatchObject({ size, md5: md5(body) });
    expect(await files.size(`ü f/${size}.bin`)).toBe(size);
    expect(md5(await whole(files.stream(`ü f/${size}.bin`)))).toBe(md5(body));
  }
  expect((await files.info("ü f/10.bin"))?.md5).toBeDefined();
  expect((await whole(files.stream("ü f/40000000.bin", { start: 5, end: 8 }))).byteLength).toBe(4);
  const large = Readable.from([randomBytes(2000)]);
  await expect(files.put("big", large, { ...accept, limit: 1000 })).rejects.toBeInstanceOf(FileTooLarge);
  expect(await files.info("big")).toBeUndefined();
  await expect(files.put("../x", Readable.from([]), accept)).rejects.toThrow(/leads out/);
});

test("presigned addresses send and fetch past the server, whole and in parts, and a changed one is refused", async () => {
  const direct = files.direct!;
  const path = "runs/r1/files/a b/ü+(1)'*.txt";
  const upload = await direct.uploadUrl(path, { expiresInS: 60 });
  expect((await fetch(upload, { method: "PUT", body: "hello", headers: { "content-type": "text/x" } })).status).toBe(
    200,
  );
  expect(await files.info(path)).toMatchObject({ size: 5, md5: md5(Buffer.from("hello")) });
  const download = await direct.downloadUrl(path, { expiresInS: 60, name: "ü.txt" });
  const fetched = await fetch(download, { headers: { range: "bytes=1-2" } });
  expect([fetched.status, await fetched.text()]).toEqual([206, "el"]);
  expect(fetched.headers.get("content-disposition")).toBe("attachment; filename*=UTF-8''%C3%BC.txt");
  expect((await fetch(download, { method: "PUT", body: "x" })).status).toBe(403);
  expect((await fetch(upload.replace("a%20b", "c"), { method: "PUT", body: "x" })).status).toBe(403);

  const { uploadId } = await direct.beginParts("parted");
  const bodies = [randomBytes(5 * 1024 * 1024), randomBytes(1000)];
  const parts = await Promise.all(
    bodies.map(async (body, i) => {
      const url = await direct.partUrl("parted", { uploadId, partNumber: i + 1, expiresInS: 60 });
      const sent = await fetch(url, { method: "PUT", body });
      return { partNumber: i + 1, etag: sent.headers.get("etag") ?? "" };
    }),
  );
  await direct.completeParts("parted", uploadId, parts);
  expect(md5(await whole(files.stream("parted")))).toBe(md5(Buffer.concat(bodies)));
  expect((await files.info("parted"))?.md5).toBeUndefined();
});

test("everything lies under the prefix", async () => {
  const client = new S3Client({ ...aws.client, forcePathStyle: true });
  await files.put("here", Readable.from(["x"]), accept);
  const { Contents } = await client.send(new ListObjectsV2Command({ Bucket: "files" }));
  expect(Contents?.every(({ Key }) => Key?.startsWith("a/b/"))).toBe(true);
});
