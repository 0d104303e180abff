import { type Decision, evaluate } from "../../iam/evaluate.ts";
import type { NamedPolicy, Policy } from "../../iam/policy.ts";
import type { AccessRequest } from "../policy-document.ts";

/** What a policy of a role says to a call that is made as the role. */
export function judge(policy: Policy, request: AccessRequest): Decision {
  const named: NamedPolicy = { name: "the policy", policy };
  return evaluate(
    {
      requester: {
        kind: "session",
        arn: "arn:aws:sts::000000000000:assumed-role/Role/session",
        roleArn: "arn:aws:iam::000000000000:role/Role",
        accountId: "000000000000",
      },
      action: request.action,
      resource: request.resource,
      context: request.context,
    },
    { identity: [named] },
  );
}

export function allows(policy: Policy, request: AccessRequest): boolean {
  return judge(policy, request).outcome === "allowed";
}

/** A policy of one of its statements. */
export function onlyStatement(policy: Policy, index: number): Policy {
  return { ...policy, statements: policy.statements.filter((statement) => statement.index === index) };
}
