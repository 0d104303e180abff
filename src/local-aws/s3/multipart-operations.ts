import type { XmlObject } from "../xml.ts";
import { readAttributes, readCount } from "./attributes.ts";
import {
  ALGORITHMS,
  checksumElement,
  checksumHeader,
  DEFAULT_ALGORITHM,
  expectedChecksum,
  isAlgorithm,
} from "./checksums.ts";
import { unquoted, writeCondition } from "./conditions.ts";
import { invalidRequest, malformedXml } from "./errors.ts";
import { isoSeconds, owner, type S3Handler, xmlAnswer } from "./handler.ts";
import { keyEncoder } from "./list-operations.ts";
import type { Upload } from "./multipart.ts";
import { type NamedPart, parsePartNumber } from "./multipart-parts.ts";
import { encryptionHeaders, requireLength } from "./object-operations.ts";
import { readXml } from "./request-xml.ts";

export const createMultipartUpload: S3Handler = ({ multipart }, { headers }, bucket, key) => {
  const named = headers["x-amz-checksum-algorithm"]?.toUpperCase();
  const type = headers["x-amz-checksum-type"]?.toUpperCase();
  if (named !== undefined && !isAlgorithm(named)) {
    throw invalidRequest(
      "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
    );
  }
  if (type !== undefined && type !== "FULL_OBJECT" && type !== "COMPOSITE") {
    throw invalidRequest("Value for x-amz-checksum-type header is invalid.");
  }
  const attributes = readAttributes(headers);
  const upload = multipart.create(bucket, key, attributes, {
    algorithm: named ?? DEFAULT_ALGORITHM,
    type,
    isNamed: named !== undefined,
  });
  return xmlAnswer(
    "InitiateMultipartUploadResult",
    { Bucket: bucket, Key: key, UploadId: upload.id },
    {
      ...encryptionHeaders(attributes),
      ...(named === undefined
        ? {}
        : { "x-amz-checksum-algorithm": upload.algorithm, "x-amz-checksum-type": upload.checksumType }),
    },
  );
};

export const uploadPart: S3Handler = async ({ multipart, objects }, request, bucket, key) => {
  requireLength(request);
  const number = parsePartNumber(request.query.get("partNumber") ?? "");
  const upload = multipart.open(bucket, key, request.query.get("uploadId") ?? "");
  const promised = expectedChecksum(request.headers);
  if (promised !== undefined && upload.namesAlgorithm && promised.algorithm !== upload.algorithm) {
    throw invalidRequest(
      `Checksum Type mismatch occurred, expected checksum Type: ${upload.algorithm.toLowerCase()}, actual checksum Type: ${promised.algorithm.toLowerCase()}`,
    );
  }
  // A client that checks its parts by another algorithm than the upload's default is served too: both are computed.
  const written = await objects.writeContent(request.body, {
    expected: promised ?? { algorithm: upload.algorithm, value: undefined, isTrailing: false },
    also: upload.algorithm,
    md5: request.headers["content-md5"],
    trailers: request.trailers,
  });
  const checksum = { algorithm: upload.algorithm, value: written.alsoChecksum ?? written.checksum.value };
  const part = await multipart.putPart(upload, number, { ...written, checksum });
  return {
    status: 200,
    headers: {
      etag: `"${part.etag}"`,
      ...(promised === undefined ? {} : { [checksumHeader(promised.algorithm)]: written.checksum.value }),
      ...encryptionHeaders(upload),
    },
  };
};

export const completeMultipartUpload: S3Handler = async ({ multipart }, request, bucket, key) => {
  const document = await readXml(
    { ...request, headers: withoutObjectChecksum(request.headers) },
    "CompleteMultipartUpload",
  );
  const named = document.all("Part").map((part): NamedPart => {
    const number = part.textOf("PartNumber")?.trim();
    const etag = part.textOf("ETag");
    if (number === undefined || etag === undefined) throw malformedXml();
    const checksum = ALGORITHMS.map((algorithm) => part.textOf(checksumElement(algorithm))).find(
      (value) => value !== undefined,
    );
    return { number: parsePartNumber(number), etag: unquoted(etag), checksum };
  });
  const object = await multipart.complete(
    bucket,
    key,
    request.query.get("uploadId") ?? "",
    named,
    writeCondition(request.headers),
    {
      checksum: expectedChecksum(request.headers),
      size: request.headers["x-amz-mp-object-size"],
    },
  );
  const { checksum } = object;
  return xmlAnswer(
    "CompleteMultipartUploadResult",
    {
      Location: `${request.baseUrl}/${bucket}/${encodeURI(key)}`,
      Bucket: bucket,
      Key: key,
      ETag: `"${object.etag}"`,
      ...(checksum === undefined
        ? {}
        : { [checksumElement(checksum.algorithm)]: checksum.value, ChecksumType: checksum.type }),
    },
    encryptionHeaders(object),
  );
};

