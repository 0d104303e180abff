import { randomBytes } from "node:crypto";
import type { LocalAwsContext } from "../service.ts";
import { type Algorithm, type Checksum, combineChecksums, type ExpectedChecksum, isCrc } from "./checksums.ts";
import { invalidRequest, noSuchUpload } from "./errors.ts";
import { checkWhole, chooseParts, multipartEtag, type NamedPart, type Part } from "./multipart-parts.ts";
import type { ObjectAttributes, ObjectRecord, WriteCondition } from "./object-rows.ts";
import { checkKey, type ObjectStore, type WrittenContent } from "./object-store.ts";

export interface Upload extends ObjectAttributes {
  readonly id: string;
  readonly bucket: string;
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly algorithm: Algorithm;
  readonly checksumType: Checksum["type"];
  /** Whether the client named the algorithm; else it is S3's default and is not spoken of. */
  readonly namesAlgorithm: boolean;
  readonly completedEtag: string | undefined;
}

interface UploadRow {
  readonly id: string;
  readonly bucket: string;
  readonly key: string;
  readonly created_at: number;
  readonly headers: string;
  readonly metadata: string;
  readonly tags: string;
  readonly algorithm: Algorithm;
  readonly checksum_type: Checksum["type"];
  readonly names_algorithm: number;
  readonly completed_etag: string | null;
}

interface PartRow {
  readonly number: number;
  readonly file: string;
  readonly size: number;
  readonly etag: string;
  readonly checksum: string;
  readonly modified_at: number;
}

/** How long a completed upload is remembered, so that a repeated completion (its answer was lost) gets the same answer. */
const REMEMBER_COMPLETED_MS = 24 * 3600 * 1000;

export type MultipartStore = ReturnType<typeof createMultipartStore>;

