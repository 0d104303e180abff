import { conditionWords } from "./conditions.ts";
import type { Decision } from "./evaluate.ts";
import { type Requester, requesterName } from "./principal.ts";
import type { NearMatch, StatementMatch } from "./statements.ts";

interface Denied {
  readonly requester: Requester;
  readonly action: string;
  readonly resource: string;
}

/**
 * The sentence of an AccessDenied answer.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
 */
export function denialText({ requester, action, resource }: Denied, decision: Decision): string {
  return `User: ${requesterName(requester)} is not authorized to perform: ${action} on resource: ${resource} ${denialReason(action, decision)}`;
}

/** The end of that sentence: which kind of policy denies, or lacks a statement that allows. */
export function denialReason(action: string, { outcome, layer }: Decision): string {
  if (outcome === "explicitly denied")
    return `with an explicit deny in ${EXPLICIT[layer] ?? "an identity-based policy"}`;
  return `because no ${IMPLICIT[layer] ?? "identity-based policy"} allows the ${action} action`;
}

const EXPLICIT: Partial<Record<Decision["layer"], string>> = {
  identity: "an identity-based policy",
  resource: "a resource-based policy",
  boundary: "a permissions boundary",
  session: "a session policy",
};

const IMPLICIT: Partial<Record<Decision["layer"], string>> = {
  identity: "identity-based policy",
  resource: "resource-based policy",
  boundary: "permissions boundary",
  session: "session policy",
};

/** What AWS does not tell: the statements that decided and the conditions that were not met, a line each. For tools and logs, not for answers. */
export function explainDecision({ statements, near }: Decision): string[] {
  return [
    ...statements.map(
      (match) => `${statementName(match)} ${match.statement.effect === "Allow" ? "allows" : "denies"} it`,
    ),
    ...near.map(
      (match: NearMatch) => `${statementName(match)} does not apply: ${match.failed.map(conditionWords).join("; ")}`,
    ),
  ];
}

/** `statement "Train" of inline policy submit of role Agent`, or by its place where it has no Sid. */
export function statementName({ policy, statement }: StatementMatch): string {
  const name = statement.sid === undefined ? statement.path : `statement "${statement.sid}"`;
  return `${name} of ${policy}`;
}
