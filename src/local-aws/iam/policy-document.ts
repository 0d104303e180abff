import type { PolicyKind } from "../../core/iam/policy.ts";
import { readPolicy } from "../../core/iam/read-policy.ts";
import { AwsError } from "../service.ts";

/** Checks a policy document as IAM does when it is stored. Throws MalformedPolicyDocument. */
export function checkPolicy(document: string, kind: PolicyKind): void {
  const [problem] = readPolicy(document, kind).problems;
  if (problem !== undefined) throw new AwsError("MalformedPolicyDocument", problem.aws, 400);
}
