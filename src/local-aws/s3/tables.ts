import type { Database } from "libsql";
import { addColumn } from "../database.ts";

/**
 * Makes S3's tables if they are absent. Keys are compared byte by byte of their UTF-8, which is S3's own order. Times are
 * milliseconds since 1970; `headers`, `metadata`, `tags`, `checksum` and `content` are JSON.
 */
export function createS3Tables(db: Database): void {
  db.exec(`
    CREATE TABLE IF NOT EXISTS s3_buckets (
      name TEXT PRIMARY KEY, region TEXT NOT NULL, created_at INTEGER NOT NULL, tags TEXT
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS s3_objects (
      bucket TEXT NOT NULL REFERENCES s3_buckets (name), key TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
      modified_at INTEGER NOT NULL, headers TEXT NOT NULL, metadata TEXT NOT NULL, tags TEXT NOT NULL,
      checksum TEXT, content TEXT NOT NULL,
      PRIMARY KEY (bucket, key)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS s3_uploads (
      id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, created_at INTEGER NOT NULL,
      headers TEXT NOT NULL, metadata TEXT NOT NULL, tags TEXT NOT NULL,
      algorithm TEXT NOT NULL, checksum_type TEXT NOT NULL, names_algorithm INTEGER NOT NULL,
      completed_at INTEGER, completed_etag TEXT
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS s3_uploads_by_key ON s3_uploads (bucket, key, id);
    CREATE TABLE IF NOT EXISTS s3_parts (
      upload_id TEXT NOT NULL, number INTEGER NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
      checksum TEXT NOT NULL, modified_at INTEGER NOT NULL,
      PRIMARY KEY (upload_id, number)
    ) WITHOUT ROWID;
    -- Every content file that a row above names, so that a start can tell which files a crash has left over.
    CREATE TABLE IF NOT EXISTS s3_files (file TEXT PRIMARY KEY) WITHOUT ROWID;
  `);
  addColumn(db, "s3_buckets", "policy TEXT");
}
