import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { SignatureV4 } from "@smithy/signature-v4";
import type { DirectAccess } from "./files.ts";

/** Where the objects of a bucket are, as clients reach them. */
export interface S3Place {
  readonly bucket: string;
  readonly region: string;
  readonly endpoint?: string;
  readonly publicEndpoint?: string;
  at(path: string): { readonly Bucket: string; readonly Key: string };
}

/** Presigned addresses of a bucket (AWS Signature Version 4 in the query). */
export function createS3Addresses(client: S3Client, place: S3Place): DirectAccess {
  const signer = new SignatureV4({
    service: "s3",
    region: place.region,
    credentials: client.config.credentials,
    sha256: client.config.sha256,
    // S3 signs the path as it is sent.
    uriEscapePath: false,
  });
  const given = place.publicEndpoint ?? place.endpoint;
  // Names with dots fit no wildcard certificate.
  const inPath = given !== undefined || place.bucket.includes(".");
  const host = inPath ? `s3.${place.region}.amazonaws.com` : `${place.bucket}.s3.${place.region}.amazonaws.com`;
  const base = new URL(given ?? `https://${host}`);

  async function presign(
    method: "GET" | "PUT",
    path: string,
    expiresInS: number,
    query: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const key = place.at(path).Key.split("/").map(escaped).join("/");
    const signed = await signer.presign(
      {
        method,
        protocol: base.protocol,
        hostname: base.hostname,
        ...(base.port === "" ? {} : { port: Number(base.port) }),
        path: inPath ? `/${place.bucket}/${key}` : `/${key}`,
        query: { ...query },
        headers: { host: base.host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" },
      },
      { expiresIn: expiresInS, unsignableHeaders: new Set(["content-type"]) },
    );
    const text = Object.entries(signed.query ?? {})
      .flatMap(([name, value]) => [value ?? ""].flat().map((one) => `${escaped(name)}=${escaped(one)}`))
      .join("&");
    return `${base.protocol}//${base.host}${signed.path}?${text}`;
  }

  return {
    uploadUrl: (path, { expiresInS }) => presign("PUT", path, expiresInS),
    downloadUrl: (path, { expiresInS, name }) =>
      presign("GET", path, expiresInS, {
        "response-content-disposition": `attachment; filename*=UTF-8''${escaped(name)}`,
      }),
    async beginParts(path) {
      const { UploadId } = await client.send(new CreateMultipartUploadCommand(place.at(path)));
      if (UploadId === undefined) throw new Error(`no upload began for ${path}`);
      return { uploadId: UploadId };
    },
    partUrl: (path, { uploadId, partNumber, expiresInS }) =>
      presign("PUT", path, expiresInS, { uploadId, partNumber: String(partNumber) }),
    async completeParts(path, uploadId, parts) {
      const Parts = parts.map(({ partNumber, etag }) => ({ PartNumber: partNumber, ETag: etag }));
      await client.send(
        new CompleteMultipartUploadCommand({
          ...place.at(path),
          UploadId: uploadId,
          MultipartUpload: { Parts },
        }),
      );
    },
    async abortParts(path, uploadId) {
      await client.send(new AbortMultipartUploadCommand({ ...place.at(path), UploadId: uploadId }));
    },
  };
}

/** As Signature Version 4 wants it: everything but letters, digits and -_.~ */
const escaped = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
