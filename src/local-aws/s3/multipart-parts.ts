import { createHash } from "node:crypto";
import { AwsError } from "../service.ts";
import type { ExpectedChecksum } from "./checksums.ts";
import { invalidArgument, invalidRequest, malformedXml } from "./errors.ts";
import type { ObjectRecord } from "./object-rows.ts";

export interface Part {
  readonly number: number;
  readonly file: string;
  readonly size: number;
  /** Hex MD5. */
  readonly etag: string;
  /** Base64, by the upload's algorithm. */
  readonly checksum: string;
  readonly modifiedAt: number;
}

/** A part as the client names it when it completes an upload. */
export interface NamedPart {
  readonly number: number;
  readonly etag: string;
  readonly checksum: string | undefined;
}

const MAX_PART_NUMBER = 10_000;
/** Every part but the last has at least 5 MiB. https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const MIN_PART_BYTES = 5 * 1024 * 1024;

/** The parts that a completion names. Throws what S3 says of an order, a part or a size that is wrong. */
export function chooseParts(named: readonly NamedPart[], stored: readonly Part[]): Part[] {
  if (named.length === 0) throw malformedXml();
  const byNumber = new Map(stored.map((part) => [part.number, part]));
  const chosen = named.map((name, index) => {
    if (index > 0 && name.number <= named[index - 1]!.number) {
      throw new AwsError(
        "InvalidPartOrder",
        "The list of parts was not in ascending order. The parts list must be specified in order by part number.",
        400,
      );
    }
    const part = byNumber.get(name.number);
    if (
      part === undefined ||
      part.etag !== name.etag ||
      (name.checksum !== undefined && name.checksum !== part.checksum)
    ) {
      throw new AwsError(
        "InvalidPart",
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
        400,
        { PartNumber: String(name.number), ETag: name.etag },
      );
    }
    return part;
  });
  const small = chosen.slice(0, -1).find(({ size }) => size < MIN_PART_BYTES);
  if (small === undefined) return chosen;
  throw new AwsError("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", 400, {
    ProposedSize: String(small.size),
    MinSizeAllowed: String(MIN_PART_BYTES),
    PartNumber: String(small.number),
    ETag: small.etag,
  });
}

/** Compares the whole with what the client says of it. A composite checksum may come without its `-PARTS`. */
export function checkWhole(
  record: ObjectRecord,
  promised: { readonly checksum: ExpectedChecksum | undefined; readonly size: string | undefined },
): void {
  if (promised.size !== undefined && Number(promised.size) !== record.size) {
    throw invalidRequest("The provided 'x-amz-mp-object-size' header does not match what was computed.");
  }
  const { checksum } = promised;
  if (checksum?.value === undefined || checksum.algorithm !== record.checksum?.algorithm) return;
  if (record.checksum.value.replace(/-\d+$/, "") === checksum.value) return;
  throw new AwsError(
    "BadDigest",
    `The ${checksum.algorithm} you specified did not match the calculated checksum.`,
    400,
  );
}

/** S3's entity tag of an object in parts: the MD5 of the parts' MD5s and their number. */
export function multipartEtag(parts: readonly Part[]): string {
  const hash = createHash("md5");
  for (const { etag } of parts) hash.update(Buffer.from(etag, "hex"));
  return `${hash.digest("hex")}-${parts.length}`;
}

/** Throws InvalidArgument unless it is a whole number from 1 to 10,000. */
export function parsePartNumber(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= 1 && number <= MAX_PART_NUMBER) return number;
  throw invalidArgument("Part number must be an integer between 1 and 10000, inclusive", "partNumber", text);
}
