import type { Permission } from "../iam/authorize.ts";
import { AwsError } from "../service.ts";
import type { RoleAccess, TrainingObjects } from "./ports.ts";

/** S3 as a job's execution role sees it: what the role may not do throws AccessDenied, as S3 answers it. */
export function objectsOfRole(objects: TrainingObjects, role: RoleAccess): TrainingObjects {
  const demand = (action: string, resource: string, context: Permission["context"] = {}) => {
    const denied = role.denial({ action, resource, context });
    if (denied !== undefined) throw new AwsError("AccessDenied", denied, 403);
  };
  return {
    hasBucket: (bucket) => objects.hasBucket(bucket),
    async put(bucket, key, body) {
      demand("s3:PutObject", `arn:aws:s3:::${bucket}/${key}`);
      await objects.put(bucket, key, body);
    },
    async get(bucket, key) {
      demand("s3:GetObject", `arn:aws:s3:::${bucket}/${key}`);
      return objects.get(bucket, key);
    },
    async *list(bucket, prefix) {
      demand("s3:ListBucket", `arn:aws:s3:::${bucket}`, { "s3:prefix": prefix });
      yield* objects.list(bucket, prefix);
    },
  };
}
