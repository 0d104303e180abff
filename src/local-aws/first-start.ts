import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import { ADMINISTRATOR } from "./iam/aws-managed.ts";
import type { Iam } from "./iam/iam.ts";
import type { BucketStore } from "./s3/buckets.ts";
import type { LocalAwsContext } from "./service.ts";

/** `DATA/local-aws/env.json`: what a client needs to speak to the local AWS, and the names that the first start made. */
export interface LocalAwsEnvironment {
  readonly endpointUrl: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  readonly accountId: string;
  readonly roleArn: string;
  readonly bucket: string;
  readonly ecrRegistry: string;
}

export const FIRST_USER = "slipway";
export const EXECUTION_ROLE = "SlipwaySageMakerExecution";

const TRUSTS_SAGEMAKER = {
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Principal: { Service: "sagemaker.amazonaws.com" }, Action: "sts:AssumeRole" }],
};

/** What a training job needs on AWS, and no more: its bucket, its images, its log group, its metrics. */
function executionPolicy(region: string, accountId: string, bucket: string): object {
  const logGroup = `arn:aws:logs:${region}:${accountId}:log-group:/aws/sagemaker/TrainingJobs`;
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "Metrics",
        Effect: "Allow",
        Action: "cloudwatch:PutMetricData",
        Resource: "*",
        Condition: { StringLike: { "cloudwatch:namespace": ["/aws/sagemaker/*", "SageMaker", "aws/sagemaker/*"] } },
      },
      {
        Sid: "Logs",
        Effect: "Allow",
        Action: ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
        Resource: [logGroup, `${logGroup}:*`],
      },
      { Sid: "ListBucket", Effect: "Allow", Action: "s3:ListBucket", Resource: `arn:aws:s3:::${bucket}` },
      {
        Sid: "Objects",
        Effect: "Allow",
        Action: ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
        Resource: `arn:aws:s3:::${bucket}/*`,
      },
      { Sid: "RegistryToken", Effect: "Allow", Action: "ecr:GetAuthorizationToken", Resource: "*" },
      {
        Sid: "Images",
        Effect: "Allow",
        Action: ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
        Resource: `arn:aws:ecr:${region}:${accountId}:repository/*`,
      },
    ],
  };
}

/** Makes what is missing of the account's first user, role and bucket, and says how to reach them. Safe to repeat after a crash. */
export function prepareAccount(
  context: LocalAwsContext,
  iam: Iam,
  buckets: BucketStore,
): Omit<LocalAwsEnvironment, "endpointUrl"> {
  const { db, accountId, region } = context;
  const bucket = `slipway-${accountId}-${region}`;
  const prepare = db.transaction(() => {
    if (iam.users.find(FIRST_USER) === undefined) iam.users.create(FIRST_USER, "/", {});
    // Who holds the first keys administers the account. At every start, so that nobody locks themselves out for good.
    iam.policies.attach("user", FIRST_USER, ADMINISTRATOR);
    const key = iam.users.keys(FIRST_USER).find(({ status }) => status === "Active") ?? iam.users.createKey(FIRST_USER);
    let role = iam.roles.find(EXECUTION_ROLE);
    if (role === undefined) {
      role = iam.roles.create({
        name: EXECUTION_ROLE,
        path: "/",
        tags: {},
        trustPolicy: JSON.stringify(TRUSTS_SAGEMAKER),
        description: "What SageMaker training jobs run as",
        maxSessionSeconds: 3600,
        boundary: undefined,
      });
      iam.policies.putInline(
        "role",
        EXECUTION_ROLE,
        "TrainingJobs",
        JSON.stringify(executionPolicy(region, accountId, bucket)),
      );
    }
    return { key, role };
  });
  const { key, role } = prepare();
  if (buckets.find(bucket) === undefined) buckets.create(bucket, region);
  return {
    accessKeyId: key.id,
    secretAccessKey: key.secret,
    region,
    accountId,
    roleArn: role.arn,
    bucket,
    ecrRegistry: `${accountId}.dkr.ecr.${region}.amazonaws.com`,
  };
}

/** Writes a file whole or not at all, readable by its owner only. */
export async function writePrivateJson(file: string, value: unknown): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  const handle = await open(temporary, "w", 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(value, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
}

export function environmentFile(stateDir: string): string {
  return join(stateDir, "env.json");
}
