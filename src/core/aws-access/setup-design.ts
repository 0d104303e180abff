import type { AccessTargets } from "./access-targets.ts";
import { agentNeeds } from "./agent-access.ts";
import { executionRoleNeeds } from "./execution-role-access.ts";
import { type PolicyDocument, policyOf } from "./policy-document.ts";
import { type TrustedParty, trustStatement } from "./trust-policy.ts";

/** A role as it should be. What else is on it is nobody's business here. */
export interface DesiredRole {
  readonly name: string;
  /** `/` or `/team/`. */
  readonly path: string;
  readonly description: string;
  readonly trust: PolicyDocument;
  /** Name of the inline policy that is ours to write. */
  readonly policyName: string;
  readonly policy: PolicyDocument;
  /** An instance profile of the same name holds it. */
  readonly hasInstanceProfile: boolean;
}

/** What a queue needs to be there on AWS. */
export interface SetupDesign {
  readonly region: string;
  readonly accountId: string;
  /** Repositories of the account and region. */
  readonly repositories: readonly string[];
  /** Buckets that jobs write to. */
  readonly buckets: readonly string[];
  readonly roles: readonly DesiredRole[];
  readonly notes: readonly string[];
}

export const AGENT_ROLE = "slipway-launch-agent";

/** Decides what should be there for some queues: the repository, the buckets that are written to, both roles. */
export function setupDesign(
  targets: AccessTargets,
  agent: { readonly role?: string; readonly trusted: TrustedParty },
): SetupDesign {
  const { region, accountId, partition } = targets;
  const own = `arn:${partition}:ecr:${region}:${accountId}:repository/`;
  const repositories = targets.imageRepositories
    .filter((arn) => arn.startsWith(own) && !arn.includes("*"))
    .map((arn) => arn.slice(own.length));
  const written = [...targets.outputs, ...targets.checkpoints].map(({ bucket }) => bucket);
  const buckets = [...new Set(written)].filter((bucket) => !bucket.includes("*"));
  const readOnly = [...new Set(targets.inputs.map(({ bucket }) => bucket))].filter((one) => !written.includes(one));
  const trust = (party: TrustedParty) => policyOf([{ ...trustStatement(party), requests: [] }]);
  const executionPolicy = policyOf(executionRoleNeeds(targets));
  const roles = targets.executionRoles.flatMap((arn): DesiredRole[] => {
    const match = /^arn:[a-z-]+:iam::(\d{12}):role(\/(?:.+\/)?)([^/]+)$/.exec(arn);
    if (match === null || match[1] !== accountId || arn.includes("*")) return [];
    return [
      {
        name: match[3]!,
        path: match[2]!,
        description: "What SageMaker training jobs run as",
        trust: trust({ kind: "sagemaker" }),
        policyName: "slipway-training-jobs",
        policy: executionPolicy,
        hasInstanceProfile: false,
      },
    ];
  });
  const agentRole: DesiredRole = {
    name: agent.role ?? AGENT_ROLE,
    path: "/",
    description: "The launch agent: submits training jobs and watches them",
    trust: trust(agent.trusted),
    policyName: "slipway-launch-agent",
    policy: policyOf(agentNeeds(targets)),
    hasInstanceProfile: agent.trusted.kind === "ec2",
  };
  return {
    region,
    accountId,
    repositories,
    buckets,
    roles: [...roles, agentRole],
    notes: [
      ...targets.notes,
      ...readOnly.map((bucket) => `The bucket ${bucket} is only read; it is not made.`),
      ...(roles.length < targets.executionRoles.length
        ? ["An execution role is of another account, or named by a pattern; it is not made."]
        : []),
    ],
  };
}
