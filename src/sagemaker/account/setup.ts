import { CreateRepositoryCommand, DescribeRepositoriesCommand } from "@aws-sdk/client-ecr";
import {
  AddRoleToInstanceProfileCommand,
  CreateInstanceProfileCommand,
  CreateRoleCommand,
  GetInstanceProfileCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  PutRolePolicyCommand,
  UpdateAssumeRolePolicyCommand,
} from "@aws-sdk/client-iam";
import { type BucketLocationConstraint, CreateBucketCommand, HeadBucketCommand } from "@aws-sdk/client-s3";
import type { PolicyDocument } from "../../core/aws-access/policy-document.ts";
import type { DesiredRole, SetupDesign } from "../../core/aws-access/setup-design.ts";
import type { AccountClients } from "./account-clients.ts";

/** One thing of a setup: what is there, and what is to be done. */
export interface SetupStep {
  readonly what: "repository" | "bucket" | "role" | "trust" | "policy" | "instance profile";
  readonly name: string;
  /** `keep`: it is there as it should be; it is left alone. */
  readonly action: "create" | "update" | "keep";
  readonly detail: string;
  /** Does it; throws what the SDK threw. Absent for `keep`. */
  readonly apply?: () => Promise<unknown>;
}

/** Compares a design with what is there. Nothing is ever deleted; of what is there only our own policy and our own statement of trust change. */
export async function planSetup(clients: AccountClients, design: SetupDesign): Promise<SetupStep[]> {
  const steps: SetupStep[] = [];
  for (const name of design.repositories) steps.push(await repositoryStep(clients, name));
  for (const name of design.buckets) steps.push(await bucketStep(clients, name, design.region));
  for (const role of design.roles) steps.push(...(await roleSteps(clients, role)));
  return steps;
}

async function repositoryStep({ ecr }: AccountClients, name: string): Promise<SetupStep> {
  const found = await orMissing(ecr.send(new DescribeRepositoriesCommand({ repositoryNames: [name] })));
  if (found !== undefined) return { what: "repository", name, action: "keep", detail: "there already" };
  return {
    what: "repository",
    name,
    action: "create",
    detail: "for the jobs' images",
    apply: () => ecr.send(new CreateRepositoryCommand({ repositoryName: name })),
  };
}

async function bucketStep({ s3 }: AccountClients, name: string, region: string): Promise<SetupStep> {
  const found = await orMissing(s3.send(new HeadBucketCommand({ Bucket: name })));
  if (found !== undefined) return { what: "bucket", name, action: "keep", detail: "there already" };
  // us-east-1 is the one region that must not be named: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
  const location =
    region === "us-east-1"
      ? {}
      : { CreateBucketConfiguration: { LocationConstraint: region as BucketLocationConstraint } };
  return {
    what: "bucket",
    name,
    action: "create",
    detail: `for output and checkpoints, in ${region}`,
    apply: () => s3.send(new CreateBucketCommand({ Bucket: name, ...location })),
  };
}

async function roleSteps({ iam }: AccountClients, role: DesiredRole): Promise<SetupStep[]> {
  const { name } = role;
  const found = await orMissing(iam.send(new GetRoleCommand({ RoleName: name })));
  const steps: SetupStep[] = [];
  if (found === undefined) {
    steps.push({
      what: "role",
      name,
      action: "create",
      detail: role.description,
      apply: () =>
        iam.send(
          new CreateRoleCommand({
            RoleName: name,
            Path: role.path,
            Description: role.description,
            AssumeRolePolicyDocument: JSON.stringify(role.trust),
          }),
        ),
    });
  } else {
    steps.push({ what: "role", name, action: "keep", detail: `there already: ${found.Role?.Arn ?? name}` });
    steps.push(trustStep({ iam }, role, found.Role?.AssumeRolePolicyDocument));
  }
  const present =
    found === undefined
      ? undefined
      : await orMissing(iam.send(new GetRolePolicyCommand({ RoleName: name, PolicyName: role.policyName })));
  const isSame = present !== undefined && same(decoded(present.PolicyDocument), role.policy);
  steps.push({
    what: "policy",
    name: `${role.policyName} of ${name}`,
    action: isSame ? "keep" : present === undefined ? "create" : "update",
    detail: isSame ? "as it should be" : role.policy.Statement.map(({ Sid }) => Sid).join(", "),
    ...(isSame
      ? {}
      : {
          apply: () =>
            iam.send(
              new PutRolePolicyCommand({
                RoleName: name,
                PolicyName: role.policyName,
                PolicyDocument: JSON.stringify(role.policy),
              }),
            ),
        }),
  });
  if (role.hasInstanceProfile) steps.push(...(await profileSteps({ iam }, name)));
  return steps;
}

/** The statement of ours is put beside those that are there, in place of an older one of the same Sid. */
function trustStep({ iam }: Pick<AccountClients, "iam">, role: DesiredRole, document: string | undefined): SetupStep {
  const present = decoded(document) as Partial<PolicyDocument> | undefined;
  const statements = [present?.Statement ?? []].flat();
  const [wanted] = role.trust.Statement;
  const without = ({ Sid: _, ...rest }: object & { Sid?: string }) => rest;
  if (wanted === undefined || statements.some((one) => same(without(one), without(wanted))))
    return { what: "trust", name: role.name, action: "keep", detail: "as it should be" };
  const merged = {
    Version: "2012-10-17",
    Statement: [...statements.filter(({ Sid }) => Sid !== wanted.Sid), wanted],
  };
  return {
    what: "trust",
    name: role.name,
    action: "update",
    detail: `${wanted.Sid} is added; what else is trusted stays`,
    apply: () =>
      iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: role.name, PolicyDocument: JSON.stringify(merged) })),
  };
}

async function profileSteps({ iam }: Pick<AccountClients, "iam">, name: string): Promise<SetupStep[]> {
  const found = await orMissing(iam.send(new GetInstanceProfileCommand({ InstanceProfileName: name })));
  const [holds] = found?.InstanceProfile?.Roles ?? [];
  const add = () => iam.send(new AddRoleToInstanceProfileCommand({ InstanceProfileName: name, RoleName: name }));
  const step = { what: "instance profile", name } as const;
  if (found === undefined)
    return [
      {
        ...step,
        action: "create",
        detail: "what an EC2 instance is given",
        apply: async () => {
          await iam.send(new CreateInstanceProfileCommand({ InstanceProfileName: name }));
          await add();
        },
      },
    ];
  if (holds === undefined) return [{ ...step, action: "update", detail: "the role is put into it", apply: add }];
  const detail = holds.RoleName === name ? "there already" : `left alone: it holds the role ${holds.RoleName}`;
  return [{ ...step, action: "keep", detail }];
}

/** IAM answers with documents in URL encoding. */
function decoded(document: string | undefined): unknown {
  return document === undefined ? undefined : JSON.parse(decodeURIComponent(document));
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}

const MISSING = new Set([
  "NoSuchEntity",
  "NoSuchEntityException",
  "RepositoryNotFoundException",
  "NotFound",
  "NoSuchBucket",
]);

/** The answer; undefined if there is no such thing. Throws what the SDK threw otherwise. */
async function orMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Error && MISSING.has(error.name)) return undefined;
    throw error;
  }
}
