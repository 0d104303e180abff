import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { AwsError, type LocalAwsContext } from "../service.ts";
import { type BucketStore, createBucketStore } from "./buckets.ts";
import {
  type Algorithm,
  createChecksum,
  DEFAULT_ALGORITHM,
  type ExpectedChecksum,
  verifyChecksum,
} from "./checksums.ts";
import { type ContentStore, createContentStore, type Piece } from "./content-store.ts";
import { listPage } from "./listing.ts";
import {
  createObjectRows,
  type ObjectAttributes,
  type ObjectRecord,
  type ObjectRows,
  type WriteCondition,
} from "./object-rows.ts";
import { createS3Tables } from "./tables.ts";

/** What becomes an object: bytes, a stream, or a file of this machine. */
export type ObjectBody = Buffer | Readable | { readonly file: string };

export interface PutOptions extends Partial<ObjectAttributes> {
  readonly condition?: WriteCondition;
  /** Promised by the client; S3's default algorithm is computed when absent. */
  readonly expected?: ExpectedChecksum | undefined;
  /** Content-MD5, base64. */
  readonly md5?: string | undefined;
  /** Trailing headers, once the body has been read. */
  readonly trailers?: () => Readonly<Record<string, string>>;
}

/** A piece of content with its hashes. */
export interface WrittenContent extends Piece {
  /** Hex. */
  readonly md5: string;
  readonly checksum: { readonly algorithm: Algorithm; readonly value: string };
  /** Base64, by the second algorithm that was asked for; absent if it is the first. */
  readonly alsoChecksum?: string;
}

export interface ListedObject {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  /** Milliseconds since 1970. */
  readonly lastModified: number;
}

/** The objects of the local S3; the S3 service and the training jobs share it. Errors are AwsErrors in S3's words. */
export interface ObjectStore {
  readonly buckets: BucketStore;
  readonly rows: ObjectRows;
  readonly content: ContentStore;
  /** Writes an object; it is there, whole and durable, once this resolves, and not at all before. */
  putObject(bucket: string, key: string, body: ObjectBody, options?: PutOptions): Promise<ObjectRecord>;
  /** An object and its bytes from `start` to `end` (inclusive; all unless told). Read or destroy the body. */
  getObject(
    bucket: string,
    key: string,
    range?: { readonly start?: number; readonly end?: number },
  ): { readonly object: ObjectRecord; readonly body: Readable };
  headObject(bucket: string, key: string): ObjectRecord | undefined;
  /** All objects whose key begins with `prefix`, in key order. Objects that change meanwhile may be seen in either state. */
  listObjects(bucket: string, prefix: string): AsyncIterable<ListedObject>;
  /** Whether a bucket exists. */
  headBucket(bucket: string): boolean;
  deleteObject(bucket: string, key: string): Promise<void>;
  deleteObjects(bucket: string, keys: readonly string[]): Promise<void>;
  /** Writes content that does not yet belong to an object: hashes it and checks it against what the client promised. */
  writeContent(
    body: ObjectBody,
    options: Pick<PutOptions, "expected" | "md5" | "trailers"> & { readonly also?: Algorithm },
  ): Promise<WrittenContent>;
  /** Puts an object whose content is in the store already in its place. `modifiedAt` becomes now. */
  placeObject(record: ObjectRecord, condition: WriteCondition): Promise<ObjectRecord>;
}

const MAX_PUT_BYTES = 5 * 1024 ** 3;

