import { createHash } from "node:crypto";
import { AwsError } from "./service.ts";
import { EMPTY_SHA256, hmac, sha256Hex } from "./sigv4/canonical.ts";
import { type ChunkSeed, sameSignature } from "./sigv4/verify.ts";

export interface AwsChunkedOptions {
  /** Present for STREAMING-AWS4-HMAC-SHA256-PAYLOAD(-TRAILER): every chunk carries a signature that continues the request's. */
  readonly seed?: ChunkSeed;
  /** Whether trailing headers follow the last chunk (`...-TRAILER`). */
  readonly hasTrailer: boolean;
  /** x-amz-decoded-content-length, in bytes. */
  readonly decodedLength: number;
  /** Receives the trailing headers (lower-case names, without the trailer's signature) before the body ends. */
  readonly onTrailers: (trailers: Readonly<Record<string, string>>) => void;
}

const MAX_LINE_BYTES = 16 * 1024;
const WRONG_CHUNK_SIGNATURE =
  "The request signature we calculated does not match the signature you provided. Check your key and signing method.";

/**
 * The content of a body in `aws-chunked` framing. Yields data as it comes; throws SignatureDoesNotMatch after a chunk whose
 * signature is wrong and IncompleteBody where the framing breaks off, so a receiver must not keep anything before the end.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 */
export async function* decodeAwsChunked(
  source: AsyncIterable<Buffer>,
  options: AwsChunkedOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const reader = new FrameReader(source);
  let previous = options.seed?.signature ?? "";
  let total = 0;
  for (;;) {
    const { size, signature } = parseChunkHeader(await reader.line());
    total += size;
    if (total > options.decodedLength) throw incomplete();
    const hash = options.seed === undefined ? undefined : createHash("sha256");
    for await (const data of reader.bytes(size)) {
      hash?.update(data);
      yield data;
    }
    if (options.seed !== undefined && hash !== undefined) {
      previous = checkSignature(options.seed, "PAYLOAD", [previous, EMPTY_SHA256, hash.digest("hex")], signature);
    }
    if (size === 0) break;
    if ((await reader.line()) !== "") throw incomplete();
  }
  if (total !== options.decodedLength) throw incomplete();
  await readTrailers(reader, options, previous);
}

async function readTrailers(reader: FrameReader, options: AwsChunkedOptions, previous: string): Promise<void> {
  const trailers: Record<string, string> = {};
  let signed = "";
  let signature: string | undefined;
  for (let line = await reader.lineOrEnd(); line !== undefined && line !== ""; line = await reader.lineOrEnd()) {
    const colon = line.indexOf(":");
    if (colon <= 0) throw incomplete();
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === "x-amz-trailer-signature") signature = value;
    else {
      trailers[name] = value;
      signed += `${name}:${value}\n`;
    }
  }
  if (!options.hasTrailer && Object.keys(trailers).length > 0) throw malformedTrailer();
  if (options.hasTrailer && options.seed !== undefined) {
    checkSignature(options.seed, "TRAILER", [previous, sha256Hex(signed)], signature);
  }
  options.onTrailers(trailers);
}

function checkSignature(
  seed: ChunkSeed,
  kind: "PAYLOAD" | "TRAILER",
  lines: readonly string[],
  given: string | undefined,
): string {
  const toSign = [`AWS4-HMAC-SHA256-${kind}`, seed.timestamp, seed.scope, ...lines].join("\n");
  const expected = hmac(seed.key, toSign).toString("hex");
  if (given === undefined || !sameSignature(expected, given)) {
    throw new AwsError("SignatureDoesNotMatch", WRONG_CHUNK_SIGNATURE, 403);
  }
  return expected;
}

function parseChunkHeader(line: string): { size: number; signature: string | undefined } {
  const match = /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line.trim());
  if (match === null) throw incomplete();
  return { size: Number.parseInt(match[1]!, 16), signature: match[2] };
}

function incomplete(): AwsError {
  return new AwsError(
    "IncompleteBody",
    "You did not provide the number of bytes specified by the Content-Length HTTP header.",
    400,
  );
}

function malformedTrailer(): AwsError {
  return new AwsError(
    "MalformedTrailerError",
    "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    400,
  );
}

/** Reads lines and runs of bytes from a stream of buffers without gathering the whole. */
class FrameReader {
  readonly #source: AsyncIterator<Buffer>;
  #pending: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next line without its end (CRLF, or LF alone as some signers write trailers). */
  async line(): Promise<string> {
    const line = await this.lineOrEnd();
    if (line === undefined) throw incomplete();
    return line;
  }

  /** The next line, or undefined when the source has ended. */
  async lineOrEnd(): Promise<string | undefined> {
    for (;;) {
      const end = this.#pending.indexOf(10);
      if (end >= 0) {
        const line = this.#pending.toString("latin1", 0, end > 0 && this.#pending[end - 1] === 13 ? end - 1 : end);
        this.#pending = this.#pending.subarray(end + 1);
        return line;
      }
      if (this.#pending.length > MAX_LINE_BYTES) throw incomplete();
      const next = await this.#source.next();
      if (next.done === true) {
        if (this.#pending.length === 0) return undefined;
        throw incomplete();
      }
      this.#pending = this.#pending.length === 0 ? next.value : Buffer.concat([this.#pending, next.value]);
    }
  }

  async *bytes(size: number): AsyncGenerator<Buffer, void, undefined> {
    let missing = size;
    while (missing > 0) {
      if (this.#pending.length === 0) {
        const next = await this.#source.next();
        if (next.done === true) throw incomplete();
        this.#pending = next.value;
        continue;
      }
      const part = this.#pending.subarray(0, missing);
      this.#pending = this.#pending.subarray(part.length);
      missing -= part.length;
      yield part;
    }
  }
}
