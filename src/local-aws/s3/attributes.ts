import { AwsError } from "../service.ts";
import { checksumHeader } from "./checksums.ts";
import { invalidArgument, notImplemented } from "./errors.ts";
import type { ObjectAttributes, ObjectRecord } from "./object-rows.ts";

type Headers = Readonly<Record<string, string>>;

/** Headers that are kept with an object and returned with it. */
const KEPT_HEADERS = [
  "cache-control",
  "content-disposition",
  "content-language",
  "content-type",
  "expires",
  "x-amz-storage-class",
  "x-amz-server-side-encryption",
  "x-amz-server-side-encryption-aws-kms-key-id",
  "x-amz-website-redirect-location",
] as const;

const MAX_METADATA_BYTES = 2048;

/** What a PUT, a copy with new metadata or a new multipart upload says about its object. */
export function readAttributes(headers: Headers): ObjectAttributes {
  refuseUnsupported(headers);
  const kept: Record<string, string> = {};
  for (const name of KEPT_HEADERS) if (headers[name] !== undefined) kept[name] = headers[name];
  kept["content-type"] ??= "binary/octet-stream";
  if (kept["x-amz-storage-class"] === "STANDARD") delete kept["x-amz-storage-class"];
  // `aws-chunked` is how the body travels, not what it is.
  const encoding = (headers["content-encoding"] ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "" && name !== "aws-chunked")
    .join(",");
  if (encoding !== "") kept["content-encoding"] = encoding;

  const metadata: Record<string, string> = {};
  let metadataBytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith("x-amz-meta-")) continue;
    const short = name.slice("x-amz-meta-".length);
    metadata[short] = value;
    metadataBytes += Buffer.byteLength(short) + Buffer.byteLength(value);
  }
  if (metadataBytes > MAX_METADATA_BYTES) {
    throw new AwsError("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size", 400, {
      Size: String(metadataBytes),
      MaxSizeAllowed: String(MAX_METADATA_BYTES),
    });
  }
  return { headers: kept, metadata, tags: readTaggingHeader(headers["x-amz-tagging"]) };
}

/** What would change the meaning of a write if it were passed over in silence. */
function refuseUnsupported(headers: Headers): void {
  for (const name of Object.keys(headers)) {
    if (name.startsWith("x-amz-server-side-encryption-customer-") || name.startsWith("x-amz-object-lock-")) {
      throw notImplemented(name);
    }
  }
  refuseAcl(headers);
}

/** Buckets own their objects (the default since 2023), so that the only access lists are those that change nothing. */
export function refuseAcl(headers: Headers): void {
  const acl = headers["x-amz-acl"];
  const isHarmless = acl === undefined || acl === "private" || acl === "bucket-owner-full-control";
  const isGrant = Object.keys(headers).some((name) => name.startsWith("x-amz-grant-"));
  if (isHarmless && !isGrant) return;
  throw new AwsError("AccessControlListNotSupported", "The bucket does not allow ACLs", 400);
}

/** `a=1&b=2`, percent-encoded. */
function readTaggingHeader(header: string | undefined): Record<string, string> {
  return checkTags([...new URLSearchParams(header ?? "")], 10);
}

/** Throws InvalidTag, BadRequest. */
export function checkTags(pairs: readonly (readonly [string, string])[], limit: number): Record<string, string> {
  if (pairs.length > limit) {
    const text =
      limit === 10 ? "Object tags cannot be greater than 10" : `Bucket tag count cannot be greater than ${limit}`;
    throw new AwsError("BadRequest", text, 400);
  }
  const tags: Record<string, string> = {};
  for (const [key, value] of pairs) {
    if (Object.hasOwn(tags, key))
      throw new AwsError("InvalidTag", "Cannot provide multiple Tags with the same key", 400, { TagKey: key });
    if (key === "" || key.length > 128 || key.startsWith("aws:")) {
      throw new AwsError("InvalidTag", "The TagKey you have provided is invalid", 400, { TagKey: key });
    }
    if (value.length > 256)
      throw new AwsError("InvalidTag", "The TagValue you have provided is invalid", 400, { TagKey: key });
    tags[key] = value;
  }
  return tags;
}

/** The headers that tell of an object: on GET and HEAD. */
export function objectHeaders(object: ObjectRecord): Record<string, string | number> {
  const headers: Record<string, string | number> = {
    ...object.headers,
    etag: `"${object.etag}"`,
    "last-modified": new Date(object.modifiedAt).toUTCString(),
    "accept-ranges": "bytes",
  };
  for (const [name, value] of Object.entries(object.metadata)) headers[`x-amz-meta-${name}`] = encodeHeader(value);
  const tagCount = Object.keys(object.tags).length;
  if (tagCount > 0) headers["x-amz-tagging-count"] = tagCount;
  return headers;
}

/** The checksum of an object, where a client asks for it or has just given it. */
export function checksumHeaders(object: ObjectRecord): Record<string, string> {
  const { checksum } = object;
  if (checksum === undefined) return {};
  return { [checksumHeader(checksum.algorithm)]: checksum.value, "x-amz-checksum-type": checksum.type };
}

/** HTTP headers are Latin-1 to Node: the UTF-8 bytes go out as they came in. */
function encodeHeader(value: string): string {
  return Buffer.from(value, "utf8").toString("latin1");
}

/** `max-keys` and its kin: a whole number from 0 to `limit`; more is cut. Throws InvalidArgument. */
export function readCount(query: URLSearchParams, name: string, limit: number): number {
  const text = query.get(name);
  if (text === null || text === "") return limit;
  if (!/^-?\d+$/.test(text))
    throw invalidArgument(`Provided ${name} not an integer or within integer range`, name, text);
  if (Number(text) < 0 || Number(text) > 2_147_483_647) {
    throw invalidArgument(`Argument ${name} must be an integer between 0 and 2147483647`, name, text);
  }
  return Math.min(Number(text), limit);
}
