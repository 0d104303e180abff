import type { Principal } from "../service.ts";
import { parsePolicy, type Statement } from "./policy-document.ts";

/** Who wants to assume a role: a principal of an account, or an AWS service (`sagemaker.amazonaws.com`). */
export type Assumer = Principal | { readonly service: string };

/**
 * Whether a role's trust policy names the assumer and no statement of it denies. Conditions: StringEquals and StringLike
 * (also with ...IfExists) over the keys of `context`; a condition on anything else is not met.
 */
export function trusts(trustPolicy: string, assumer: Assumer, context: Readonly<Record<string, string>>): boolean {
  const matching = parsePolicy(trustPolicy, "trust").filter(
    (statement) =>
      matchesAction(statement) && matchesPrincipal(statement, assumer) && matchesConditions(statement, context),
  );
  return matching.some(({ effect }) => effect === "Allow") && !matching.some(({ effect }) => effect === "Deny");
}

function matchesAction(statement: Statement): boolean {
  const named = (patterns: readonly string[]) =>
    patterns.some((pattern) => like(pattern.toLowerCase(), "sts:assumerole"));
  return statement.actions.length > 0 ? named(statement.actions) : !named(statement.notActions);
}

function matchesPrincipal(statement: Statement, assumer: Assumer): boolean {
  if ("service" in assumer) return statement.principals.Service?.includes(assumer.service) === true;
  const { accountId, arn, type, name } = assumer;
  const names = new Set(["*", accountId, `arn:aws:iam::${accountId}:root`, arn]);
  return (
    statement.principals.AWS?.some(
      (given) => names.has(given) || (type === "assumed-role" && roleArnNames(given, accountId, name ?? "")),
    ) === true
  );
}

/** A session belongs to `arn:aws:iam::ACCOUNT:role/PATH/NAME`, whatever the path. */
function roleArnNames(arn: string, accountId: string, roleName: string): boolean {
  return arn.startsWith(`arn:aws:iam::${accountId}:role/`) && arn.slice(arn.lastIndexOf("/") + 1) === roleName;
}

function matchesConditions(statement: Statement, context: Readonly<Record<string, string>>): boolean {
  return Object.entries(statement.conditions).every(([operator, keys]) => {
    const base = operator.replace(/IfExists$/, "");
    const optional = base !== operator;
    if (base !== "StringEquals" && base !== "StringLike") return false;
    return Object.entries(keys).every(([key, values]) => {
      const actual = Object.entries(context).find(([name]) => name.toLowerCase() === key.toLowerCase())?.[1];
      if (actual === undefined) return optional;
      return values.some((value) => (base === "StringEquals" ? value === actual : like(value, actual)));
    });
  });
}

/** Policy wildcards: `*` is any run of characters, `?` any one. No regular expression: its time could grow without end. */
function like(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  let position = 0;
  while (position < text.length) {
    if (pattern[at] === "*") {
      star = at++;
      resume = position;
    } else if (at < pattern.length && (pattern[at] === "?" || pattern[at] === text[position])) {
      at++;
      position++;
    } else if (star >= 0) {
      // The last star takes one character more.
      at = star + 1;
      position = ++resume;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
