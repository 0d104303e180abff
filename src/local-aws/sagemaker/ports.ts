import type { Readable } from "node:stream";
import type { Permission } from "../iam/authorize.ts";

/** What training needs of S3. Errors are AwsErrors with S3's codes (NoSuchBucket, NoSuchKey). */
export interface TrainingObjects {
  hasBucket(bucket: string): boolean | Promise<boolean>;
  put(bucket: string, key: string, body: Readable | Buffer): Promise<void>;
  get(bucket: string, key: string): Promise<Readable>;
  /** Objects whose key starts with `prefix`, by key. */
  list(bucket: string, prefix: string): AsyncIterable<{ readonly key: string; readonly size: number }>;
}

/** Temporary credentials of a role. `expiresAt` is in milliseconds since 1970. */
export interface RoleCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiresAt: number;
}

/** What a job may do in its execution role's name. */
export interface RoleAccess {
  /** The sentence of AWS's denial; undefined if the role may. */
  denial(permission: Permission): string | undefined;
}

/** What training needs of IAM and STS. */
export interface ExecutionRoles {
  /** Whether the role exists in this account and lets sagemaker.amazonaws.com assume it for a training job. */
  assumable(roleArn: string, jobArn: string): boolean;
  /** The role in SageMaker's hands: what SageMaker does for a job is asked of the role's policies. */
  access(roleArn: string): RoleAccess;
  /** A session of the role, as SageMaker's own AssumeRole makes it. */
  session(roleArn: string, sessionName: string, seconds: number): RoleCredentials;
}
