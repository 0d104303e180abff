import { createHash } from "node:crypto";
import { AwsError } from "../service.ts";
import { type CrcName, combineCrcs, createCrc } from "./crc.ts";
import { invalidRequest } from "./errors.ts";

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html */
export const ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** A checksum kept with an object. COMPOSITE: the checksum of the parts' checksums, followed by `-PARTS`. */
export interface Checksum {
  readonly algorithm: Algorithm;
  /** Base64. */
  readonly value: string;
  readonly type: "FULL_OBJECT" | "COMPOSITE";
}

/** What S3 computes when the client names no algorithm. */
export const DEFAULT_ALGORITHM: Algorithm = "CRC64NVME";

export interface RunningChecksum {
  update(data: Uint8Array): void;
  digest(): Buffer;
}

export function createChecksum(algorithm: Algorithm): RunningChecksum {
  if (algorithm !== "SHA1" && algorithm !== "SHA256") return createCrc(algorithm);
  const hash = createHash(algorithm.toLowerCase());
  return { update: (data) => void hash.update(data), digest: () => hash.digest() };
}

export function isAlgorithm(text: string): text is Algorithm {
  return (ALGORITHMS as readonly string[]).includes(text);
}

export function isCrc(algorithm: Algorithm): algorithm is CrcName {
  return algorithm !== "SHA1" && algorithm !== "SHA256";
}

/** `x-amz-checksum-crc32`. */
export function checksumHeader(algorithm: Algorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`;
}

/** `ChecksumCRC32`, the element's name in XML. */
export function checksumElement(algorithm: Algorithm): string {
  return `Checksum${algorithm}`;
}

/** What a request says about its body's checksum. */
export interface ExpectedChecksum {
  readonly algorithm: Algorithm;
  /** Base64; undefined when it comes in a trailing header, or the client leaves the computing to S3. */
  readonly value: string | undefined;
  /** Whether the value is promised by x-amz-trailer. */
  readonly isTrailing: boolean;
}

/** Reads the checksum that a request promises; undefined when it promises none. Throws InvalidRequest. */
export function expectedChecksum(headers: Readonly<Record<string, string>>): ExpectedChecksum | undefined {
  const given = ALGORITHMS.filter((algorithm) => headers[checksumHeader(algorithm)] !== undefined);
  if (given.length > 1)
    throw invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
  const [algorithm] = given;
  if (algorithm !== undefined) {
    const value = headers[checksumHeader(algorithm)]!;
    checkValue(algorithm, value);
    return { algorithm, value, isTrailing: false };
  }
  const trailer = headers["x-amz-trailer"]?.trim().toLowerCase();
  const trailing = ALGORITHMS.find((candidate) => checksumHeader(candidate) === trailer);
  if (trailing !== undefined) return { algorithm: trailing, value: undefined, isTrailing: true };
  if (trailer !== undefined) throw invalidRequest("The value specified in the x-amz-trailer header is not supported");
  const named = (headers["x-amz-sdk-checksum-algorithm"] ?? headers["x-amz-checksum-algorithm"])?.toUpperCase();
  if (named === undefined) return undefined;
  if (!isAlgorithm(named))
    throw invalidRequest(
      "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
    );
  return { algorithm: named, value: undefined, isTrailing: false };
}

/** Compares what was computed with what the client said in the header or, now that the body has been read, the trailer. Throws BadDigest. */
export function verifyChecksum(
  expected: ExpectedChecksum,
  computed: Buffer,
  trailers: Readonly<Record<string, string>>,
): void {
  const value = expected.isTrailing ? trailers[checksumHeader(expected.algorithm)] : expected.value;
  if (value === undefined) {
    if (expected.isTrailing) throw malformedTrailer();
    return;
  }
  checkValue(expected.algorithm, value);
  if (computed.toString("base64") === value) return;
  throw new AwsError(
    "BadDigest",
    `The ${expected.algorithm} you specified did not match the calculated checksum.`,
    400,
  );
}

const DIGEST_BYTES: Readonly<Record<Algorithm, number>> = { CRC32: 4, CRC32C: 4, CRC64NVME: 8, SHA1: 20, SHA256: 32 };

function checkValue(algorithm: Algorithm, value: string): void {
  const bytes = Buffer.from(value, "base64");
  if (bytes.length !== DIGEST_BYTES[algorithm] || bytes.toString("base64") !== value) {
    throw invalidRequest(`Value for ${checksumHeader(algorithm)} header is invalid.`);
  }
}

function malformedTrailer(): AwsError {
  return new AwsError(
    "MalformedTrailerError",
    "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    400,
  );
}

/** The checksum of a whole made of parts. `parts` are in order, sizes in bytes, values base64. */
export function combineChecksums(
  algorithm: Algorithm,
  type: Checksum["type"],
  parts: readonly { readonly size: number; readonly checksum: string }[],
): Checksum {
  const values = parts.map(({ checksum }) => Buffer.from(checksum, "base64"));
  if (type === "COMPOSITE") {
    const whole = createChecksum(algorithm);
    for (const value of values) whole.update(value);
    return { algorithm, type, value: `${whole.digest().toString("base64")}-${parts.length}` };
  }
  if (!isCrc(algorithm))
    throw invalidRequest(
      `The FULL_OBJECT checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
    );
  const whole = values.reduce<Buffer>(
    (before, value, index) => (index === 0 ? value : combineCrcs(algorithm, before, value, parts[index]!.size)),
    Buffer.alloc(0),
  );
  return { algorithm, type, value: whole.toString("base64") };
}
