import { ANY_ONE, ANY_RUN, matchesPattern, type PatternPart } from "./pattern.ts";

/** An ARN's parts: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`. Only the resource may hold further colons. */
export interface Arn {
  readonly partition: string;
  readonly service: string;
  readonly region: string;
  readonly account: string;
  readonly resource: string;
}

/** Undefined for a text that is no ARN. */
export function parseArn(text: string): Arn | undefined {
  const parts = text.split(":");
  if (parts[0] !== "arn" || parts.length < 6) return undefined;
  const [, partition = "", service = "", region = "", account = "", ...resource] = parts;
  return { partition, service, region, account, resource: resource.join(":") };
}

/**
 * Whether an ARN matches a pattern, part by part: a wildcard does not reach over a colon, except in the resource, which comes last.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
 */
export function matchesArn(pattern: readonly PatternPart[], arn: string): boolean {
  const wanted = splitPattern(pattern);
  const given = arn.split(":");
  if (wanted.length !== 6 || given.length < 6) return false;
  const parts = [...given.slice(0, 5), given.slice(5).join(":")];
  return wanted.every((part, index) => matchesPattern(part, parts[index]!));
}

/** Whether a resource matches an entry of `Resource`. `*` stands for every resource, and for the lack of one. */
export function matchesResource(pattern: readonly PatternPart[], resource: string): boolean {
  if (pattern.length > 0 && pattern.every((part) => part === ANY_RUN)) return true;
  return matchesArn(pattern, resource);
}

/** Up to six patterns, split at the first five colons of the texts in between. */
function splitPattern(pattern: readonly PatternPart[]): PatternPart[][] {
  const parts: PatternPart[][] = [[]];
  for (const piece of pattern) {
    if (piece === ANY_RUN || piece === ANY_ONE) {
      parts.at(-1)!.push(piece);
      continue;
    }
    let rest = piece;
    while (parts.length < 6) {
      const colon = rest.indexOf(":");
      if (colon < 0) break;
      parts.at(-1)!.push(rest.slice(0, colon));
      parts.push([]);
      rest = rest.slice(colon + 1);
    }
    parts.at(-1)!.push(rest);
  }
  return parts;
}
