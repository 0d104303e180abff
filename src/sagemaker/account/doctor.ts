import { DescribeLogStreamsCommand } from "@aws-sdk/client-cloudwatch-logs";
import { DescribeRepositoriesCommand } from "@aws-sdk/client-ecr";
import { GetRoleCommand } from "@aws-sdk/client-iam";
import { HeadBucketCommand } from "@aws-sdk/client-s3";
import { ListTrainingJobsCommand } from "@aws-sdk/client-sagemaker";
import { ListServiceQuotasCommand, type ServiceQuota } from "@aws-sdk/client-service-quotas";
import { GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import type { AccessTargets } from "../../core/aws-access/access-targets.ts";
import { agentNeeds } from "../../core/aws-access/agent-access.ts";
import { executionRoleNeeds } from "../../core/aws-access/execution-role-access.ts";
import { lintTrust } from "../../core/aws-access/lint/lint-trust.ts";
import type { Clock } from "../../core/clock.ts";
import type { JsonValue } from "../../core/json.ts";
import { TRAINING_LOG_GROUP } from "../../core/training/training-log-group.ts";
import { classifyAwsError } from "../aws-problem.ts";
import type { AccountClients } from "./account-clients.ts";
import { simulateNeeds } from "./simulate.ts";

/** One line of the doctor's answer. */
export interface Checkup {
  readonly check: string;
  readonly verdict: "pass" | "fail" | "unknown";
  /** What was seen. */
  readonly why: string;
  /** The command that mends it, or that makes it known. */
  readonly cure?: string;
}

/** Signatures that are further off than this are refused (SigV4). */
const MOST_SKEW_MS = 300_000;

/**
 * Looks whether the caller's credentials, acting as the agent, and the execution roles can do what the jobs need. Changes nothing. What may not be
 * looked at is `unknown`, never a pass. Does not throw for what AWS answers.
 */
export async function examine(clients: AccountClients, targets: AccessTargets, clock: Clock): Promise<Checkup[]> {
  const identity = await checkIdentity(clients, targets, clock);
  const [first] = identity.lines;
  if (first?.verdict === "fail") return identity.lines;
  return [
    ...identity.lines,
    ...(await Promise.all([checkListing(clients), checkLogs(clients)])),
    ...(await Promise.all([...ownRepositories(targets)].map((name) => checkRepository(clients, targets, name)))),
    ...(await Promise.all(writtenBuckets(targets).map((bucket) => checkBucket(clients, targets, bucket)))),
    ...(await Promise.all(targets.executionRoles.map((arn) => checkTrust(clients, arn)))),
    ...(await simulateNeeds(clients, {
      title: "agent",
      principal: identity.arn,
      needs: agentNeeds(targets),
      cure: "slipway aws policy agent",
    })),
    ...(
      await Promise.all(
        targets.executionRoles.map((arn) =>
          simulateNeeds(clients, {
            title: `execution role ${arn.slice(arn.lastIndexOf("/") + 1)}`,
            principal: arn,
            needs: executionRoleNeeds(targets),
            cure: "slipway aws policy execution-role",
          }),
        ),
      )
    ).flat(),
    ...(await checkQuotas(clients, targets)),
  ];
}

async function checkIdentity(
  { sts }: AccountClients,
  { accountId, region }: AccessTargets,
  clock: Clock,
): Promise<{ lines: Checkup[]; arn: string }> {
  let answeredAt: number | undefined;
  sts.middlewareStack.add(
    (next) => async (args) => {
      const answer = await next(args);
      const { headers } = answer.response as { headers?: Record<string, string> };
      answeredAt = Date.parse(headers?.date ?? "");
      return answer;
    },
    { step: "deserialize", name: "slipwayDateOfAnswer", override: true },
  );
  try {
    const { Arn = "", Account = "" } = await sts.send(new GetCallerIdentityCommand({}));
    const isRight = Account === accountId;
    const skew = answeredAt === undefined || Number.isNaN(answeredAt) ? undefined : Math.abs(clock.now() - answeredAt);
    return {
      arn: Arn,
      lines: [
        isRight
          ? { check: "identity", verdict: "pass", why: Arn }
          : {
              check: "identity",
              verdict: "fail",
              why: `${Arn} is of the account ${Account}; the queues' roles are of ${accountId}`,
              cure: "export AWS_PROFILE=NAME_OF_A_PROFILE_OF_THE_ACCOUNT",
            },
        { check: "region", verdict: "pass", why: `${region} answers` },
        skew === undefined
          ? { check: "clock", verdict: "unknown", why: "the answer had no date" }
          : skew <= MOST_SKEW_MS
            ? { check: "clock", verdict: "pass", why: `${Math.round(skew / 1000)} s off` }
            : {
                check: "clock",
                verdict: "fail",
                why: `this machine's clock is ${Math.round(skew / 1000)} s off; signatures are refused at 300 s`,
                cure: "sudo timedatectl set-ntp true",
              },
      ],
    };
  } catch (error) {
    const { code, message } = classifyAwsError(error);
    const cure = "aws sts get-caller-identity   # with AWS_PROFILE set to the agent's profile";
    return { arn: "", lines: [{ check: "identity", verdict: "fail", why: `${code}: ${message}`, cure }] };
  }
}

function checkListing({ sagemaker }: AccountClients): Promise<Checkup> {
  return attempt("list training jobs", "slipway aws policy agent", async () => {
    await sagemaker.send(new ListTrainingJobsCommand({ MaxResults: 1 }));
    return "ListTrainingJobs answers";
  });
}

function checkLogs({ logs }: AccountClients): Promise<Checkup> {
  return attempt("log access", "slipway aws policy agent", async () => {
    try {
      await logs.send(new DescribeLogStreamsCommand({ logGroupName: TRAINING_LOG_GROUP, limit: 1 }));
      return `${TRAINING_LOG_GROUP} can be read`;
    } catch (error) {
      if (classifyAwsError(error).kind !== "not_found") throw error;
      return `${TRAINING_LOG_GROUP} is not there yet; the first job makes it`;
    }
  });
}

function checkRepository(
  { ecr }: AccountClients,
  { accountId, region }: AccessTargets,
  name: string,
): Promise<Checkup> {
  const cure = `aws ecr create-repository --repository-name ${name} --region ${region}`;
  return attempt(
    `repository ${name}`,
    cure,
    async () => {
      const { repositories } = await ecr.send(
        new DescribeRepositoriesCommand({ registryId: accountId, repositoryNames: [name] }),
      );
      return repositories?.[0]?.repositoryUri ?? "there";
    },
    { deniedIsUnknown: true },
  );
}

function checkBucket({ s3 }: AccountClients, { region }: AccessTargets, bucket: string): Promise<Checkup> {
  return attempt(
    `bucket ${bucket}`,
    `aws s3 mb s3://${bucket} --region ${region}`,
    async () => {
      const { BucketRegion } = await s3.send(new HeadBucketCommand({ Bucket: bucket }));
      if (BucketRegion !== undefined && BucketRegion !== region)
        throw new Error(`it is in ${BucketRegion}; SageMaker wants it in ${region}`);
      return "there";
    },
    { deniedIsUnknown: true },
  );
}

function checkTrust({ iam }: AccountClients, arn: string): Promise<Checkup> {
  const name = arn.slice(arn.lastIndexOf("/") + 1);
  const cure = `slipway aws policy trust sagemaker > trust.json && aws iam update-assume-role-policy --role-name ${name} --policy-document file://trust.json`;
  return attempt(
    `role ${name} assumable by SageMaker`,
    cure,
    async () => {
      const { Role } = await iam.send(new GetRoleCommand({ RoleName: name }));
      const trust = JSON.parse(decodeURIComponent(Role?.AssumeRolePolicyDocument ?? "{}")) as JsonValue;
      const error = lintTrust(trust, { kind: "sagemaker", accountId: arn.split(":")[4] ?? "" }).find(
        ({ severity }) => severity === "error",
      );
      if (error !== undefined) throw new Error(error.message);
      if (Role?.Arn !== arn) throw new Error(`the role's ARN is ${Role?.Arn}, and RoleArn says ${arn}`);
      return "its trust policy names sagemaker.amazonaws.com";
    },
    { deniedIsUnknown: true },
  );
}

async function checkQuotas({ quotas }: AccountClients, targets: AccessTargets): Promise<Checkup[]> {
  if (targets.instanceTypes.length === 0) return [];
  const found: ServiceQuota[] = [];
  try {
    let token: string | undefined;
    do {
      const page = await quotas.send(
        new ListServiceQuotasCommand({
          ServiceCode: "sagemaker",
          MaxResults: 100,
          ...(token === undefined ? {} : { NextToken: token }),
        }),
      );
      found.push(...(page.Quotas ?? []));
      token = page.NextToken;
    } while (token !== undefined && token !== "");
  } catch (error) {
    const { code, message } = classifyAwsError(error);
    const cure = "aws service-quotas list-service-quotas --service-code sagemaker";
    return targets.instanceTypes.map((type) => ({
      check: `quota ${type}`,
      verdict: "unknown",
      why: `${code}: ${message}`,
      cure,
    }));
  }
  return targets.instanceTypes.map((type): Checkup => {
    const quota = found.find(({ QuotaName }) => QuotaName === `${type} for training job usage`);
    const check = `quota ${type}`;
    if (quota?.Value === undefined)
      return { check, verdict: "unknown", why: `Service Quotas names none for ${type} for training job usage` };
    if (quota.Value >= 1) return { check, verdict: "pass", why: `${quota.Value} at once in ${targets.region}` };
    const cure = `aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code ${quota.QuotaCode} --desired-value 1 --region ${targets.region}`;
    return { check, verdict: "fail", why: `none may run in ${targets.region}: items would wait for ever`, cure };
  });
}

/** One look: what it answers passes; what it throws fails, or is unknown where only the looking was refused. */
async function attempt(
  check: string,
  cure: string,
  look: () => Promise<string>,
  { deniedIsUnknown = false } = {},
): Promise<Checkup> {
  try {
    return { check, verdict: "pass", why: await look() };
  } catch (error) {
    const { kind, message, code } = classifyAwsError(error);
    const why = code === "Error" || code === message ? message : `${code}: ${message}`;
    // HeadBucket answers 403 for a bucket of others too; who may not look cannot tell.
    if (kind === "access_denied" && deniedIsUnknown)
      return { check, verdict: "unknown", why: `these credentials may not look: ${why}` };
    return {
      check,
      verdict: kind === "throttled" || kind === "network" || kind === "service" ? "unknown" : "fail",
      why,
      cure,
    };
  }
}

function ownRepositories({ imageRepositories, partition, region, accountId }: AccessTargets): string[] {
  const own = `arn:${partition}:ecr:${region}:${accountId}:repository/`;
  return imageRepositories
    .filter((arn) => arn.startsWith(own) && !arn.includes("*"))
    .map((arn) => arn.slice(own.length));
}

function writtenBuckets({ inputs, outputs, checkpoints }: AccessTargets): string[] {
  const all = [...outputs, ...checkpoints, ...inputs].map(({ bucket }) => bucket);
  return [...new Set(all)].filter((bucket) => !bucket.includes("*"));
}
