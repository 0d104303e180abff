import { createHmac } from "node:crypto";
import type { Incoming } from "../request.ts";
import type { Principal } from "../service.ts";
import { percentDecode } from "./canonical.ts";
import type { AuthFailure } from "./failures.ts";
import { checkToken, type KnownKey, sameSignature } from "./verify.ts";

/**
 * Presigned S3 URLs of Signature Version 2, which boto3 and the aws CLI still make by default in the older regions.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
 */

/** Parameters that are part of the signed resource; `response-*` are signed decoded, as are all their values. */
const SIGNED_PARAMETERS = new Set(
  `accelerate acl analytics cors defaultObjectAcl delete inventory lifecycle location logging metrics notification object-lock
   partNumber policy replication requestPayment response-cache-control response-content-disposition response-content-encoding
   response-content-language response-content-type response-expires restore select select-type storageClass tagging torrent
   uploadId uploads versionId versioning versions website`.split(/\s+/),
);

export function isPresignedV2(query: URLSearchParams): boolean {
  return query.has("AWSAccessKeyId") && query.has("Signature") && query.has("Expires");
}

/** Who made a presigned URL. `bucket` is the bucket that the host names, if it names one: it is part of the signed path. */
export function verifyPresignedV2(
  incoming: Incoming,
  bucket: string | undefined,
  lookup: (accessKeyId: string) => KnownKey | undefined,
  nowMs: number,
): { readonly principal: Principal } | AuthFailure {
  const accessKeyId = incoming.query.get("AWSAccessKeyId") ?? "";
  const key = lookup(accessKeyId);
  if (key === undefined) return { kind: "unknown-key", accessKeyId };
  const amazon = amazonHeaders(incoming);
  const tokenFailure = checkToken(amazon.get("x-amz-security-token"), key, nowMs);
  if (tokenFailure !== undefined) return tokenFailure;
  const expires = incoming.query.get("Expires") ?? "";
  const toSign = [
    incoming.method,
    headerOrQuery(incoming, "content-md5"),
    headerOrQuery(incoming, "content-type"),
    expires,
    ...[...amazon].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name}:${value}`),
    signedResource(incoming, bucket),
  ].join("\n");
  const expected = createHmac("sha1", key.secretAccessKey).update(toSign, "utf8").digest("base64");
  const given = incoming.query.get("Signature") ?? "";
  if (!sameSignature(expected, given)) {
    return {
      kind: "wrong-signature",
      details: { AWSAccessKeyId: accessKeyId, StringToSign: toSign, SignatureProvided: given },
    };
  }
  const endMs = Number(expires) * 1000;
  if (!/^\d+$/.test(expires) || nowMs > endMs) {
    const end = Number.isNaN(endMs) ? expires : new Date(endMs).toISOString();
    return { kind: "presign-expired", details: { Expires: end, ServerTime: new Date(nowMs).toISOString() } };
  }
  return { principal: key.principal };
}

/** `x-amz-*` may come as headers or, where a browser could send none, as parameters. */
function amazonHeaders({ headers, query }: Incoming): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of query) if (/^x-amz-/i.test(name)) found.set(name.toLowerCase(), value.trim());
  for (const [name, value] of Object.entries(headers)) if (name.startsWith("x-amz-")) found.set(name, value.trim());
  return found;
}

function headerOrQuery({ headers, query }: Incoming, name: string): string {
  return headers[name] ?? query.get(name) ?? "";
}

function signedResource({ rawPath, rawQuery }: Incoming, bucket: string | undefined): string {
  const path = bucket === undefined ? rawPath : `/${bucket}${rawPath}`;
  const signed = rawQuery
    .split("&")
    .map((part) => {
      const equals = part.indexOf("=");
      const name = equals < 0 ? part : part.slice(0, equals);
      return {
        name,
        text: equals < 0 ? name : `${name}=${percentDecode(part.slice(equals + 1).replaceAll("+", " "))}`,
      };
    })
    .filter(({ name }) => SIGNED_PARAMETERS.has(name))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return signed.length === 0 ? path : `${path}?${signed.map(({ text }) => text).join("&")}`;
}
