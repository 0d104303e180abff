import { timingSafeEqual } from "node:crypto";
import type { Principal } from "../service.ts";
import type { Authorization } from "./authorization.ts";
import { canonicalPath, canonicalRequest, hmac, sha256Hex, signingKey, stringToSign } from "./canonical.ts";
import { type AuthFailure, type Protocol, SKEW_MINUTES, timestampMs, timestampOf } from "./failures.ts";

/** What is known of an access key. */
export interface KnownKey {
  readonly secretAccessKey: string;
  /** Present for temporary credentials: the token that must come with every request. */
  readonly sessionToken?: string;
  readonly principal: Principal;
}

export interface SignedRequest {
  readonly method: string;
  readonly rawPath: string;
  readonly rawQuery: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Hex SHA-256 of the body, or the placeholder that stands for it. */
  readonly payloadHash: string;
}

export interface Verified {
  readonly principal: Principal;
  /** Starts the chain of chunk signatures of a streaming body. */
  readonly seed: ChunkSeed;
}

/** What the signatures of a streaming body's chunks are made with. */
export interface ChunkSeed {
  readonly key: Buffer;
  readonly timestamp: string;
  readonly scope: string;
  readonly signature: string;
}

/**
 * Verifies one request's signature. `key` is what the account knows of the access key that the request names.
 * Order of the checks as on AWS: the key, its token, the clocks, the signature.
 */
export function verifySignature(
  request: SignedRequest,
  authorization: Authorization,
  key: KnownKey | undefined,
  nowMs: number,
  protocol: Protocol,
): Verified | AuthFailure {
  if (key === undefined) return { kind: "unknown-key", accessKeyId: authorization.accessKeyId };
  const tokenFailure = checkToken(authorization.sessionToken, key, nowMs);
  if (tokenFailure !== undefined) return tokenFailure;
  const timeFailure = checkTime(authorization, nowMs, protocol);
  if (timeFailure !== undefined) return timeFailure;
  const unsigned = Object.keys(request.headers).filter(
    (name) => (name === "host" || name.startsWith("x-amz-")) && !authorization.signedHeaders.includes(name),
  );
  if (unsigned.length > 0) return { kind: "unsigned-headers", headers: unsigned };

  const { date, region, service, scope, timestamp, signature } = authorization;
  const dayKey = signingKey(key.secretAccessKey, date, region, service);
  const canonical = canonicalRequest({
    method: request.method,
    path: canonicalPath(request.rawPath, service),
    query: request.rawQuery,
    headers: request.headers,
    signedHeaders: authorization.signedHeaders,
    payloadHash: request.payloadHash,
  });
  const toSign = stringToSign(timestamp, scope, canonical);
  if (!sameSignature(hmac(dayKey, toSign).toString("hex"), signature)) {
    return {
      kind: "wrong-signature",
      details: {
        AWSAccessKeyId: authorization.accessKeyId,
        StringToSign: toSign,
        SignatureProvided: signature,
        StringToSignBytes: spacedHex(toSign),
        CanonicalRequest: canonical,
        CanonicalRequestBytes: spacedHex(canonical),
      },
    };
  }
  return { principal: key.principal, seed: { key: dayKey, timestamp, scope, signature } };
}

/** Temporary credentials come with their token, others with none. */
export function checkToken(token: string | undefined, key: KnownKey, nowMs: number): AuthFailure | undefined {
  if (key.sessionToken === undefined) return token === undefined ? undefined : { kind: "invalid-token" };
  if (token === undefined) return { kind: "unknown-key", accessKeyId: key.principal.accessKeyId };
  if (!sameSignature(sha256Hex(key.sessionToken), sha256Hex(token))) return { kind: "invalid-token" };
  if (key.principal.expiresAt !== undefined && key.principal.expiresAt <= nowMs) return { kind: "expired-token" };
  return undefined;
}

function checkTime(authorization: Authorization, nowMs: number, protocol: Protocol): AuthFailure | undefined {
  const sentMs = timestampMs(authorization.timestamp);
  if (Number.isNaN(sentMs)) {
    return { kind: "incomplete", text: `Date must be in ISO-8601 'basic format'. Got '${authorization.timestamp}'.` };
  }
  const skew = SKEW_MINUTES[protocol] * 60_000;
  const early = sentMs - nowMs > skew;
  if (authorization.expiresSeconds !== undefined && !early) {
    const endMs = sentMs + authorization.expiresSeconds * 1000;
    if (nowMs <= endMs) return undefined;
    return {
      kind: "presign-expired",
      details: {
        "X-Amz-Expires": String(authorization.expiresSeconds),
        Expires: new Date(endMs).toISOString(),
        ServerTime: new Date(nowMs).toISOString(),
      },
    };
  }
  if (!early && nowMs - sentMs <= skew) return undefined;
  return { kind: "skewed", sent: authorization.timestamp, now: timestampOf(nowMs), early };
}

/** Compares two signatures in constant time. */
export function sameSignature(expected: string, given: string): boolean {
  const a = Buffer.from(expected, "utf8");
  const b = Buffer.from(given, "utf8");
  return a.length === b.length && timingSafeEqual(a, b);
}

function spacedHex(text: string): string {
  return Buffer.from(text, "utf8").toString("hex").replace(/../g, "$& ").trimEnd();
}
