import { parseArn } from "../../core/iam/arn.ts";
import { readPolicy } from "../../core/iam/read-policy.ts";
import { AwsError } from "../service.ts";
import type { S3Handler } from "./handler.ts";

/** A bucket policy has at most 20 KB. */
const MAX_POLICY_BYTES = 20 * 1024;

export const putBucketPolicy: S3Handler = async ({ objects }, request, bucket) => {
  objects.buckets.get(bucket);
  const document = (await request.readBody(MAX_POLICY_BYTES)).toString("utf8");
  checkBucketPolicy(document, bucket);
  objects.buckets.setPolicy(bucket, document);
  return { status: 204 };
};

export const getBucketPolicy: S3Handler = ({ objects }, _request, bucket) => {
  const { policy } = objects.buckets.get(bucket);
  if (policy === undefined) {
    throw new AwsError("NoSuchBucketPolicy", "The bucket policy does not exist", 404, { BucketName: bucket });
  }
  return { status: 200, headers: { "content-type": "application/json" }, body: policy };
};

export const deleteBucketPolicy: S3Handler = ({ objects }, _request, bucket) => {
  objects.buckets.setPolicy(bucket, undefined);
  return { status: 204 };
};

/** Throws MalformedPolicy, in S3's words where the grammar alone does not find what is wrong. */
function checkBucketPolicy(document: string, bucket: string): void {
  const { policy, problems } = readPolicy(document, "resource");
  const malformed = (text: string) => new AwsError("MalformedPolicy", text, 400);
  if (policy === undefined) {
    const isJson = problems[0].path !== "";
    throw malformed(isJson ? problems[0].aws : "Policies must be valid JSON and the first byte must be '{'");
  }
  for (const { actions, resources } of policy.statements) {
    if (resources === undefined) throw malformed("Missing required field Resource");
    const isOfBucket = (resource: string) => {
      const arn = parseArn(resource);
      return arn?.service === "s3" && (arn.resource === bucket || arn.resource.startsWith(`${bucket}/`));
    };
    if (!resources.patterns.every(isOfBucket)) throw malformed("Policy has invalid resource");
    const isOfS3 = (action: string) => action === "*" || action.toLowerCase().startsWith("s3:");
    if (!actions.patterns.every(isOfS3)) throw malformed("Policy has invalid action");
  }
}
