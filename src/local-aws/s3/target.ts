import type { AwsRequest } from "../service.ts";
import { percentDecode } from "../sigv4/canonical.ts";

/** What a request is about: nothing (the account), a bucket, or an object of it. */
export interface Target {
  readonly bucket: string | undefined;
  readonly key: string | undefined;
}

/** `BUCKET.localhost`, `BUCKET.s3.localhost`, `BUCKET.s3.amazonaws.com`, `BUCKET.s3.REGION.amazonaws.com` (also `s3-REGION`, dualstack). */
const VIRTUAL_HOSTS = [
  /^(.+)\.s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com$/,
  /^(.+)\.s3(?:\.[a-z0-9-]+)*\.localhost(?:\.localdomain)?$/,
  /^(?!s3\.)(.+)\.localhost(?:\.localdomain)?$/,
];

/** The bucket that a Host header names; undefined for path style. */
export function hostBucket(host: string): string | undefined {
  const hostname = host.replace(/:\d+$/, "").toLowerCase();
  for (const pattern of VIRTUAL_HOSTS) {
    const bucket = pattern.exec(hostname)?.[1];
    if (bucket !== undefined) return bucket;
  }
  return undefined;
}

/** Reads bucket and key from the host (virtual-host style) or the path. */
export function targetOf(request: Pick<AwsRequest, "host" | "rawPath">): Target {
  const path = request.rawPath.replace(/^\//, "");
  const named = hostBucket(request.host);
  if (named !== undefined) return { bucket: named, key: path === "" ? undefined : decodeKey(path) };
  const slash = path.indexOf("/");
  const bucket = percentDecode(slash < 0 ? path : path.slice(0, slash));
  const key = slash < 0 ? "" : path.slice(slash + 1);
  return { bucket: bucket === "" ? undefined : bucket, key: key === "" ? undefined : decodeKey(key) };
}

/** Segment by segment, so that one badly encoded segment does not leave the others encoded. */
function decodeKey(path: string): string {
  return path.split("/").map(percentDecode).join("/");
}
