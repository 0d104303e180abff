import { matchesResource } from "./arn.ts";
import { type FailedCondition, failedConditions } from "./conditions.ts";
import type { RequestContext } from "./context.ts";
import { matchesAction } from "./pattern.ts";
import type { NamedPolicy, Policy, Statement } from "./policy.ts";
import { type Naming, namedBy, type Requester } from "./principal.ts";
import { resolveText } from "./variables.ts";

/** What statements are matched against. */
export interface Question {
  readonly requester: Requester;
  readonly action: string;
  readonly resource: string;
  readonly context: RequestContext;
}

/** A statement that spoke about a request. */
export interface StatementMatch {
  /** Name of its policy. */
  readonly policy: string;
  readonly statement: Statement;
  /** How it names the requester, where it names principals. */
  readonly naming: Naming | undefined;
}

/** A statement that would have spoken, but for its conditions. */
export interface NearMatch extends StatementMatch {
  readonly failed: readonly FailedCondition[];
}

/** The statements of a policy that speak about a request, and those that would but for their conditions. */
export interface PolicyMatches {
  readonly allows: readonly StatementMatch[];
  readonly denies: readonly StatementMatch[];
  readonly near: readonly NearMatch[];
}

export function matchPolicies(policies: readonly NamedPolicy[], question: Question): PolicyMatches {
  const allows: StatementMatch[] = [];
  const denies: StatementMatch[] = [];
  const near: NearMatch[] = [];
  for (const { name, policy } of policies) {
    for (const statement of policy.statements) {
      const naming = statement.principals === undefined ? undefined : namedBy(statement.principals, question.requester);
      if (statement.principals !== undefined && naming === undefined) continue;
      if (!speaksOfAction(statement, question.action) || !speaksOfResource(statement, policy, question)) continue;
      const match = { policy: name, statement, naming };
      const failed = failedConditions(statement.conditions, question.context, policy.version);
      if (failed.length > 0) near.push({ ...match, failed });
      else (statement.effect === "Allow" ? allows : denies).push(match);
    }
  }
  return { allows, denies, near };
}

/** Whether a statement's `Action` or `NotAction` covers an action. */
export function speaksOfAction({ actions }: Statement, action: string): boolean {
  return actions.patterns.some((pattern) => matchesAction(pattern, action)) !== actions.not;
}

/** Whether a statement's `Resource` or `NotResource` covers a resource. A trust policy has neither: it is about its role. */
export function speaksOfResource(
  { resources }: Statement,
  { version }: Pick<Policy, "version">,
  { resource, context }: Pick<Question, "resource" | "context">,
): boolean {
  if (resources === undefined) return true;
  const patterns = resources.patterns.map((text) => resolveText(text, context, version));
  // "All but" something that cannot be told says nothing: AWS takes a statement with such a variable as invalid.
  if (resources.not && patterns.includes(undefined)) return false;
  return patterns.some((pattern) => pattern !== undefined && matchesResource(pattern, resource)) !== resources.not;
}
