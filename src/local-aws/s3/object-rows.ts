import type { Database } from "libsql";
import type { Checksum } from "./checksums.ts";
import type { Piece } from "./content-store.ts";
import { noSuchBucket, noSuchKey, preconditionFailed } from "./errors.ts";

/** What is kept of an object beside its bytes. */
export interface ObjectAttributes {
  /** `content-type`, `cache-control`, ...: returned with the object, lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** `x-amz-meta-*` without the prefix. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
}

/** One part of an object; `checksum` (base64) is known when it came by multipart upload. */
export interface ContentPart extends Piece {
  readonly checksum?: string;
}

export interface ObjectRecord extends ObjectAttributes {
  readonly bucket: string;
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Without quotes: the MD5 of the content, or `MD5-PARTS` for a multipart upload. */
  readonly etag: string;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
  readonly checksum: Checksum | undefined;
  readonly content: readonly ContentPart[];
}

interface ObjectRow {
  readonly bucket: string;
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly modified_at: number;
  readonly headers: string;
  readonly metadata: string;
  readonly tags: string;
  readonly checksum: string | null;
  readonly content: string;
}

/** Conditions on the object that a write replaces. */
export interface WriteCondition {
  /** An ETag without quotes, or `*`. */
  readonly ifMatch?: string;
  /** Only `*` is allowed by S3: there must be no object. */
  readonly ifNoneMatch?: string;
}

export type ObjectRows = ReturnType<typeof createObjectRows>;

/** The rows of the objects. Every change is one transaction that keeps `s3_files` true. */
export function createObjectRows(db: Database) {
  const select = db.prepare("SELECT * FROM s3_objects WHERE bucket = ? AND key = ?");
  const upsert = db.prepare(
    `INSERT OR REPLACE INTO s3_objects (bucket, key, size, etag, modified_at, headers, metadata, tags, checksum, content)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const remove = db.prepare("DELETE FROM s3_objects WHERE bucket = ? AND key = ?");
  const addFile = db.prepare("INSERT OR IGNORE INTO s3_files (file) VALUES (?)");
  const dropFile = db.prepare("DELETE FROM s3_files WHERE file = ?");
  const selectBucket = db.prepare("SELECT name FROM s3_buckets WHERE name = ?");
  const scan = db.prepare("SELECT * FROM s3_objects WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?");

  const find = (bucket: string, key: string): ObjectRecord | undefined => {
    const row = select.get(bucket, key) as ObjectRow | undefined;
    return row === undefined ? undefined : recordOf(row);
  };
  const checkCondition = (bucket: string, key: string, condition: WriteCondition): ObjectRecord | undefined => {
    if (selectBucket.get(bucket) === undefined) throw noSuchBucket(bucket);
    const existing = find(bucket, key);
    if (condition.ifNoneMatch !== undefined && existing !== undefined) throw preconditionFailed("If-None-Match");
    if (condition.ifMatch !== undefined) {
      if (existing === undefined) throw noSuchKey(key);
      if (condition.ifMatch !== "*" && condition.ifMatch !== existing.etag) throw preconditionFailed("If-Match");
    }
    return existing;
  };
  const dropFiles = (pieces: readonly Piece[]): string[] =>
    pieces.map(({ file }) => {
      dropFile.run(file);
      return file;
    });

  return {
    find,
    /** Throws NoSuchKey. */
    get(bucket: string, key: string): ObjectRecord {
      const record = find(bucket, key);
      if (record === undefined) throw noSuchKey(key);
      return record;
    },
    /** Throws NoSuchBucket, NoSuchKey, PreconditionFailed. */
    checkCondition,
    /** Puts an object in the place of what was there, and gives the files that are no longer used. `more` runs in the same transaction. */
    replace(record: ObjectRecord, condition: WriteCondition, more?: () => string[]): string[] {
      return db.transaction(() => {
        const unused = dropFiles(checkCondition(record.bucket, record.key, condition)?.content ?? []);
        for (const { file } of record.content) addFile.run(file);
        upsert.run(
          record.bucket,
          record.key,
          record.size,
          record.etag,
          record.modifiedAt,
          JSON.stringify(record.headers),
          JSON.stringify(record.metadata),
          JSON.stringify(record.tags),
          record.checksum === undefined ? null : JSON.stringify(record.checksum),
          JSON.stringify(record.content),
        );
        return [...unused, ...(more?.() ?? [])];
      })();
    },
    /** Removes objects and gives the files that are no longer used. A key without an object is no error. */
    delete(bucket: string, keys: readonly string[]): string[] {
      return db.transaction(() =>
        keys.flatMap((key) => {
          const existing = find(bucket, key);
          if (existing === undefined) return [];
          remove.run(bucket, key);
          return dropFiles(existing.content);
        }),
      )();
    },
    setTags(bucket: string, key: string, tags: Readonly<Record<string, string>>): void {
      db.prepare("UPDATE s3_objects SET tags = ? WHERE bucket = ? AND key = ?").run(JSON.stringify(tags), bucket, key);
    },
    addFile: (file: string) => void addFile.run(file),
    dropFiles,
    isKnownFile: (file: string): boolean => db.prepare("SELECT 1 FROM s3_files WHERE file = ?").get(file) !== undefined,
    /** Up to `limit` objects with `from <= key < below`, in key order. */
    range(bucket: string, from: string, below: string, limit: number): ObjectRecord[] {
      return (scan.all(bucket, from, below, limit) as ObjectRow[]).map(recordOf);
    },
  };
}

function recordOf(row: ObjectRow): ObjectRecord {
  return {
    bucket: row.bucket,
    key: row.key,
    size: row.size,
    etag: row.etag,
    modifiedAt: row.modified_at,
    headers: JSON.parse(row.headers) as Record<string, string>,
    metadata: JSON.parse(row.metadata) as Record<string, string>,
    tags: JSON.parse(row.tags) as Record<string, string>,
    checksum: row.checksum === null ? undefined : (JSON.parse(row.checksum) as Checksum),
    content: JSON.parse(row.content) as ContentPart[],
  };
}
