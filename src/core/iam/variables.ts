import type { RequestContext } from "./context.ts";
import { type PatternPart, patternOf } from "./pattern.ts";
import type { Policy } from "./policy.ts";

/** `${key}`, `${key, 'default'}`, and the characters themselves: `${*}`, `${?}`, `${$}`. */
const VARIABLE = /\$\{([^{}]*)\}/g;

/**
 * Reads a text of a policy with the values of a request put in. What a variable stands for is taken as it is: a `*` in a user's name is no wildcard.
 * Undefined when the request does not have a variable's key (nor exactly one value of it) and the policy gives no default: such a text matches nothing.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
 */
export function resolveText(
  text: string,
  context: RequestContext,
  version: Policy["version"],
): PatternPart[] | undefined {
  if (version !== "2012-10-17" || !text.includes("${")) return patternOf(text);
  const parts: PatternPart[] = [];
  let end = 0;
  for (const match of text.matchAll(VARIABLE)) {
    parts.push(...patternOf(text.slice(end, match.index)));
    end = match.index + match[0].length;
    const value = replacement(match[1]!, context);
    if (value === undefined) return undefined;
    parts.push(value);
  }
  parts.push(...patternOf(text.slice(end)));
  return parts;
}

function replacement(inside: string, context: RequestContext): string | undefined {
  if (/^[*?$]$/.test(inside)) return inside;
  const values = context.values(keyOf(inside));
  if (values?.length === 1) return values[0];
  return /,\s*'([^']*)'\s*$/.exec(inside)?.[1];
}

function keyOf(inside: string): string {
  return inside.replace(/,.*$/s, "").trim();
}