/** Opens the object store: rows in the context's database, bytes under `DATA/local-aws/objects`. */
export function createObjectStore(context: Pick<LocalAwsContext, "db" | "dataDir" | "clock" | "logger">): ObjectStore {
  const { db, clock, logger } = context;
  createS3Tables(db);
  const buckets = createBucketStore(db, clock);
  const rows = createObjectRows(db);
  const content = createContentStore(join(context.dataDir, "objects"));
  content.sweep(rows.isKnownFile).then(
    (removed) => removed > 0 && logger.info({ removed }, "removed object files that a crash had left over"),
    (error) => logger.warn({ err: error }, "could not remove left-over object files"),
  );

  const writeContent: ObjectStore["writeContent"] = async (body, options) => {
    const md5 = createHash("md5");
    const algorithm = options.expected?.algorithm ?? DEFAULT_ALGORITHM;
    const checksum = createChecksum(algorithm);
    const also = options.also === undefined || options.also === algorithm ? undefined : createChecksum(options.also);
    let size = 0;
    let digests: { md5: Buffer; checksum: Buffer } | undefined;
    const piece = await content.write(
      bytesOf(body),
      (data) => {
        size += data.length;
        if (size > MAX_PUT_BYTES) throw tooLarge(size, MAX_PUT_BYTES);
        md5.update(data);
        checksum.update(data);
        also?.update(data);
      },
      () => {
        digests = { md5: md5.digest(), checksum: checksum.digest() };
        checkMd5(options.md5, digests.md5);
        if (options.expected !== undefined)
          verifyChecksum(options.expected, digests.checksum, options.trailers?.() ?? {});
      },
    );
    return {
      ...piece,
      md5: digests!.md5.toString("hex"),
      checksum: { algorithm, value: digests!.checksum.toString("base64") },
      ...(also === undefined ? {} : { alsoChecksum: also.digest().toString("base64") }),
    };
  };

  return {
    buckets,
    rows,
    content,
    writeContent,
    async putObject(bucket, key, body, options = {}) {
      checkKey(key);
      // Asked before the bytes are taken, so that a refusal is quick, and again with the row's change, so that it is true.
      rows.checkCondition(bucket, key, options.condition ?? {});
      const { md5, checksum, ...piece } = await writeContent(body, options);
      const record: ObjectRecord = {
        bucket,
        key,
        size: piece.size,
        etag: md5,
        modifiedAt: 0,
        headers: options.headers ?? {},
        metadata: options.metadata ?? {},
        tags: options.tags ?? {},
        checksum: { ...checksum, type: "FULL_OBJECT" },
        content: [piece],
      };
      return placeObject(record, options.condition ?? {});
    },
    placeObject,
    getObject(bucket, key, range = {}) {
      buckets.get(bucket);
      const object = rows.get(bucket, key);
      return { object, body: content.read(object.content, range.start ?? 0, range.end ?? object.size - 1) };
    },
    headObject: (bucket, key) => rows.find(bucket, key),
    async *listObjects(bucket, prefix) {
      buckets.get(bucket);
      for (let after = ""; ; ) {
        const page = listPage(rows, bucket, { prefix, delimiter: "", after, maxKeys: 1000 });
        for (const entry of page.entries) {
          if (entry.kind !== "object") continue;
          const { key, size, etag, modifiedAt } = entry.object;
          yield { key, size, etag, lastModified: modifiedAt };
        }
        const last = page.entries.at(-1);
        if (!page.isTruncated || last === undefined) return;
        after = last.name;
      }
    },
    headBucket: (bucket) => buckets.find(bucket) !== undefined,
    deleteObject: (bucket, key) => deleteObjects(bucket, [key]),
    deleteObjects,
  };

  async function placeObject(given: ObjectRecord, condition: WriteCondition): Promise<ObjectRecord> {
    const record = { ...given, modifiedAt: clock.now() };
    let unused: string[];
    try {
      unused = rows.replace(record, condition);
    } catch (error) {
      await content.remove(record.content.map(({ file }) => file));
      throw error;
    }
    await content.remove(unused);
    return record;
  }

  async function deleteObjects(bucket: string, keys: readonly string[]): Promise<void> {
    buckets.get(bucket);
    await content.remove(rows.delete(bucket, keys));
  }
}

function bytesOf(body: ObjectBody): AsyncIterable<Buffer> {
  if (Buffer.isBuffer(body)) return Readable.from(body.length === 0 ? [] : [body]);
  return body instanceof Readable ? body : createReadStream(body.file, { highWaterMark: 256 * 1024 });
}

/** Keys are up to 1024 bytes of UTF-8. A NUL, which the database could not give back, is refused. Throws KeyTooLongError, InvalidURI. */
export function checkKey(key: string): void {
  if (key.includes("\u0000")) throw new AwsError("InvalidURI", "Couldn't parse the specified URI.", 400, { URI: key });
  const bytes = Buffer.byteLength(key, "utf8");
  if (bytes <= 1024) return;
  throw new AwsError("KeyTooLongError", "Your key is too long", 400, { Size: String(bytes), MaxSizeAllowed: "1024" });
}

function checkMd5(expected: string | undefined, computed: Buffer): void {
  if (expected === undefined) return;
  const given = Buffer.from(expected, "base64");
  if (given.length !== 16) throw new AwsError("InvalidDigest", "The Content-MD5 you specified was invalid.", 400);
  if (given.equals(computed)) return;
  throw new AwsError("BadDigest", "The Content-MD5 you specified did not match what we received.", 400, {
    ExpectedDigest: expected,
    CalculatedDigest: computed.toString("base64"),
  });
}

function tooLarge(size: number, limit: number): AwsError {
  return new AwsError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", 400, {
    ProposedSize: String(size),
    MaxSizeAllowed: String(limit),
  });
}
