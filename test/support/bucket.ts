import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import type { TestLocalAws } from "./local-aws.ts";

export const BUCKET = "slipway-files";

/** Makes a bucket there, and answers the settings of a server whose files are in it. */
export async function bucketOf(
  aws: TestLocalAws,
  options: { readonly publicEndpoint?: string } = {},
): Promise<Record<string, string>> {
  const client = new S3Client({ ...aws.client, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  client.destroy();
  const { publicEndpoint } = options;
  return {
    SLIPWAY_FILES: `s3://${BUCKET}/some/prefix`,
    SLIPWAY_FILES_S3_ENDPOINT: aws.client.endpoint,
    SLIPWAY_FILES_S3_REGION: aws.client.region,
    SLIPWAY_FILES_S3_ACCESS_KEY_ID: aws.client.credentials.accessKeyId,
    SLIPWAY_FILES_S3_SECRET_ACCESS_KEY: aws.client.credentials.secretAccessKey,
    ...(publicEndpoint === undefined ? {} : { SLIPWAY_FILES_S3_PUBLIC_ENDPOINT: publicEndpoint }),
  };
}
