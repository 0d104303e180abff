import { createHash } from "node:crypto";
import { decodeAwsChunked } from "../aws-chunked.ts";
import { collect, type Incoming, withBody } from "../request.ts";
import { AwsError, type AwsRequest, type Principal } from "../service.ts";
import { type Authorization, parseAuthorization } from "./authorization.ts";
import { EMPTY_SHA256, sha256Hex } from "./canonical.ts";
import { authError, type Protocol } from "./failures.ts";
import { isPresignedV2, verifyPresignedV2 } from "./presigned-v2.ts";
import { type ChunkSeed, type KnownKey, sameSignature, type Verified, verifySignature } from "./verify.ts";

/** Finds what the account knows of an access key; undefined for an unknown or inactive one. */
export type KeyLookup = (accessKeyId: string) => KnownKey | undefined;

export interface AuthenticateOptions {
  readonly keys: KeyLookup;
  readonly nowMs: number;
  readonly accountId: string;
  /** Protocol of the service that a scope names; undefined when there is no such service. */
  readonly protocolOf: (service: string) => Protocol | undefined;
  /** The bucket that a request's host names (virtual-host style). */
  readonly hostBucket: (host: string) => string | undefined;
  /** The region of a request whose signature names none. */
  readonly region: string;
  /** Protocol for a request that names no service. */
  readonly fallbackProtocol: Protocol;
  /** The services that exist, for the error text. */
  readonly services: readonly string[];
}

/** Largest body of a service whose signature covers the body's hash: it is read before the signature can be checked. */
const MAX_HASHED_BODY_BYTES = 64 * 1024 * 1024;

/**
 * Verifies who sent a request and gives it the body that its service may read. For S3 the body is verified while it is
 * read (hash, chunk signatures); for the others before. Throws AwsError in the words of the service's protocol.
 */
export async function authenticate(incoming: Incoming, options: AuthenticateOptions): Promise<Authenticated> {
  if (isPresignedV2(incoming.query)) return presignedV2(incoming, options);
  const authorization = parseAuthorization(incoming);
  if ("kind" in authorization) throw authError(authorization, options.fallbackProtocol);
  const protocol = options.protocolOf(authorization.service);
  if (protocol === undefined) {
    throw new AwsError(
      "UnknownService",
      `The local AWS has no service '${authorization.service}'; it has ${options.services.join(", ")}.`,
      501,
    );
  }
  const verify = (payloadHash: string) => {
    const key = options.keys(authorization.accessKeyId);
    const verified = verifySignature({ ...incoming, payloadHash }, authorization, key, options.nowMs, protocol);
    if ("kind" in verified) throw authError(verified, protocol);
    return verified;
  };
  if (protocol !== "rest-xml") {
    const body = await collect(incoming.bytes, MAX_HASHED_BODY_BYTES);
    const { principal } = verify(sha256Hex(body));
    return signed(incoming, authorization, principal, options.accountId, { bytes: once(body), trailers: () => ({}) });
  }
  const payloadHash = s3PayloadHash(incoming, authorization);
  const verified = verify(payloadHash);
  const body = s3Body(incoming, payloadHash, verified);
  return signed(incoming, authorization, verified.principal, options.accountId, body);
}

/** A request whose sender is known, before anyone has asked what they may do. */
export type Authenticated = Omit<AwsRequest, "access">;

interface Body {
  readonly bytes: AsyncIterable<Buffer>;
  readonly trailers: () => Readonly<Record<string, string>>;
}

function signed(
  incoming: Incoming,
  { service, region }: Pick<Authorization, "service" | "region">,
  principal: Principal,
  accountId: string,
  body: Body,
): Authenticated {
  return { ...withBody(incoming, body.bytes), service, region, accountId, principal, trailers: body.trailers };
}

function presignedV2(incoming: Incoming, options: AuthenticateOptions): Authenticated {
  options.protocolOf("s3");
  const verified = verifyPresignedV2(incoming, options.hostBucket(incoming.host), options.keys, options.nowMs);
  if ("kind" in verified) throw authError(verified, "rest-xml");
  const scope = { service: "s3", region: options.region };
  const body = { bytes: checkLengthAndHash(incoming, undefined), trailers: () => ({}) };
  return signed(incoming, scope, verified.principal, options.accountId, body);
}

function s3PayloadHash(incoming: Incoming, authorization: Authorization): string {
  const given = incoming.headers["x-amz-content-sha256"] ?? incoming.query.get("X-Amz-Content-Sha256") ?? undefined;
  if (given === undefined) {
    if (authorization.expiresSeconds !== undefined) return "UNSIGNED-PAYLOAD";
    throw new AwsError("InvalidRequest", "Missing required header for this request: x-amz-content-sha256", 400);
  }
  if (/^[0-9a-f]{64}$/i.test(given) || given === "UNSIGNED-PAYLOAD" || Object.hasOwn(STREAMING, given)) return given;
  throw new AwsError(
    "InvalidArgument",
    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, " +
      "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
    400,
    { ArgumentName: "x-amz-content-sha256", ArgumentValue: given },
  );
}

/** The placeholders of streaming bodies: whether every chunk is signed, and whether trailing headers follow. */
const STREAMING: Readonly<Record<string, { readonly isSigned: boolean; readonly hasTrailer: boolean }>> = {
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": { isSigned: true, hasTrailer: false },
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": { isSigned: true, hasTrailer: true },
  "STREAMING-UNSIGNED-PAYLOAD-TRAILER": { isSigned: false, hasTrailer: true },
};

function s3Body(incoming: Incoming, payloadHash: string, verified: Verified): Body {
  const streaming = STREAMING[payloadHash];
  if (streaming !== undefined) return chunkedBody(incoming, streaming, verified.seed);
  const checked = payloadHash === "UNSIGNED-PAYLOAD" ? undefined : payloadHash.toLowerCase();
  return { bytes: checkLengthAndHash(incoming, checked), trailers: () => ({}) };
}

function chunkedBody(
  incoming: Incoming,
  { isSigned, hasTrailer }: { isSigned: boolean; hasTrailer: boolean },
  seed: ChunkSeed,
): Body {
  const decodedLength = Number(incoming.headers["x-amz-decoded-content-length"] ?? "");
  if (!/^\d+$/.test(incoming.headers["x-amz-decoded-content-length"] ?? "") || !Number.isSafeInteger(decodedLength)) {
    throw new AwsError("MissingContentLength", "You must provide the Content-Length HTTP header.", 411);
  }
  let trailers: Readonly<Record<string, string>> = {};
  const bytes = decodeAwsChunked(incoming.bytes, {
    ...(isSigned ? { seed } : {}),
    hasTrailer,
    decodedLength,
    onTrailers: (received) => {
      trailers = received;
    },
  });
  return { bytes, trailers: () => trailers };
}

async function* checkLengthAndHash(
  incoming: Incoming,
  expected: string | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  const hash = expected === undefined ? undefined : createHash("sha256");
  let size = 0;
  for await (const part of incoming.bytes) {
    hash?.update(part);
    size += part.length;
    yield part;
  }
  const computed = size === 0 ? EMPTY_SHA256 : hash?.digest("hex");
  if (expected === undefined || (computed !== undefined && sameSignature(expected, computed))) return;
  throw new AwsError(
    "XAmzContentSHA256Mismatch",
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
    400,
    { ClientComputedContentSHA256: expected, S3ComputedContentSHA256: computed ?? "" },
  );
}

async function* once(body: Buffer): AsyncGenerator<Buffer, void, undefined> {
  if (body.length > 0) yield body;
}
