import type { AwsRequest, AwsResponse } from "../service.ts";
import { type XmlObject, xmlDocument } from "../xml.ts";
import type { MultipartStore } from "./multipart.ts";
import type { ObjectStore } from "./object-store.ts";

/** What S3's operations work with. */
export interface S3 {
  readonly objects: ObjectStore;
  readonly multipart: MultipartStore;
  readonly accountId: string;
}

/** An operation on the account, a bucket (`key` is empty) or an object. Throws AwsError. */
export type S3Handler = (
  s3: S3,
  request: AwsRequest,
  bucket: string,
  key: string,
) => AwsResponse | Promise<AwsResponse>;

const NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";

export function xmlAnswer(
  root: string,
  content: XmlObject,
  headers: Readonly<Record<string, string>> = {},
): AwsResponse {
  return {
    status: 200,
    headers: { "content-type": "application/xml", ...headers },
    body: xmlDocument(root, NAMESPACE, content),
  };
}

/** `2026-01-02T03:04:05.000Z`: S3 tells whole seconds. */
export function isoSeconds(ms: number): string {
  return new Date(Math.floor(ms / 1000) * 1000).toISOString();
}

/** S3 names the account that owns everything by a canonical id: 64 hexadecimal digits. */
export function owner(accountId: string): XmlObject {
  return { ID: accountId.padStart(64, "0"), DisplayName: accountId };
}
