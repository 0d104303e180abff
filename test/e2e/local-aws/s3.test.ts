import { execFile, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { Agent } from "node:http";
import { connect, type LookupFunction } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestLocalAws, type TestLocalAws } from "../../support/local-aws.ts";
import { type PythonPeers, pythonPeers } from "../../support/python-peers.ts";

const run = promisify(execFile);

describe("S3", () => {
  let aws: TestLocalAws;
  let peers: PythonPeers;
  let s3: S3Client;
  const Bucket = "js-bucket";
  beforeAll(async () => {
    peers = await pythonPeers();
    aws = await startTestLocalAws();
    s3 = new S3Client({ ...aws.client, maxAttempts: 1 });
    await s3.send(new CreateBucketCommand({ Bucket }));
  });
  afterAll(async () => {
    s3.destroy();
    await aws.close();
  });

  test("boto3: buckets, odd keys, ranges, conditions, checksums, listing, multipart, copies, tags, presigned URLs", async () => {
    const { python } = peers;
    const fresh = await startTestLocalAws();
    try {
      const env = { ...fresh.env, SLIPWAY_BUCKET: fresh.environment.bucket };
      const { stdout } = await run(python, [join(import.meta.dirname, "s3-boto3.py")], { env });
      expect(stdout).toBe("all of it holds\n");
      // No file is left behind by all the replacing, copying, aborting and refusing.
      const objects = join(fresh.dataDir, "local-aws", "objects");
      expect(await readdir(join(objects, "incoming"))).toEqual([]);
    } finally {
      await fresh.close();
    }
  });

  test("the aws CLI: cp, sync, ls, presign, rm", async () => {
    const { aws: cli } = peers;
    const folder = await mkdtemp(join(tmpdir(), "slipway-s3-"));
    try {
      await writeFile(join(folder, "a b+ü.txt"), "hello");
      await writeFile(join(folder, "big"), randomBytes(20_000_000));
      const call = async (...args: string[]) =>
        (
          await run(
            cli,
            ["s3", ...args, ...(args[0] === "presign" || args[0] === "ls" ? [] : ["--only-show-errors"])],
            { env: aws.env },
          )
        ).stdout;
      await call("sync", folder, `s3://${Bucket}/cli`);
      expect(await call("ls", "--recursive", `s3://${Bucket}/cli/`)).toMatch(
        /5 cli\/a b\+ü\.txt\n.*20000000 cli\/big\n/,
      );
      await call("cp", `s3://${Bucket}/cli/big`, join(folder, "back"));
      expect((await readFile(join(folder, "back"))).equals(await readFile(join(folder, "big")))).toBe(true);
      const url = (await call("presign", `s3://${Bucket}/cli/a b+ü.txt`)).trim();
      expect(await (await fetch(url)).text()).toBe("hello");
      await call("rm", "--recursive", `s3://${Bucket}/cli`);
      expect((await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "cli/" }))).KeyCount).toBe(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("the SDK for JavaScript: a stream of unknown chunks arrives as its content, for every checksum", async () => {
    const content = randomBytes(3_000_000);
    for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const) {
      const pieces = [content.subarray(0, 1), content.subarray(1, 70_000), content.subarray(70_000)];
      await s3.send(
        new PutObjectCommand({
          Bucket,
          Key: "stream",
          Body: Readable.from(pieces),
          ContentLength: content.length,
          ContentEncoding: "gzip",
          ChecksumAlgorithm,
        }),
      );
      const got = await s3.send(new GetObjectCommand({ Bucket, Key: "stream", ChecksumMode: "ENABLED" }));
      expect(got[`Checksum${ChecksumAlgorithm}`]).toBeTypeOf("string");
      expect(got.ContentEncoding).toBe("gzip");
      expect(Buffer.from((await got.Body?.transformToByteArray()) ?? []).equals(content)).toBe(true);
    }
  });

  test("the SDK for JavaScript: odd keys, copies, virtual-host addressing", async () => {
    const url = new URL(aws.url);
    // Name resolution of *.localhost is not given on every machine.
    const lookup: LookupFunction = (_name, _options, done) => done(null, [{ address: "127.0.0.1", family: 4 }]);
    const virtual = new S3Client({
      ...aws.client,
      endpoint: `http://localhost:${url.port}`,
      maxAttempts: 1,
      requestHandler: { httpAgent: new Agent({ lookup, autoSelectFamily: true }) },
    });
    for (const Key of ["a b+ü~(1)'*!.txt", "日本語/🎉", "a//b", "100%/%41"]) {
      await s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
      await s3.send(
        new CopyObjectCommand({
          Bucket,
          Key: `copy/${Key}`,
          CopySource: encodeURI(`${Bucket}/${Key}`).replaceAll("+", "%2B"),
        }),
      );
      const got = await s3.send(new GetObjectCommand({ Bucket, Key: `copy/${Key}` }));
      expect(await got.Body?.transformToString()).toBe(Key);
      const same = await virtual.send(new GetObjectCommand({ Bucket, Key }));
      expect(await same.Body?.transformToString()).toBe(Key);
      await s3.send(new DeleteObjectCommand({ Bucket, Key }));
    }
    virtual.destroy();
    const keys = (await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "copy/" }))).Contents?.map(({ Key }) => Key);
    expect(keys).toEqual(["copy/100%/%41", "copy/a b+ü~(1)'*!.txt", "copy/a//b", "copy/日本語/🎉"]);
  });

  test("a body that does not match its hash is refused and leaves the old object", async () => {
    await s3.send(new PutObjectCommand({ Bucket, Key: "kept", Body: "old" }));
    const damaged = new S3Client({ ...aws.client, maxAttempts: 1, requestChecksumCalculation: "WHEN_REQUIRED" });
    damaged.middlewareStack.add(
      (next) => (args) => {
        (args.request as { body: unknown }).body = "nEw";
        return next(args);
      },
      { step: "deserialize", priority: "high" },
    );
    await expect(damaged.send(new PutObjectCommand({ Bucket, Key: "kept", Body: "new" }))).rejects.toMatchObject({
      name: "XAmzContentSHA256Mismatch",
    });
    damaged.destroy();
    const got = await s3.send(new GetObjectCommand({ Bucket, Key: "kept" }));
    expect(await got.Body?.transformToString()).toBe("old");
  });

  test("a client that waits for 100-continue is told to go on only if its signature is right", async () => {
    const socket = connect(Number(new URL(aws.url).port), "127.0.0.1");
    socket.write(`PUT /${Bucket}/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`);
    let answer = "";
    socket.on("data", (data) => {
      answer += data.toString();
    });
    await once(socket, "close");
    expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden/);
    expect(answer).not.toContain("100 Continue");
    expect(answer).toContain("<Code>AccessDenied</Code>");
  });

  test("300 MB go through in a process that keeps little of them in memory", async () => {
    const piece = randomBytes(1024 * 1024);
    const hash = createHash("md5");
    function* pieces() {
      for (let index = 0; index < 300; index++) {
        hash.update(piece);
        yield piece;
      }
    }
    const before = process.memoryUsage().rss;
    const put = await s3.send(
      new PutObjectCommand({ Bucket, Key: "large", Body: Readable.from(pieces()), ContentLength: 300 * piece.length }),
    );
    expect(put.ETag).toBe(`"${hash.digest("hex")}"`);
    const got = await s3.send(new GetObjectCommand({ Bucket, Key: "large" }));
    let bytes = 0;
    for await (const data of got.Body as Readable) bytes += (data as Buffer).length;
    expect(bytes).toBe(300 * piece.length);
    // Client and server share this process here; the whole object would be 300 MB once and more than once.
    expect(process.memoryUsage().rss - before).toBeLessThan(250 * 1024 * 1024);
  });

  test("kill -9 in the middle of writes: what was acknowledged is there, nothing else is, and no file is left over", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "slipway-s3-kill-"));
    const script = `
      import { startTestLocalAws } from ${JSON.stringify(join(import.meta.dirname, "../../support/local-aws.ts"))};
      import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
      const main = async () => {
        const aws = await startTestLocalAws({ dataDir: process.env.DATA });
        const s3 = new S3Client(aws.client);
        for (let n = 0; ; n++) {
          await s3.send(new PutObjectCommand({ Bucket: aws.environment.bucket, Key: "k" + (n % 5), Body: String(n).repeat(10000) }));
          process.stdout.write(n + "\\n");
        }
      };
      void main();`;
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
      env: { ...process.env, DATA: dataDir },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let acknowledged = -1;
    for await (const data of child.stdout) {
      const lines = String(data).trim().split("\n");
      acknowledged = Number(lines.at(-1));
      if (acknowledged >= 40) break;
    }
    child.kill("SIGKILL");
    await once(child, "exit");
    const again = await startTestLocalAws({ dataDir });
    try {
      const client = new S3Client(again.client);
      let newest = -1;
      for (let slot = 0; slot < 5; slot++) {
        const got = await client.send(new GetObjectCommand({ Bucket: again.environment.bucket, Key: `k${slot}` }));
        const text = (await got.Body?.transformToString()) ?? "";
        const n = text.length / 10_000 === 1 ? Number(text[0]) : Number(text.slice(0, text.length / 10_000));
        expect(text).toBe(String(n).repeat(10_000));
        expect(n % 5).toBe(slot);
        newest = Math.max(newest, n);
      }
      expect(newest).toBeGreaterThanOrEqual(acknowledged);
      client.destroy();
      const files = (
        await readdir(join(dataDir, "local-aws", "objects"), { recursive: true, withFileTypes: true })
      ).filter((entry) => entry.isFile());
      expect(files.length).toBe(5);
    } finally {
      await again.close();
    }
  });
});
