import { CONDITION_OPERATORS, type ConditionOperator, parseOperator } from "./condition-operators.ts";
import type { RequestContext } from "./context.ts";
import { patternOf } from "./pattern.ts";
import type { Condition, Policy } from "./policy.ts";
import { resolveText } from "./variables.ts";

/** A condition that did not hold, and what the request had instead. */
export interface FailedCondition {
  readonly condition: Condition;
  /** The request's values of the key; undefined when it does not have the key. */
  readonly given: readonly string[] | undefined;
}

/** Those of a statement's conditions that a request does not meet; empty when all hold. */
export function failedConditions(
  conditions: readonly Condition[],
  context: RequestContext,
  version: Policy["version"],
): FailedCondition[] {
  return conditions
    .filter((condition) => !holds(condition, context, version))
    .map((condition) => ({ condition, given: context.values(condition.key) }));
}

/** In words: `StringEquals kms:ViaService must be one of "a", "b", but the request has "c"`. */
export function conditionWords({ condition, given }: FailedCondition): string {
  const wanted = condition.values.map((value) => JSON.stringify(value)).join(", ");
  const has =
    given === undefined
      ? "the request does not have the key"
      : `the request has ${given.map((value) => JSON.stringify(value)).join(", ") || "no value"}`;
  return `${condition.operator} ${condition.key} ${wanted}: ${has}`;
}

function holds(condition: Condition, context: RequestContext, version: Policy["version"]): boolean {
  const name = parseOperator(condition.operator);
  if (name === undefined) return false;
  const given = context.values(condition.key);
  if (name.base === "Null")
    return condition.values.some((value) => (value.toLowerCase() === "true") === (given === undefined));
  const operator = CONDITION_OPERATORS[name.base]!;
  if (given === undefined && name.ifExists) return true;
  const matchesOne = matcher(operator, condition.values, context, version);
  // A set operator judges each value of the request by itself; a key that is absent has none.
  if (name.set === "ForAllValues") return (given ?? []).every(matchesOne);
  if (name.set === "ForAnyValue") return (given ?? []).some(matchesOne);
  if (given === undefined) return operator.negated;
  return operator.negated ? given.every(matchesOne) : given.some(matchesOne);
}

/** Whether one value of the request satisfies the operator against all of the policy's values. */
function matcher(
  operator: ConditionOperator,
  values: readonly string[],
  context: RequestContext,
  version: Policy["version"],
): (given: string) => boolean {
  const wanted = values.flatMap((text) => {
    const pattern = operator.hasVariables ? resolveText(text, context, version) : patternOf(text);
    return pattern === undefined ? [] : [{ pattern, text }];
  });
  // A denied value that cannot be told: the statement is invalid, as AWS says.
  if (operator.negated && wanted.length < values.length) return () => false;
  return (given) => wanted.some(({ pattern, text }) => operator.matches(given, pattern, text)) !== operator.negated;
}
