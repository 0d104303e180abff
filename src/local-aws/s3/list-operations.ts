import { uriEncode } from "../sigv4/canonical.ts";
import type { XmlObject } from "../xml.ts";
import { readCount } from "./attributes.ts";
import { invalidArgument } from "./errors.ts";
import { isoSeconds, owner, type S3, type S3Handler, xmlAnswer } from "./handler.ts";
import { type ListEntry, type ListPage, listPage } from "./listing.ts";
import type { ObjectRecord } from "./object-rows.ts";

const MAX_KEYS = 1000;

/** ListObjects, the first version: pages by the name that came last. */
export const listObjects: S3Handler = (s3, { query }, bucket) => {
  const marker = query.get("marker") ?? "";
  const delimiter = query.get("delimiter") ?? "";
  const { page, encode, common } = list(s3, bucket, query, marker);
  const last = page.entries.at(-1);
  return xmlAnswer("ListBucketResult", {
    ...common,
    Marker: encode(marker),
    IsTruncated: page.isTruncated,
    // S3 names the next marker only where a client could not tell it from the last key.
    ...(page.isTruncated && delimiter !== "" && last !== undefined ? { NextMarker: encode(last.name) } : {}),
    ...contents(page.entries, encode, s3.accountId),
  });
};

/** ListObjectsV2: pages by a token. */
export const listObjectsV2: S3Handler = (s3, { query }, bucket) => {
  const token = query.get("continuation-token");
  const startAfter = query.get("start-after") ?? "";
  const { page, encode, common } = list(s3, bucket, query, token === null ? startAfter : readToken(token));
  const last = page.entries.at(-1);
  return xmlAnswer("ListBucketResult", {
    ...common,
    KeyCount: page.entries.length,
    ...(token === null ? {} : { ContinuationToken: token }),
    ...(startAfter === "" ? {} : { StartAfter: encode(startAfter) }),
    IsTruncated: page.isTruncated,
    ...(page.isTruncated && last !== undefined ? { NextContinuationToken: writeToken(last.name) } : {}),
    ...contents(page.entries, encode, query.get("fetch-owner") === "true" ? s3.accountId : undefined),
  });
};

function list(s3: S3, bucket: string, query: URLSearchParams, after: string) {
  s3.objects.buckets.get(bucket);
  const encode = keyEncoder(query);
  const prefix = query.get("prefix") ?? "";
  const delimiter = query.get("delimiter") ?? "";
  const maxKeys = readCount(query, "max-keys", MAX_KEYS);
  const page: ListPage =
    maxKeys === 0
      ? { entries: [], isTruncated: false }
      : listPage(s3.objects.rows, bucket, { prefix, delimiter, after, maxKeys });
  const common: XmlObject = {
    Name: bucket,
    Prefix: encode(prefix),
    ...(delimiter === "" ? {} : { Delimiter: encode(delimiter) }),
    MaxKeys: maxKeys,
    ...(query.get("encoding-type") === "url" ? { EncodingType: "url" } : {}),
  };
  return { page, encode, common };
}

/** `encoding-type=url`: keys are percent-encoded, so that XML can carry every character; slashes stay. */
export function keyEncoder(query: URLSearchParams): (key: string) => string {
  const type = query.get("encoding-type");
  if (type === null) return (key) => key;
  if (type !== "url") throw invalidArgument("Invalid Encoding Method specified in Request", "encoding-type", type);
  return (key) => uriEncode(key).replaceAll("%2F", "/").replaceAll("%20", "+");
}

function contents(
  entries: readonly ListEntry[],
  encode: (key: string) => string,
  ownerId: string | undefined,
): XmlObject {
  return {
    Contents: entries.flatMap((entry) => (entry.kind === "object" ? [content(entry.object, encode, ownerId)] : [])),
    CommonPrefixes: entries.flatMap((entry) => (entry.kind === "prefix" ? [{ Prefix: encode(entry.name) }] : [])),
  };
}

function content(object: ObjectRecord, encode: (key: string) => string, ownerId: string | undefined): XmlObject {
  return {
    Key: encode(object.key),
    LastModified: isoSeconds(object.modifiedAt),
    ETag: `"${object.etag}"`,
    ...(object.checksum === undefined
      ? {}
      : { ChecksumAlgorithm: object.checksum.algorithm, ChecksumType: object.checksum.type }),
    Size: object.size,
    ...(ownerId === undefined ? {} : { Owner: owner(ownerId) }),
    StorageClass: object.headers["x-amz-storage-class"] ?? "STANDARD",
  };
}

function writeToken(name: string): string {
  return Buffer.from(`1:${name}`, "utf8").toString("base64");
}

function readToken(token: string): string {
  const text = Buffer.from(token, "base64").toString("utf8");
  if (!text.startsWith("1:")) {
    throw invalidArgument("The continuation token provided is incorrect", "continuation-token", token);
  }
  return text.slice(2);
}
