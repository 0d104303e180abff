import { readPolicyObject } from "../../iam/read-policy.ts";
import type { JsonValue } from "../../json.ts";
import type { AccessTargets } from "../access-targets.ts";
import type { AccessNeed } from "../policy-document.ts";
import { excessFindings } from "./excess.ts";
import type { Finding } from "./finding.ts";
import { missingFindings } from "./missing.ts";
import { fillPlaceholders } from "./placeholders.ts";

/**
 * Compares a policy, as it was pasted, with what is needed: each call that would be denied, with the reason in the policy, and everything that is
 * allowed beside them. Errors first. Empty: the policy is enough, and no more than enough.
 */
export function lintPolicy(document: JsonValue, needs: readonly AccessNeed[], targets: AccessTargets): Finding[] {
  const filled = fillPlaceholders(document, targets);
  const read = readPolicyObject(filled.document, "identity");
  if (read.policy === undefined) return [...filled.findings, ...read.problems.map(malformed)];
  return bySeverity([
    ...filled.findings,
    ...missingFindings(read.policy, needs),
    ...excessFindings(read.policy, needs),
    ...keyPolicyNote(needs),
  ]);
}

/** A finding for what keeps AWS from taking a document. */
export function malformed({
  path,
  aws,
  message,
  cure,
}: {
  path: string;
  aws: string;
  message: string;
  cure: string;
}): Finding {
  return {
    code: "POLICY_MALFORMED",
    severity: "error",
    path,
    message,
    atRunTime: `AWS refuses the policy: ${aws}`,
    cure,
    actions: [],
  };
}

const ORDER = { error: 0, warning: 1, note: 2 } as const;

export function bySeverity(findings: readonly Finding[]): Finding[] {
  return [...findings].sort((a, b) => ORDER[a.severity] - ORDER[b.severity]);
}

function keyPolicyNote(needs: readonly AccessNeed[]): Finding[] {
  const keys = needs.filter((need) => need.requests.some(({ action }) => action.startsWith("kms:")));
  if (keys.length === 0) return [];
  const resources = [...new Set(keys.flatMap((need) => need.requests.map(({ resource }) => resource)))];
  return [
    {
      code: "KEY_POLICY_TOO",
      severity: "note",
      path: "",
      message: `a policy of a role is enough only if the key's own policy leaves it to the account (${resources.join(", ")})`,
      atRunTime: "without that statement every call on the key is denied, whatever this policy says",
      cure: "keep the statement for arn:aws:iam::ACCOUNT:root that KMS makes by default, or name the role in the key's policy",
      actions: [...new Set(keys.flatMap((need) => need.requests.map(({ action }) => action)))],
    },
  ];
}
