import { deniedText } from "../iam/authorize.ts";
import { AwsError, type AwsRequest, type AwsResponse } from "../service.ts";
import { checksumHeaders, objectHeaders, readAttributes } from "./attributes.ts";
import { readTagging, tagSet } from "./bucket-operations.ts";
import { checksumElement, expectedChecksum } from "./checksums.ts";
import { isNotModified, writeCondition } from "./conditions.ts";
import { malformedXml } from "./errors.ts";
import { isoSeconds, type S3, type S3Handler, xmlAnswer } from "./handler.ts";
import { parsePartNumber } from "./multipart-parts.ts";
import type { ObjectRecord } from "./object-rows.ts";
import { arnOf } from "./permissions.ts";
import { type ByteRange, parseRange } from "./ranges.ts";
import { readXml } from "./request-xml.ts";

export const putObject: S3Handler = async ({ objects }, request, bucket, key) => {
  requireLength(request);
  const expected = expectedChecksum(request.headers);
  const object = await objects.putObject(bucket, key, request.body, {
    ...readAttributes(request.headers),
    condition: writeCondition(request.headers),
    expected,
    md5: request.headers["content-md5"],
    trailers: request.trailers,
  });
  return {
    status: 200,
    headers: { etag: `"${object.etag}"`, ...checksumHeaders(object), ...encryptionHeaders(object) },
  };
};

/** A body whose length nobody has told could not be refused before it has filled the disk. Throws MissingContentLength. */
export function requireLength({ headers }: AwsRequest): void {
  if (headers["content-length"] !== undefined || headers["x-amz-decoded-content-length"] !== undefined) return;
  throw new AwsError("MissingContentLength", "You must provide the Content-Length HTTP header.", 411);
}

export function encryptionHeaders({ headers }: Pick<ObjectRecord, "headers">): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.startsWith("x-amz-server-side-encryption")),
  );
}

export const getObject: S3Handler = (s3, request, bucket, key) => {
  const found = locate(s3, request, bucket, key);
  if (found.response !== undefined) return found.response;
  const { object, range, status, headers } = found;
  return { status, headers, body: s3.objects.content.read(object.content, range.start, range.end) };
};

export const headObject: S3Handler = (s3, request, bucket, key) => {
  const found = locate(s3, request, bucket, key);
  return found.response ?? { status: found.status, headers: found.headers };
};

type Located =
  | { readonly response: AwsResponse }
  | {
      readonly response?: undefined;
      readonly object: ObjectRecord;
      readonly range: ByteRange;
      readonly status: 200 | 206;
      readonly headers: Record<string, string | number>;
    };

/** What a GET or HEAD is answered with, but for the bytes. */
function locate({ objects }: S3, request: AwsRequest, bucket: string, key: string): Located {
  objects.buckets.get(bucket);
  const object = objects.rows.get(bucket, key);
  if (isNotModified(object, request.headers)) {
    return {
      response: {
        status: 304,
        headers: { etag: `"${object.etag}"`, "last-modified": new Date(object.modifiedAt).toUTCString() },
      },
    };
  }
  const partNumber = request.query.get("partNumber");
  const part = partNumber === null ? undefined : partRange(object, parsePartNumber(partNumber));
  const asked = part ?? parseRange(request.headers.range, object.size);
  const range = asked ?? { start: 0, end: object.size - 1 };
  const headers = {
    ...objectHeaders(object),
    ...overrides(request.query),
    "content-length": range.end - range.start + 1,
  };
  const isWhole = range.start === 0 && range.end === object.size - 1;
  if (request.headers["x-amz-checksum-mode"]?.toUpperCase() === "ENABLED" && isWhole)
    Object.assign(headers, checksumHeaders(object));
  if (object.content.length > 1 && partNumber !== null)
    Object.assign(headers, { "x-amz-mp-parts-count": object.content.length });
  if (asked === undefined || object.size === 0) return { object, range, status: 200, headers };
  Object.assign(headers, { "content-range": `bytes ${range.start}-${range.end}/${object.size}` });
  return { object, range, status: 206, headers };
}

