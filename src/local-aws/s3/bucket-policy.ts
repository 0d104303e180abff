import type { StoredPolicy } from "../iam/authorize.ts";
import type { BucketStore } from "./buckets.ts";

/** The policy of the bucket that an ARN's resource names: `BUCKET` or `BUCKET/KEY`. */
export function bucketPolicy(buckets: BucketStore, resource: string): StoredPolicy | undefined {
  const bucket = resource.split("/")[0]!;
  const policy = buckets.find(bucket)?.policy;
  return policy === undefined ? undefined : { name: `bucket policy of ${bucket}`, document: policy, required: false };
}
