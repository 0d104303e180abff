import type { ContextKeys } from "../../core/iam/context.ts";
import { deniedText, type Permission } from "../iam/authorize.ts";
import { resourceTags } from "../iam/tag-keys.ts";
import { AwsError, type AwsRequest } from "../service.ts";
import { percentDecode } from "../sigv4/canonical.ts";
import type { S3 } from "./handler.ts";

/** Refuses (403, AccessDenied) what the sender may not do. */
export function demand(request: AwsRequest, permission: Permission): void {
  const verdict = request.access(permission);
  if (!verdict.allowed)
    throw new AwsError("AccessDenied", deniedText(request.principal, permission, verdict.reason), 403);
}

/** What a request needs: its operation on its bucket or object, and what its headers want beside it (a copy's source, tags). */
export function permissionsOf(
  s3: S3,
  request: AwsRequest,
  action: string,
  bucket: string | undefined,
  key: string | undefined,
): Permission[] {
  const { headers } = request;
  const resource = arnOf(bucket, key);
  const needed: Permission[] = [
    { action, resource, context: { ...requestContext(request), ...existingTags(s3, bucket, key) } },
  ];
  const source = headers["x-amz-copy-source"];
  if (action === "s3:PutObject" && source !== undefined) {
    const path = source.split("?")[0]!.split("/").map(percentDecode).join("/").replace(/^\//, "");
    const [sourceBucket = "", ...rest] = path.split("/");
    const context = existingTags(s3, sourceBucket, rest.join("/"));
    needed.unshift({ action: "s3:GetObject", resource: arnOf(sourceBucket, rest.join("/")), context });
  }
  if (action === "s3:PutObject" && headers["x-amz-tagging"] !== undefined) {
    needed.push({ action: "s3:PutObjectTagging", resource, context: requestContext(request) });
  }
  return needed;
}

/**
 * What S3 answers where an object is not there: who may not list the bucket is not told so.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
 */
export function hideAbsence(error: unknown, request: AwsRequest, bucket: string | undefined): unknown {
  const isAbsent = error instanceof AwsError && error.code === "NoSuchKey";
  const reads = request.method === "GET" || request.method === "HEAD";
  if (!isAbsent || !reads || bucket === undefined) return error;
  const permission = { action: "s3:ListBucket", resource: arnOf(bucket, undefined) };
  const verdict = request.access(permission);
  if (verdict.allowed) return error;
  return new AwsError("AccessDenied", deniedText(request.principal, permission, verdict.reason), 403);
}

export function arnOf(bucket: string | undefined, key: string | undefined): string {
  if (bucket === undefined) return "*";
  return key === undefined ? `arn:aws:s3:::${bucket}` : `arn:aws:s3:::${bucket}/${key}`;
}

/** Headers that are condition keys by the same name. */
const HEADER_KEYS = [
  "x-amz-acl",
  "x-amz-content-sha256",
  "x-amz-copy-source",
  "x-amz-metadata-directive",
  "x-amz-server-side-encryption",
  "x-amz-server-side-encryption-aws-kms-key-id",
  "x-amz-storage-class",
];

/** Parameters that are condition keys by the same name. */
const QUERY_KEYS = ["prefix", "delimiter", "max-keys"];

/** https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html */
function requestContext({ headers, query }: AwsRequest): ContextKeys {
  const keys: Record<string, string | string[]> = {
    "s3:authType": query.has("X-Amz-Signature") || query.has("Signature") ? "REST-QUERY-STRING" : "REST-HEADER",
    "s3:signatureversion": query.has("Signature") ? "AWS" : "AWS4-HMAC-SHA256",
    "s3:TlsVersion": "1.3",
  };
  for (const name of HEADER_KEYS) if (headers[name] !== undefined) keys[`s3:${name}`] = headers[name];
  for (const name of QUERY_KEYS) if (query.has(name)) keys[`s3:${name}`] = query.get(name)!;
  const tags = [...new URLSearchParams(headers["x-amz-tagging"] ?? "")];
  if (tags.length > 0) {
    keys["s3:RequestObjectTagKeys"] = tags.map(([name]) => name);
    for (const [name, value] of tags) keys[`s3:RequestObjectTag/${name}`] = value;
  }
  return keys;
}

function existingTags({ objects }: S3, bucket: string | undefined, key: string | undefined): ContextKeys {
  if (bucket === undefined) return {};
  if (key === undefined || key === "") return resourceTags(objects.buckets.find(bucket)?.tags ?? {});
  const tags = objects.rows.find(bucket, key)?.tags ?? {};
  return Object.fromEntries(Object.entries(tags).map(([name, value]) => [`s3:ExistingObjectTag/${name}`, value]));
}
