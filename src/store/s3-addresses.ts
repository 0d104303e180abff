import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
  type ListPartsCommandOutput,
  type S3Client,
} from "@aws-sdk/client-s3";
import { SignatureV4 } from "@smithy/signature-v4";
import type { DirectAccess, StoredPart } from "./files.ts";

/** Where the bucket stands in an address: `https://HOST/BUCKET/KEY` or `https://BUCKET.HOST/KEY`. */
export type AddressStyle = "path" | "virtual-host";

/**
 * The style for a bucket where none was chosen: services other than AWS seldom have a name for each bucket, and a bucket's name with
 * dots fits no wildcard certificate.
 */
export function usualStyle(place: { readonly bucket: string; readonly endpoint?: string | undefined }): AddressStyle {
  return place.endpoint !== undefined || place.bucket.includes(".") ? "path" : "virtual-host";
}

/** Where the objects of a bucket are, as clients reach them. */
export interface S3Place {
  readonly bucket: string;
  readonly region: string;
  readonly endpoint?: string;
  readonly publicEndpoint?: string;
  readonly style: AddressStyle;
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
  const service = new URL(place.publicEndpoint ?? place.endpoint ?? `https://s3.${place.region}.amazonaws.com`);
  const inPath = place.style === "path";
  const under = (host: string) => (inPath ? host : `${place.bucket}.${host}`);
  const hostname = under(service.hostname);
  const host = under(service.host);
  // A service may stand behind a path of its own.
  const before = service.pathname.replace(/\/+$/, "") + (inPath ? `/${place.bucket}` : "");

  async function presign(
    method: "GET" | "PUT",
    path: string,
    expiresInS: number,
    query: Readonly<Record<string, string>> = {},
    md5?: string,
  ): Promise<string> {
    const key = place.at(path).Key.split("/").map(escaped).join("/");
    const signed = await signer.presign(
      {
        method,
        protocol: service.protocol,
        hostname,
        ...(service.port === "" ? {} : { port: Number(service.port) }),
        path: `${before}/${key}`,
        query: { ...query },
        headers: {
          host,
          "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
          ...(md5 === undefined ? {} : { "content-md5": md5 }),
        },
      },
      // S3 checks the body against a Content-MD5, and the signature makes it come with this one.
      { expiresIn: expiresInS, unsignableHeaders: new Set(["content-type"]) },
    );
    const text = Object.entries(signed.query ?? {})
      .flatMap(([name, value]) => [value ?? ""].flat().map((one) => `${escaped(name)}=${escaped(one)}`))
      .join("&");
    return `${service.protocol}//${host}${signed.path}?${text}`;
  }

  return {
    uploadUrl: (path, { expiresInS, md5 }) => presign("PUT", path, expiresInS, {}, md5),
    downloadUrl: (path, { expiresInS, name }) =>
      presign("GET", path, expiresInS, {
        "response-content-disposition": `attachment; filename*=UTF-8''${escaped(name)}`,
      }),
    async beginParts(path) {
      const { UploadId } = await client.send(new CreateMultipartUploadCommand(place.at(path)));
      if (UploadId === undefined) throw new Error(`no upload began for ${path}`);
      return { uploadId: UploadId };
    },
    partUrl: (path, { uploadId, partNumber, expiresInS, md5 }) =>
      presign("PUT", path, expiresInS, { uploadId, partNumber: String(partNumber) }, md5),
    async listParts(path, uploadId) {
      const found: StoredPart[] = [];
      let marker: string | undefined;
      try {
        do {
          const more = marker === undefined ? {} : { PartNumberMarker: marker };
          const query = new ListPartsCommand({ ...place.at(path), UploadId: uploadId, ...more });
          const page: ListPartsCommandOutput = await client.send(query);
          for (const { PartNumber = 0, ETag = "" } of page.Parts ?? []) {
            found.push({ partNumber: PartNumber, etag: ETag });
          }
          marker = page.IsTruncated ? page.NextPartNumberMarker : undefined;
        } while (marker !== undefined);
      } catch (error) {
        if (isOver(error)) return undefined;
        throw error;
      }
      return found;
    },
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
      try {
        await client.send(new AbortMultipartUploadCommand({ ...place.at(path), UploadId: uploadId }));
      } catch (error) {
        if (!isOver(error)) throw error;
      }
    },
  };
}

const isOver = (error: unknown) => (error as { name?: string }).name === "NoSuchUpload";

/** As Signature Version 4 wants it: everything but letters, digits and -_.~ */
const escaped = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
