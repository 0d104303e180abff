import { createHash, createHmac } from "node:crypto";

/**
 * The arithmetic of Signature Version 4.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */

export const ALGORITHM = "AWS4-HMAC-SHA256";
export const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

export interface CanonicalParts {
  readonly method: string;
  /** The path in canonical form (`canonicalPath`). */
  readonly path: string;
  /** The raw query string as sent, without `?`. */
  readonly query: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Lower-case, sorted. */
  readonly signedHeaders: readonly string[];
  /** Hex SHA-256 of the payload, or one of the placeholders (`UNSIGNED-PAYLOAD`, `STREAMING-...`). */
  readonly payloadHash: string;
}

/** The canonical request, whose hash is signed. */
export function canonicalRequest(parts: CanonicalParts): string {
  const headers = parts.signedHeaders.map((name) => `${name}:${trimmed(parts.headers[name] ?? "")}\n`).join("");
  return [
    parts.method,
    parts.path,
    canonicalQuery(parts.query),
    headers,
    parts.signedHeaders.join(";"),
    parts.payloadHash,
  ].join("\n");
}

/** What the signature is made over. `scope` is `DATE/REGION/SERVICE/aws4_request`. */
export function stringToSign(timestamp: string, scope: string, canonical: string): string {
  return [ALGORITHM, timestamp, scope, sha256Hex(canonical)].join("\n");
}

/** The key of one day, region and service. */
export function signingKey(secret: string, date: string, region: string, service: string): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), service), "aws4_request");
}

export function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text, "utf8").digest();
}

export function sha256Hex(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

/**
 * S3 signs the path encoded once and as it stands; every other service signs it encoded twice, with dot segments and
 * repeated slashes removed.
 */
export function canonicalPath(rawPath: string, service: string): string {
  if (service === "s3")
    return rawPath
      .split("/")
      .map((segment) => uriEncode(percentDecode(segment)))
      .join("/");
  const segments: string[] = [];
  for (const segment of rawPath.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(segment);
  }
  const slash = segments.length > 0 && /\/(\.\.?)?$/.test(rawPath) ? "/" : "";
  return `/${segments.map((segment) => uriEncode(segment)).join("/")}${slash}`;
}

/** Every parameter but the signature itself, encoded and sorted. A `+` is a space, as everywhere in a query. */
function canonicalQuery(query: string): string {
  if (query === "") return "";
  const pairs: [string, string][] = [];
  for (const part of query.split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = percentDecode((equals < 0 ? part : part.slice(0, equals)).replaceAll("+", " "));
    const value = equals < 0 ? "" : percentDecode(part.slice(equals + 1).replaceAll("+", " "));
    if (name !== "X-Amz-Signature") pairs.push([uriEncode(name), uriEncode(value)]);
  }
  pairs.sort(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB));
  return pairs.map(([name, value]) => `${name}=${value}`).join("&");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** RFC 3986: everything but letters, digits and `-._~` is percent-encoded, byte by byte of its UTF-8. */
export function uriEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Decodes percent-encoded UTF-8; a sequence that is none stays as it is written. */
export function percentDecode(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function trimmed(value: string): string {
  return value.trim().replace(/ {2,}/g, " ");
}
