import type { Database } from "libsql";
import type { Clock } from "../../core/clock.ts";
import { AwsError } from "../service.ts";
import { noSuchBucket } from "./errors.ts";

export interface Bucket {
  readonly name: string;
  readonly region: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly tags: Readonly<Record<string, string>> | undefined;
  /** The bucket policy as it was given: JSON. */
  readonly policy: string | undefined;
}

interface BucketRow {
  readonly name: string;
  readonly region: string;
  readonly created_at: number;
  readonly tags: string | null;
  readonly policy: string | null;
}

export type BucketStore = ReturnType<typeof createBucketStore>;

export function createBucketStore(db: Database, clock: Clock) {
  const bucketOf = (row: BucketRow): Bucket => ({
    name: row.name,
    region: row.region,
    createdAt: row.created_at,
    tags: row.tags === null ? undefined : (JSON.parse(row.tags) as Record<string, string>),
    policy: row.policy ?? undefined,
  });
  const select = db.prepare("SELECT * FROM s3_buckets WHERE name = ?");
  const find = (name: string): Bucket | undefined => {
    const row = select.get(name) as BucketRow | undefined;
    return row === undefined ? undefined : bucketOf(row);
  };
  const get = (name: string): Bucket => {
    const bucket = find(name);
    if (bucket === undefined) throw noSuchBucket(name);
    return bucket;
  };

  return {
    find,
    /** Throws NoSuchBucket. */
    get,
    list: (): Bucket[] => (db.prepare("SELECT * FROM s3_buckets ORDER BY name").all() as BucketRow[]).map(bucketOf),
    /** Makes a bucket. In us-east-1 making one's own bucket again is no error, elsewhere it is BucketAlreadyOwnedByYou. */
    create(name: string, region: string): void {
      checkBucketName(name);
      if (find(name) !== undefined) {
        if (region === "us-east-1") return;
        throw new AwsError(
          "BucketAlreadyOwnedByYou",
          "Your previous request to create the named bucket succeeded and you already own it.",
          409,
          { BucketName: name },
        );
      }
      db.prepare("INSERT INTO s3_buckets (name, region, created_at) VALUES (?, ?, ?)").run(name, region, clock.now());
    },
    /** Removes an empty bucket. Throws NoSuchBucket, BucketNotEmpty. */
    delete(name: string): void {
      get(name);
      if (db.prepare("SELECT 1 FROM s3_objects WHERE bucket = ? LIMIT 1").get(name) !== undefined) {
        throw new AwsError("BucketNotEmpty", "The bucket you tried to delete is not empty", 409, { BucketName: name });
      }
      db.prepare("DELETE FROM s3_buckets WHERE name = ?").run(name);
    },
    setPolicy(name: string, policy: string | undefined): void {
      get(name);
      db.prepare("UPDATE s3_buckets SET policy = ? WHERE name = ?").run(policy ?? null, name);
    },
    setTags(name: string, tags: Readonly<Record<string, string>> | undefined): void {
      get(name);
      db.prepare("UPDATE s3_buckets SET tags = ? WHERE name = ?").run(
        tags === undefined ? null : JSON.stringify(tags),
        name,
      );
    },
  };
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
export function checkBucketName(name: string): void {
  const isWellFormed = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) && !name.includes("..");
  const isReserved = /^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|--x-s3)$/.test(name);
  if (isWellFormed && !isReserved && !/^\d+\.\d+\.\d+\.\d+$/.test(name)) return;
  throw new AwsError("InvalidBucketName", "The specified bucket is not valid.", 400, { BucketName: name });
}
