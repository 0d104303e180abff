import type { AwsRequest } from "../service.ts";
import { percentDecode } from "../sigv4/canonical.ts";
import { readAttributes } from "./attributes.ts";
import { checksumElement, isAlgorithm } from "./checksums.ts";
import { checkCopySource, writeCondition } from "./conditions.ts";
import { invalidArgument, invalidRequest } from "./errors.ts";
import { type S3, type S3Handler, xmlAnswer } from "./handler.ts";
import { parsePartNumber } from "./multipart-parts.ts";
import { copyResult, encryptionHeaders } from "./object-operations.ts";
import type { ObjectRecord } from "./object-rows.ts";
import { checkKey } from "./object-store.ts";
import { parseRange } from "./ranges.ts";

export const copyObject: S3Handler = async (s3, request, bucket, key) => {
  const { objects } = s3;
  const { headers } = request;
  const source = copySource(s3, request);
  checkKey(key);
  const given = readAttributes(headers);
  const replacesMetadata = directive(headers["x-amz-metadata-directive"], "x-amz-metadata-directive");
  const replacesTags = directive(headers["x-amz-tagging-directive"], "x-amz-tagging-directive");
  const changesClass =
    headers["x-amz-storage-class"] !== undefined || headers["x-amz-server-side-encryption"] !== undefined;
  if (source.bucket === bucket && source.key === key && !replacesMetadata && !changesClass) {
    throw invalidRequest(
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    );
  }
  const condition = writeCondition(headers);
  const wanted = headers["x-amz-checksum-algorithm"]?.toUpperCase() ?? source.checksum?.algorithm ?? "CRC64NVME";
  if (!isAlgorithm(wanted))
    throw invalidRequest(
      "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
    );
  const encryption = encryptionHeaders(given);
  const attributes = {
    headers: replacesMetadata ? given.headers : { ...source.headers, ...encryption, ...classOf(given) },
    metadata: replacesMetadata ? given.metadata : source.metadata,
    tags: replacesTags ? given.tags : source.tags,
  };
  const isSameBytes = source.content.length === 1 && !source.etag.includes("-");
  let copy: ObjectRecord;
  if (isSameBytes && source.checksum?.algorithm === wanted && source.checksum.type === "FULL_OBJECT") {
    const piece = await objects.content.share(source.content[0]!);
    copy = await objects.placeObject({ ...source, ...attributes, bucket, key, content: [piece] }, condition);
  } else {
    const body = objects.content.read(source.content, 0, source.size - 1);
    copy = await objects.putObject(bucket, key, body, {
      ...attributes,
      condition,
      expected: { algorithm: wanted, value: undefined, isTrailing: false },
    });
  }
  const { checksum } = copy;
  return xmlAnswer(
    "CopyObjectResult",
    {
      ...copyResult(copy.etag, copy.modifiedAt),
      ...(checksum === undefined
        ? {}
        : { [checksumElement(checksum.algorithm)]: checksum.value, ChecksumType: checksum.type }),
    },
    encryption,
  );
};

export const uploadPartCopy: S3Handler = async (s3, request, bucket, key) => {
  const number = parsePartNumber(request.query.get("partNumber") ?? "");
  const upload = s3.multipart.open(bucket, key, request.query.get("uploadId") ?? "");
  const source = copySource(s3, request);
  const header = request.headers["x-amz-copy-source-range"];
  const range = parseRange(header, source.size);
  if (
    header !== undefined &&
    (range === undefined || !/^bytes=\d+-\d+$/.test(header) || range.end < Number(header.split("-")[1]))
  ) {
    throw invalidArgument(
      `Range specified is not valid for source object of size: ${source.size}`,
      "x-amz-copy-source-range",
      header,
    );
  }
  const body = s3.objects.content.read(source.content, range?.start ?? 0, range?.end ?? source.size - 1);
  const written = await s3.objects.writeContent(body, {
    expected: { algorithm: upload.algorithm, value: undefined, isTrailing: false },
  });
  const part = await s3.multipart.putPart(upload, number, written);
  return xmlAnswer("CopyPartResult", {
    ...copyResult(part.etag, part.modifiedAt),
    ...(upload.namesAlgorithm ? { [checksumElement(upload.algorithm)]: part.checksum } : {}),
  });
};

/** The object that x-amz-copy-source names: `BUCKET/KEY`, percent-encoded, perhaps with a slash before it. */
function copySource({ objects }: S3, { headers }: AwsRequest): ObjectRecord {
  const header = headers["x-amz-copy-source"] ?? "";
  const [path = "", version] = header.split("?versionId=");
  if (version !== undefined && version !== "null") {
    throw invalidArgument("Invalid version id specified", "x-amz-copy-source", header);
  }
  const decoded = path.split("/").map(percentDecode).join("/").replace(/^\//, "");
  const slash = decoded.indexOf("/");
  if (slash <= 0 || slash === decoded.length - 1) {
    throw invalidArgument(
      "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
      "x-amz-copy-source",
      header,
    );
  }
  objects.buckets.get(decoded.slice(0, slash));
  const source = objects.rows.get(decoded.slice(0, slash), decoded.slice(slash + 1));
  checkCopySource(source, headers);
  return source;
}

function directive(value: string | undefined, name: string): boolean {
  if (value === undefined || value === "COPY") return false;
  if (value === "REPLACE") return true;
  throw invalidArgument(
    name.includes("tagging") ? "Unknown tagging directive." : "Unknown metadata directive.",
    name,
    value,
  );
}

function classOf({ headers }: { readonly headers: Readonly<Record<string, string>> }): Record<string, string> {
  const name = headers["x-amz-storage-class"];
  return name === undefined ? {} : { "x-amz-storage-class": name };
}
