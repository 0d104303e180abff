import type { KeyTarget } from "./access-targets.ts";
import { type AccessNeed, type AccessRequest, accessNeed, exampleOf, type PolicyCondition } from "./policy-document.ts";

interface KeyUse {
  readonly sid: string;
  readonly why: string;
  readonly without: string;
  readonly actions: readonly string[];
  readonly condition?: PolicyCondition;
  readonly context?: AccessRequest["context"];
}

/**
 * What is done with keys: one need for those named by their ARN or id, one for each alias (its condition would bind the others too).
 * https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
 */
export function keyNeed(keys: readonly KeyTarget[], use: KeyUse): AccessNeed[] {
  const named = keys.filter(({ alias }) => alias === undefined).map(({ resource }) => resource);
  const needs = named.length === 0 ? [] : [accessNeed({ ...use, resources: [...new Set(named)] })];
  const aliased = keys.filter((key): key is KeyTarget & { alias: string } => key.alias !== undefined);
  for (const { resource, alias } of aliased) {
    const context = { ...use.context, "kms:ResourceAliases": [exampleOf(alias)] };
    const operator = alias.includes("*") ? "ForAnyValue:StringLike" : "ForAnyValue:StringEquals";
    needs.push(
      accessNeed({
        ...use,
        sid: `${use.sid}${aliased.length + named.length === 1 ? "" : `Alias${alias.replace(/[^A-Za-z0-9]/g, "")}`}`,
        why: `${use.why}; the key is named by its alias, so the statement is for the key that has it`,
        resources: [resource],
        condition: { ...use.condition, [operator]: { "kms:ResourceAliases": alias } },
        context,
      }),
    );
  }
  return needs;
}
