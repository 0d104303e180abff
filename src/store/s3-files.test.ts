import { execFile as execFileWithCallback } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import type net from "node:net";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestLocalAws, type TestLocalAws } from "../../test/support/local-aws.ts";
import { pythonPeers } from "../../test/support/python-peers.ts";
import { type FileStore, FileTooLarge } from "./files.ts";
import { createS3FileStore } from "./s3-files.ts";

const execFile = promisify(execFileWithCallback);

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

test("buckets may stand in the host's name: the server's own requests and the addresses that boto3 would make", async () => {
  const { port, host } = new URL(aws.client.endpoint);
  // No resolver knows the names of buckets under localhost; as in a browser, all of them are this machine.
  const lookup: net.LookupFunction = (_name, _options, callback) =>
    callback(null, [{ address: "127.0.0.1", family: 4 }]);
  const httpAgent = new http.Agent({ lookup });
  const endpoint = `http://localhost:${port}`;
  const options = { bucket: "files", prefix: "v", region: aws.client.region, credentials: aws.client.credentials };
  const store = createS3FileStore({ ...options, endpoint, style: "virtual-host", requestHandler: { httpAgent } });
  try {
    await store.put("one", Readable.from([Buffer.from("hello")]), accept);
    expect((await whole(store.stream("one"))).toString()).toBe("hello");
    expect(
      (await files.direct!.downloadUrl("one", { expiresInS: 60, name: "one" })).startsWith(`http://${host}/files/`),
    ).toBe(true);

    const url = new URL(await store.direct!.downloadUrl("one", { expiresInS: 60, name: "one" }));
    const put = new URL(await store.direct!.uploadUrl("two", { expiresInS: 60 }));
    expect(url.host).toBe(`files.localhost:${port}`);
    expect((await over(httpAgent, url, "GET")).body).toBe("hello");
    expect((await over(httpAgent, put, "PUT", "sent")).status).toBe(200);
    expect((await whole(store.stream("two"))).toString()).toBe("sent");
    put.pathname = "/v/three";
    expect((await over(httpAgent, put, "PUT", "sent")).status).toBe(403);

    const { python } = await pythonPeers();
    const { stdout } = await execFile(
      python,
      [
        "-c",
        `import boto3, botocore.config
for style in ("virtual", "path"):
    config = botocore.config.Config(signature_version="s3v4", s3={"addressing_style": style})
    s3 = boto3.client("s3", endpoint_url="${endpoint}", config=config)
    print(s3.generate_presigned_url("get_object", Params={"Bucket": "files", "Key": "v/one"}))`,
      ],
      { env: aws.env },
    );
    const [theirs, inPath] = stdout
      .trim()
      .split("\n")
      .map((line) => new URL(line));
    expect([theirs?.host, theirs?.pathname]).toEqual([url.host, url.pathname]);
    expect((await over(httpAgent, theirs!, "GET")).body).toBe("hello");
    const ours = createS3FileStore({ ...options, endpoint });
    const plain = new URL(await ours.direct!.downloadUrl("one", { expiresInS: 60, name: "one" }));
    await ours.close();
    expect([inPath?.host, inPath?.pathname]).toEqual([plain.host, plain.pathname]);
    expect((await over(httpAgent, inPath!, "GET")).body).toBe("hello");
  } finally {
    await store.close();
    httpAgent.destroy();
  }
});

/** A request by this agent's connections, whose Host is the address's. */
function over(agent: http.Agent, url: URL, method: string, body = ""): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { "content-length": Buffer.byteLength(body) };
    http
      .request(url, { agent, method, headers }, async (response) => {
        resolve({ status: response.statusCode ?? 0, body: (await whole(response)).toString() });
      })
      .on("error", reject)
      .end(body);
  });
}

test("everything lies under the prefix", async () => {
  const client = new S3Client({ ...aws.client, forcePathStyle: true });
  await files.put("here", Readable.from(["x"]), accept);
  const { Contents } = await client.send(new ListObjectsV2Command({ Bucket: "files" }));
  expect(Contents?.every(({ Key }) => Key?.startsWith("a/b/") || Key?.startsWith("v/"))).toBe(true);
});
