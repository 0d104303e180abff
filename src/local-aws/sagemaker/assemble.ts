import { existsSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { ImageStore } from "../ecr/image-store.ts";
import { type Access, deniedText } from "../iam/authorize.ts";
import type { Iam } from "../iam/iam.ts";
import type { LogStore } from "../logs/log-store.ts";
import { createProcessRuntime } from "../runtimes/process.ts";
import type { TrainingRuntime } from "../runtimes/runtime.ts";
import type { ObjectStore } from "../s3/object-store.ts";
import type { LocalAwsContext } from "../service.ts";
import type { ExecutionRoles, TrainingObjects } from "./ports.ts";
import { createSageMaker, type SageMaker } from "./service.ts";

const SAGEMAKER = "sagemaker.amazonaws.com";

/** Puts SageMaker together with the local S3, IAM, ECR and logs, and with what runs containers on this machine. */
export function assembleSageMaker(
  context: LocalAwsContext,
  parts: {
    readonly iam: Pick<Iam, "roles" | "sessions">;
    readonly access: Access;
    readonly objects: ObjectStore;
    readonly images: ImageStore;
    readonly logs: LogStore;
    readonly docker?: TrainingRuntime;
    readonly runtime: "auto" | "process" | "docker";
    /** The machine's PATH: sandbox tools, and programs of jobs on the machine's own file system. */
    readonly searchPath: string;
    readonly stopGraceMs: number;
  },
): SageMaker {
  return createSageMaker(context, {
    objects: trainingObjects(parts.objects),
    images: parts.images,
    logs: parts.logs,
    roles: executionRoles(context, parts.iam, parts.access),
    process: createProcessRuntime({
      images: parts.images,
      logger: context.logger,
      searchPath: parts.searchPath,
      hidden: hiddenFromJobs(context.dataDir),
    }),
    ...(parts.docker === undefined ? {} : { docker: parts.docker }),
    runtime: parts.runtime,
    stopGraceMs: parts.stopGraceMs,
  });
}

function trainingObjects(objects: ObjectStore): TrainingObjects {
  return {
    hasBucket: (bucket) => objects.headBucket(bucket),
    put: async (bucket, key, body) => {
      await objects.putObject(bucket, key, body);
    },
    get: async (bucket, key) => objects.getObject(bucket, key).body,
    list: (bucket, prefix) => objects.listObjects(bucket, prefix),
  };
}

function executionRoles(
  { accountId, region }: LocalAwsContext,
  iam: Pick<Iam, "roles" | "sessions">,
  access: Access,
): ExecutionRoles {
  return {
    assumable(roleArn, jobArn) {
      // What SageMaker tells of the job it assumes the role for, against confused deputies.
      const context = { "aws:SourceArn": jobArn, "aws:SourceAccount": accountId, "sts:RoleSessionName": "SageMaker" };
      return access.decideService(SAGEMAKER, { action: "sts:AssumeRole", resource: roleArn, context }).allowed;
    },
    access(roleArn) {
      return {
        denial(permission) {
          const role = iam.roles.findByArn(roleArn);
          if (role === undefined) return `The role ${roleArn} does not exist any more`;
          const principal = iam.sessions.principalOf(role, "SageMaker");
          const keys = { "aws:SecureTransport": "true", "aws:RequestedRegion": region };
          const verdict = access.decide(principal, permission, keys);
          return verdict.allowed ? undefined : deniedText(principal, permission, verdict.reason);
        },
      };
    },
    session(roleArn, sessionName, seconds) {
      const role = iam.roles.findByArn(roleArn);
      if (role === undefined) throw new Error(`the role ${roleArn} is gone`);
      return iam.sessions.issueForRole(role, sessionName, seconds);
    },
  };
}

/** The state of the local AWS and, in the layout of a data directory, of all of Slipway beside it. */
function hiddenFromJobs(dataDir: string): string[] {
  const whole = dirname(dataDir);
  return [basename(dataDir) === "local-aws" && whole !== "/" && existsSync(whole) ? whole : dataDir];
}
