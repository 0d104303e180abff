import type { Policy, PolicyKind } from "../../iam/policy.ts";
import { readPolicy } from "../../iam/read-policy.ts";
import type { PolicyDocument } from "../policy-document.ts";

/** A policy that was made here, read as AWS reads it. */
export function readOwn(document: PolicyDocument, kind: PolicyKind = "identity"): Policy {
  const { policy, problems } = readPolicy(JSON.stringify(document), kind);
  if (policy === undefined) throw new Error(`a policy was made that AWS does not take: ${problems[0].message}`);
  return policy;
}
