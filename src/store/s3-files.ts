import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { FileInfo, FileStore } from "./files.ts";
import { digests, FileTooLarge } from "./files.ts";
import { type AddressStyle, createS3Addresses, usualStyle } from "./s3-addresses.ts";

export interface S3FilesOptions {
  readonly bucket: string;
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string;
  readonly region: string;
  /** Of another service than AWS that speaks S3. */
  readonly endpoint?: string;
  /** Where clients reach it, if not at the endpoint. */
  readonly publicEndpoint?: string;
  /** Where the bucket stands in addresses; usualStyle where absent. */
  readonly style?: AddressStyle;
  /** How the server's own requests are sent; over the SDK's own connections where absent. */
  readonly requestHandler?: S3ClientConfig["requestHandler"];
  /** Without it: the SDK's own chain (environment, profile, role of the machine). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** Sizes of the parts of what the server itself sends, in bytes: S3 takes 10,000 of at least 5 MiB. */
const PART_BYTES = 16 * 1024 * 1024;

/**
 * A file store in a bucket, which any number of server processes share. What is appended becomes an object of its own under
 * the path, named by the offset that the caller is told: S3 has no append, and a random offset needs no agreement between
 * writers.
 */
export function createS3FileStore(options: S3FilesOptions): FileStore {
  const { bucket, prefix } = options;
  const style = options.style ?? usualStyle(options);
  const client = new S3Client({
    region: options.region,
    maxAttempts: 5,
    // Other services than AWS refuse the checksums that newer SDKs add on their own.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    forcePathStyle: style === "path",
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.requestHandler === undefined ? {} : { requestHandler: options.requestHandler }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
  });

  const keyOf = (path: string) => {
    const parts = path.split("/");
    if (parts.some((part) => part === "" || part === "." || part === "..")) {
      throw new Error(`${path} leads out of the file store`);
    }
    return prefix === "" ? path : `${prefix}/${path}`;
  };
  const at = (path: string) => ({ Bucket: bucket, Key: keyOf(path) });
  const chunkPath = (path: string, offset: number) => `${path}/${offset.toString(16).padStart(12, "0")}.chunk`;

  async function info(path: string): Promise<FileInfo | undefined> {
    try {
      const found = await client.send(new HeadObjectCommand(at(path)));
      // The ETag of an object that was sent whole is its md5 (not with SSE-KMS, whose answers say so).
      const etag = /^"?([0-9a-f]{32})"?$/.exec(found.ETag ?? "")?.[1];
      const plain = found.ServerSideEncryption?.startsWith("aws:kms") !== true;
      return {
        size: found.ContentLength ?? 0,
        md5: etag !== undefined && plain ? Buffer.from(etag, "hex").toString("base64") : undefined,
        changedAt: found.LastModified?.getTime() ?? 0,
      };
    } catch (error) {
      if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === 404) return undefined;
      throw error;
    }
  }

  const put: FileStore["put"] = async (path, body, { limit, check }) => {
    const tally = digests();
    let uploadId: string | undefined;
    const parts: { ETag: string | undefined; PartNumber: number }[] = [];
    let pending: Buffer[] = [];
    let pendingBytes = 0;

    async function sendPart(): Promise<void> {
      uploadId ??= (await client.send(new CreateMultipartUploadCommand(at(path)))).UploadId;
      const PartNumber = parts.length + 1;
      const Body = Buffer.concat(pending);
      pending = [];
      pendingBytes = 0;
      const sent = await client.send(new UploadPartCommand({ ...at(path), UploadId: uploadId, PartNumber, Body }));
      parts.push({ ETag: sent.ETag, PartNumber });
    }

    try {
      for await (const chunk of body) {
        const bytes: Buffer = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
        if (tally.add(bytes) > limit) throw new FileTooLarge(`${path} is larger than ${limit} bytes`);
        pending.push(bytes);
        pendingBytes += bytes.byteLength;
        if (pendingBytes >= PART_BYTES) await sendPart();
      }
      const stored = tally.end();
      check(stored.sha256, stored.size, stored.md5);
      if (uploadId === undefined) {
        await client.send(new PutObjectCommand({ ...at(path), Body: Buffer.concat(pending) }));
      } else {
        if (pendingBytes > 0) await sendPart();
        const MultipartUpload = { Parts: parts };
        await client.send(new CompleteMultipartUploadCommand({ ...at(path), UploadId: uploadId, MultipartUpload }));
      }
      return stored;
    } catch (error) {
      if (uploadId !== undefined) {
        // The bucket's lifecycle rule for uploads that were never completed takes what this misses.
        await client.send(new AbortMultipartUploadCommand({ ...at(path), UploadId: uploadId })).catch(() => {});
      }
      throw error;
    }
  };

  const stream: FileStore["stream"] = (path, range) => Readable.from(chunks(path, range));

  async function* chunks(path: string, range?: { start: number; end: number }): AsyncGenerator<Uint8Array> {
    const Range = range && `bytes=${range.start}-${range.end}`;
    const { Body } = await client.send(new GetObjectCommand({ ...at(path), ...(Range ? { Range } : {}) }));
    if (Body) yield* Body as AsyncIterable<Uint8Array>;
  }

  async function deleteKeys(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const Delete = { Objects: keys.map((Key) => ({ Key })), Quiet: true };
    const { Errors } = await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete }));
    const [first] = Errors ?? [];
    if (first) throw new Error(`${first.Key} can't be deleted: ${first.Message}`);
  }

  return {
    direct: createS3Addresses(client, { ...options, style, at }),
    put,
    info,
    stream,

    async append(path, bytes) {
      const offset = randomBytes(6).readUIntBE(0, 6);
      await client.send(new PutObjectCommand({ ...at(chunkPath(path, offset)), Body: bytes }));
      return offset;
    },

    async read(path, offset, length) {
      const pieces: Uint8Array[] = [];
      for await (const piece of chunks(chunkPath(path, offset))) pieces.push(piece);
      const all = Buffer.concat(pieces);
      if (all.byteLength < length) throw new Error(`${path} ends before byte ${offset + length}`);
      return all.subarray(0, length);
    },

    concatenate: async (path, parts) => {
      const stored = await put(path, Readable.from(each(parts)), {
        limit: Number.POSITIVE_INFINITY,
        check: () => {},
      });
      await deleteKeys(parts.map(keyOf));
      return stored;
    },

    size: async (path) => (await info(path))?.size,

    async remove(path) {
      await deleteKeys([keyOf(path)]);
      let ContinuationToken: string | undefined;
      do {
        const page = await client.send(
          new ListObjectsV2Command({
            Bucket: bucket,
            Prefix: `${keyOf(path)}/`,
            ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
          }),
        );
        await deleteKeys((page.Contents ?? []).flatMap(({ Key }) => (Key === undefined ? [] : [Key])));
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken !== undefined);
    },

    async close() {
      client.destroy();
    },
  };

  async function* each(paths: readonly string[]): AsyncGenerator<Uint8Array> {
    for (const path of paths) yield* chunks(path);
  }
}