function partRange(object: ObjectRecord, number: number): ByteRange {
  const part = object.content[number - 1];
  if (part === undefined) {
    throw new AwsError("InvalidPartNumber", "The requested partnumber is not satisfiable", 416, {
      ActualPartCount: String(object.content.length),
      PartNumberRequested: String(number),
    });
  }
  const start = object.content.slice(0, number - 1).reduce((sum, { size }) => sum + size, 0);
  return { start, end: start + part.size - 1 };
}

/** `response-content-type=...`: a signed URL may say what headers its answer has. */
function overrides(query: URLSearchParams): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
  ]) {
    const value = query.get(`response-${name}`);
    if (value !== null) headers[name] = value;
  }
  return headers;
}

export const deleteObject: S3Handler = async ({ objects }, _request, bucket, key) => {
  await objects.deleteObject(bucket, key);
  return { status: 204 };
};

const MAX_BATCH = 1000;

export const deleteObjects: S3Handler = async ({ objects }, request, bucket) => {
  const document = await readXml(request, "Delete");
  const named = document.all("Object").map((item) => item.textOf("Key"));
  const keys = named.filter((key) => key !== undefined && key !== "") as string[];
  if (keys.length === 0 || keys.length !== named.length || keys.length > MAX_BATCH) throw malformedXml();
  const denied = new Map<string, string>();
  for (const key of keys) {
    const permission = { action: "s3:DeleteObject", resource: arnOf(bucket, key) };
    const verdict = request.access(permission);
    if (!verdict.allowed) denied.set(key, deniedText(request.principal, permission, verdict.reason));
  }
  const deleted = keys.filter((key) => !denied.has(key));
  await objects.deleteObjects(bucket, deleted);
  const isQuiet = document.textOf("Quiet")?.trim() === "true";
  return xmlAnswer("DeleteResult", {
    Deleted: isQuiet ? [] : deleted.map((Key) => ({ Key })),
    Error: [...denied].map(([Key, Message]) => ({ Key, Code: "AccessDenied", Message })),
  });
};

export const getObjectAttributes: S3Handler = ({ objects }, request, bucket, key) => {
  objects.buckets.get(bucket);
  const object = objects.rows.get(bucket, key);
  const wanted = new Set((request.headers["x-amz-object-attributes"] ?? "").split(",").map((name) => name.trim()));
  const { checksum } = object;
  const isMultipart = object.etag.includes("-");
  return xmlAnswer(
    "GetObjectAttributesResponse",
    {
      ...(wanted.has("ETag") ? { ETag: object.etag } : {}),
      ...(wanted.has("Checksum") && checksum !== undefined
        ? { Checksum: { [checksumElement(checksum.algorithm)]: checksum.value, ChecksumType: checksum.type } }
        : {}),
      ...(wanted.has("ObjectParts") && isMultipart ? { ObjectParts: { PartsCount: object.content.length } } : {}),
      ...(wanted.has("StorageClass") ? { StorageClass: object.headers["x-amz-storage-class"] ?? "STANDARD" } : {}),
      ...(wanted.has("ObjectSize") ? { ObjectSize: object.size } : {}),
    },
    { "last-modified": new Date(object.modifiedAt).toUTCString() },
  );
};

export const getObjectTagging: S3Handler = ({ objects }, _request, bucket, key) => {
  objects.buckets.get(bucket);
  return xmlAnswer("Tagging", tagSet(objects.rows.get(bucket, key).tags));
};

export const putObjectTagging: S3Handler = async ({ objects }, request, bucket, key) => {
  const tags = readTagging(await readXml(request, "Tagging"), 10);
  objects.buckets.get(bucket);
  objects.rows.get(bucket, key);
  objects.rows.setTags(bucket, key, tags);
  return { status: 200 };
};

export const deleteObjectTagging: S3Handler = ({ objects }, _request, bucket, key) => {
  objects.buckets.get(bucket);
  objects.rows.get(bucket, key);
  objects.rows.setTags(bucket, key, {});
  return { status: 204 };
};

/** The element of a copy's answer, for an object or a part. */
export function copyResult(etag: string, modifiedAt: number) {
  return { ETag: `"${etag}"`, LastModified: isoSeconds(modifiedAt) };
}