/** Here the checksum headers speak of the whole object, not of the request's body. */
function withoutObjectChecksum(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !ALGORITHMS.some((algorithm) => checksumHeader(algorithm) === name)),
  );
}

export const abortMultipartUpload: S3Handler = async ({ multipart }, { query }, bucket, key) => {
  await multipart.abort(bucket, key, query.get("uploadId") ?? "");
  return { status: 204 };
};

export const listParts: S3Handler = ({ multipart, accountId }, { query }, bucket, key) => {
  const upload = multipart.open(bucket, key, query.get("uploadId") ?? "");
  const after = Number(query.get("part-number-marker") ?? "0");
  const limit = readCount(query, "max-parts", 1000);
  const rest = multipart.parts(upload.id).filter(({ number }) => number > after);
  const shown = rest.slice(0, limit);
  return xmlAnswer("ListPartsResult", {
    Bucket: bucket,
    Key: key,
    UploadId: upload.id,
    PartNumberMarker: after,
    NextPartNumberMarker: shown.at(-1)?.number ?? 0,
    MaxParts: limit,
    IsTruncated: rest.length > shown.length,
    Part: shown.map(({ number, modifiedAt, etag, size, checksum }) => ({
      PartNumber: number,
      LastModified: isoSeconds(modifiedAt),
      ETag: `"${etag}"`,
      Size: size,
      ...(upload.namesAlgorithm ? { [checksumElement(upload.algorithm)]: checksum } : {}),
    })),
    Initiator: owner(accountId),
    Owner: owner(accountId),
    StorageClass: upload.headers["x-amz-storage-class"] ?? "STANDARD",
    ...namedChecksum(upload),
  });
};

export const listMultipartUploads: S3Handler = ({ multipart, accountId }, { query }, bucket) => {
  const encode = keyEncoder(query);
  const prefix = query.get("prefix") ?? "";
  const delimiter = query.get("delimiter") ?? "";
  const keyMarker = query.get("key-marker") ?? "";
  // A marker that is a group of the page before stands for all keys of the group.
  const from = delimiter !== "" && keyMarker.endsWith(delimiter) ? `${keyMarker}\u{10ffff}` : keyMarker;
  const idMarker = query.get("upload-id-marker") ?? "\u{10ffff}";
  const limit = readCount(query, "max-uploads", 1000);
  const entries: { upload?: Upload; group?: string; last: Upload }[] = [];
  let isTruncated = false;
  let position = { key: from, id: idMarker };
  for (;;) {
    const [upload] = multipart.list(bucket, prefix, position.key, position.id, 1);
    if (upload === undefined) break;
    if (entries.length === limit) {
      isTruncated = true;
      break;
    }
    const at = delimiter === "" ? -1 : upload.key.indexOf(delimiter, prefix.length);
    if (at < 0) {
      entries.push({ upload, last: upload });
      position = { key: upload.key, id: upload.id };
    } else {
      const group = upload.key.slice(0, at + delimiter.length);
      entries.push({ group, last: upload });
      position = { key: `${group}\u{10ffff}`, id: "\u{10ffff}" };
    }
  }
  const last = entries.at(-1);
  const markers: XmlObject =
    isTruncated && last !== undefined
      ? { NextKeyMarker: encode(last.group ?? last.last.key), NextUploadIdMarker: last.upload?.id ?? "" }
      : {};
  return xmlAnswer("ListMultipartUploadsResult", {
    Bucket: bucket,
    KeyMarker: encode(keyMarker),
    UploadIdMarker: query.get("upload-id-marker") ?? "",
    ...markers,
    Prefix: encode(prefix),
    ...(delimiter === "" ? {} : { Delimiter: encode(delimiter) }),
    ...(query.get("encoding-type") === "url" ? { EncodingType: "url" } : {}),
    MaxUploads: limit,
    IsTruncated: isTruncated,
    Upload: entries.flatMap(({ upload }) =>
      upload === undefined
        ? []
        : [
            {
              Key: encode(upload.key),
              UploadId: upload.id,
              Initiator: owner(accountId),
              Owner: owner(accountId),
              StorageClass: upload.headers["x-amz-storage-class"] ?? "STANDARD",
              Initiated: isoSeconds(upload.createdAt),
              ...namedChecksum(upload),
            },
          ],
    ),
    CommonPrefixes: entries.flatMap(({ group }) => (group === undefined ? [] : [{ Prefix: encode(group) }])),
  });
};

function namedChecksum(upload: Upload): XmlObject {
  return upload.namesAlgorithm ? { ChecksumAlgorithm: upload.algorithm, ChecksumType: upload.checksumType } : {};
}
