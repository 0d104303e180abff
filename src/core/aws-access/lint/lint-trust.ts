import { evaluate } from "../../iam/evaluate.ts";
import type { Policy } from "../../iam/policy.ts";
import type { Requester } from "../../iam/principal.ts";
import { readPolicyObject } from "../../iam/read-policy.ts";
import type { JsonValue } from "../../json.ts";
import type { AccessRequest } from "../policy-document.ts";
import { type TrustedParty, trustStatement } from "../trust-policy.ts";
import type { Finding } from "./finding.ts";
import { bySeverity, malformed } from "./lint-policy.ts";

interface Assumption {
  readonly requester: Requester;
  readonly action: string;
  readonly context: AccessRequest["context"];
}

const ROLE = "arn:aws:iam::000000000000:role/Role";

/** Whether a role's trust policy lets the party assume it, and whom else. */
export function lintTrust(document: JsonValue, party: TrustedParty): Finding[] {
  const { policy, problems } = readPolicyObject(document, "trust");
  if (policy === undefined) return problems.map(malformed);
  const { statement, without } = trustStatement(party);
  const denied = assumptionsOf(party).filter((assumption) => !assumable(policy, assumption));
  const findings: Finding[] = [];
  if (denied.length > 0)
    findings.push({
      code: "TRUST_MISSING",
      severity: "error",
      path: "Statement",
      message: `the role does not trust ${nameOf(party)}${trusted(policy)}`,
      atRunTime:
        party.kind === "ec2" ? `${without}; a role without this trust cannot be used by an instance profile` : without,
      cure: "add the statement, or put it in place of the one there is",
      statement,
      actions: denied.map(({ action }) => action),
    });
  const strange = strangers(party).find((assumption) => assumable(policy, assumption));
  if (strange !== undefined)
    findings.push({
      code: "TRUST_TOO_WIDE",
      severity: "warning",
      path: "Statement",
      message: `the role also trusts ${strange.who}`,
      atRunTime: "others can act as the role",
      cure: `trust ${nameOf(party)} alone`,
      statement,
      actions: [strange.action],
    });
  return bySeverity(findings);
}

function assumable(policy: Policy, { requester, action, context }: Assumption): boolean {
  const resourceAccountId = "000000000000";
  const decision = evaluate(
    { requester, action, resource: ROLE, resourceAccountId, context },
    {
      identity: [{ name: "all", policy: EVERYTHING }],
      resource: { name: "the trust policy", policy, required: true },
    },
  );
  return decision.outcome === "allowed";
}

/** What the caller's own policies allow is not the trust policy's business. */
const EVERYTHING: Policy = readPolicyObject(
  { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] },
  "identity",
).policy!;

function assumptionsOf(party: TrustedParty): Assumption[] {
  switch (party.kind) {
    case "sagemaker":
    case "ec2":
    case "pod-identity": {
      const { Principal, Action } = trustStatement(party).statement;
      const service = [Principal?.Service ?? ""].flat()[0]!;
      const context = {
        ...("accountId" in party && party.accountId !== undefined ? { "aws:SourceAccount": party.accountId } : {}),
        ...("clusterArn" in party && party.clusterArn !== undefined ? { "aws:SourceArn": party.clusterArn } : {}),
      };
      return [Action].flat().map((action) => ({ requester: { kind: "service", service }, action, context }));
    }
    case "irsa":
      return [webIdentity(party, `system:serviceaccount:${party.namespace}:${party.serviceAccount.replace("*", "x")}`)];
    case "account":
      return (party.principals ?? [`arn:${party.partition}:iam::${party.accountId}:role/Someone`]).map((arn) => ({
        requester: requesterOf(arn, party.accountId),
        action: "sts:AssumeRole",
        context: party.externalId === undefined ? {} : { "sts:ExternalId": party.externalId },
      }));
  }
}

function strangers(party: TrustedParty): (Assumption & { readonly who: string })[] {
  const other = "999999999999";
  const foreign = {
    requester: requesterOf(`arn:aws:iam::${other}:role/Other`, other),
    action: "sts:AssumeRole",
    context: {},
    who: "other accounts",
  };
  if (party.kind !== "irsa") return [foreign];
  return [
    foreign,
    { ...webIdentity(party, "system:serviceaccount:other:other"), who: "every service account of the cluster" },
  ];
}

function webIdentity(party: TrustedParty & { kind: "irsa" }, subject: string): Assumption {
  const host = party.oidcProvider.replace(/^https:\/\//, "").replace(/\/+$/, "");
  return {
    requester: { kind: "web", provider: `arn:${party.partition}:iam::${party.accountId}:oidc-provider/${host}` },
    action: "sts:AssumeRoleWithWebIdentity",
    context: { [`${host}:aud`]: "sts.amazonaws.com", [`${host}:sub`]: subject },
  };
}

function requesterOf(arn: string, accountId: string): Requester {
  if (arn.includes(":user/")) return { kind: "user", arn, accountId };
  const name = arn.slice(arn.lastIndexOf("/") + 1);
  return { kind: "session", arn: `arn:aws:sts::${accountId}:assumed-role/${name}/session`, roleArn: arn, accountId };
}

function nameOf(party: TrustedParty): string {
  switch (party.kind) {
    case "sagemaker":
      return "SageMaker";
    case "ec2":
      return "EC2, so that no instance can have it";
    case "irsa":
      return `the service account ${party.serviceAccount} of namespace ${party.namespace}`;
    case "pod-identity":
      return "EKS Pod Identity";
    case "account":
      return `the account ${party.accountId}`;
  }
}

function trusted({ statements }: Policy): string {
  const names = statements.flatMap(({ principals }) => Object.values(principals?.byKind ?? {}).flat());
  return names.length === 0 ? "" : `, but ${[...new Set(names)].join(", ")}`;
}