/** Multipart uploads: parts are files of their own and become the object's content without being copied. */
export function createMultipartStore(context: Pick<LocalAwsContext, "db" | "clock">, objects: ObjectStore) {
  const { db, clock } = context;
  const { rows, content, buckets } = objects;

  const find = (bucket: string, key: string, id: string): Upload | undefined => {
    const row = db.prepare("SELECT * FROM s3_uploads WHERE id = ? AND bucket = ? AND key = ?").get(id, bucket, key) as
      | UploadRow
      | undefined;
    return row === undefined ? undefined : uploadOf(row);
  };
  const open = (bucket: string, key: string, id: string): Upload => {
    buckets.get(bucket);
    const upload = find(bucket, key, id);
    if (upload === undefined || upload.completedEtag !== undefined) throw noSuchUpload(id);
    return upload;
  };
  const partsOf = (id: string): Part[] =>
    (db.prepare("SELECT * FROM s3_parts WHERE upload_id = ? ORDER BY number").all(id) as PartRow[]).map((row) => ({
      number: row.number,
      file: row.file,
      size: row.size,
      etag: row.etag,
      checksum: row.checksum,
      modifiedAt: row.modified_at,
    }));

  return {
    create(
      bucket: string,
      key: string,
      attributes: ObjectAttributes,
      checksum: { algorithm: Algorithm; type: Checksum["type"] | undefined; isNamed: boolean },
    ): Upload {
      buckets.get(bucket);
      checkKey(key);
      const { algorithm } = checksum;
      const type = checksum.type ?? (algorithm === "CRC64NVME" ? "FULL_OBJECT" : "COMPOSITE");
      if ((type === "FULL_OBJECT" && !isCrc(algorithm)) || (type === "COMPOSITE" && algorithm === "CRC64NVME")) {
        throw invalidRequest(
          `The ${type} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
        );
      }
      const id = randomBytes(48).toString("base64url");
      const now = clock.now();
      db.transaction(() => {
        db.prepare("DELETE FROM s3_uploads WHERE completed_at < ?").run(now - REMEMBER_COMPLETED_MS);
        db.prepare(
          `INSERT INTO s3_uploads (id, bucket, key, created_at, headers, metadata, tags, algorithm, checksum_type, names_algorithm)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ).run(
          id,
          bucket,
          key,
          now,
          JSON.stringify(attributes.headers),
          JSON.stringify(attributes.metadata),
          JSON.stringify(attributes.tags),
          algorithm,
          type,
          checksum.isNamed ? 1 : 0,
        );
      })();
      return {
        ...attributes,
        id,
        bucket,
        key,
        createdAt: now,
        algorithm,
        checksumType: type,
        namesAlgorithm: checksum.isNamed,
        completedEtag: undefined,
      };
    },
    open,
    /** Puts a written piece in an upload; a part of the same number is replaced. */
    async putPart(upload: Upload, number: number, written: WrittenContent): Promise<Part> {
      const part: Part = {
        number,
        file: written.file,
        size: written.size,
        etag: written.md5,
        checksum: written.checksum.value,
        modifiedAt: clock.now(),
      };
      let replaced: string[];
      try {
        replaced = db.transaction(() => {
          // The upload may have been aborted or completed while the part came in.
          open(upload.bucket, upload.key, upload.id);
          const old = partsOf(upload.id).find((candidate) => candidate.number === number);
          rows.addFile(part.file);
          db.prepare(
            `INSERT OR REPLACE INTO s3_parts (upload_id, number, file, size, etag, checksum, modified_at)
             VALUES (?, ?, ?, ?, ?, ?, ?)`,
          ).run(upload.id, number, part.file, part.size, part.etag, part.checksum, part.modifiedAt);
          return old === undefined ? [] : rows.dropFiles([old]);
        })();
      } catch (error) {
        await content.remove([part.file]);
        throw error;
      }
      await content.remove(replaced);
      return part;
    },
    parts: partsOf,
    async abort(bucket: string, key: string, id: string): Promise<void> {
      const upload = open(bucket, key, id);
      const files = db.transaction(() => {
        const dropped = rows.dropFiles(partsOf(upload.id));
        db.prepare("DELETE FROM s3_parts WHERE upload_id = ?").run(upload.id);
        db.prepare("DELETE FROM s3_uploads WHERE id = ?").run(upload.id);
        return dropped;
      })();
      await content.remove(files);
    },
    /** Puts the named parts together. Repeated after success it answers the same, as long as the object is still the one. */
    async complete(
      bucket: string,
      key: string,
      id: string,
      named: readonly NamedPart[],
      condition: WriteCondition,
      promised: { readonly checksum: ExpectedChecksum | undefined; readonly size: string | undefined },
    ): Promise<ObjectRecord> {
      buckets.get(bucket);
      const upload = find(bucket, key, id);
      if (upload === undefined) throw noSuchUpload(id);
      if (upload.completedEtag !== undefined) {
        const object = rows.find(bucket, key);
        if (object?.etag === upload.completedEtag) return object;
        throw noSuchUpload(id);
      }
      const stored = partsOf(id);
      const chosen = chooseParts(named, stored);
      const record: ObjectRecord = {
        bucket,
        key,
        size: chosen.reduce((sum, { size }) => sum + size, 0),
        etag: multipartEtag(chosen),
        modifiedAt: clock.now(),
        headers: upload.headers,
        metadata: upload.metadata,
        tags: upload.tags,
        checksum: combineChecksums(upload.algorithm, upload.checksumType, chosen),
        content: chosen.map(({ file, size, checksum }) => ({ file, size, checksum })),
      };
      checkWhole(record, promised);
      const left = stored.filter((part) => !chosen.includes(part));
      const unused = rows.replace(record, condition, () => {
        db.prepare("DELETE FROM s3_parts WHERE upload_id = ?").run(id);
        db.prepare("UPDATE s3_uploads SET completed_at = ?, completed_etag = ? WHERE id = ?").run(
          clock.now(),
          record.etag,
          id,
        );
        return rows.dropFiles(left);
      });
      await content.remove(unused);
      return record;
    },
    /** Open uploads of a bucket after a key and an upload id, in order of key, then id. */
    list(bucket: string, prefix: string, afterKey: string, afterId: string, limit: number): Upload[] {
      buckets.get(bucket);
      const found = db
        .prepare(
          `SELECT * FROM s3_uploads
           WHERE bucket = ?1 AND completed_etag IS NULL AND (key > ?2 OR (key = ?2 AND id > ?3)) AND substr(key, 1, length(?4)) = ?4
           ORDER BY key, id LIMIT ?5`,
        )
        .all(bucket, afterKey, afterId, prefix, limit);
      return (found as UploadRow[]).map(uploadOf);
    },
  };
}

function uploadOf(row: UploadRow): Upload {
  return {
    id: row.id,
    bucket: row.bucket,
    key: row.key,
    createdAt: row.created_at,
    headers: JSON.parse(row.headers) as Record<string, string>,
    metadata: JSON.parse(row.metadata) as Record<string, string>,
    tags: JSON.parse(row.tags) as Record<string, string>,
    algorithm: row.algorithm,
    checksumType: row.checksum_type,
    namesAlgorithm: row.names_algorithm === 1,
    completedEtag: row.completed_etag ?? undefined,
  };
}
