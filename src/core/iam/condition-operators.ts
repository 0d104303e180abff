import { matchesArn } from "./arn.ts";
import { isInRange, parseIpRange } from "./ip-range.ts";
import { ANY_ONE, ANY_RUN, matchesPattern, type PatternPart } from "./pattern.ts";

/** Compares a value of the request with one of the policy. */
export interface ConditionOperator {
  /** True for `...NotEquals` and its like: no value of the policy may match. */
  readonly negated: boolean;
  /** Whether `${...}` in the policy's values is replaced. */
  readonly hasVariables: boolean;
  /** `given` is the request's, `wanted` the policy's; `text` is what the policy says as it is written. */
  readonly matches: (given: string, wanted: readonly PatternPart[], text: string) => boolean;
  /** What a value of the policy must look like; undefined when any text will do. */
  readonly valueRule?: { readonly holds: (text: string) => boolean; readonly words: string };
}

/** How a condition's operator is written: the operator itself, how many values of the key must hold, and what the lack of the key means. */
export interface OperatorName {
  /** `StringEquals`, in AWS's spelling; `Null`. */
  readonly base: string;
  readonly set: "ForAllValues" | "ForAnyValue" | undefined;
  readonly ifExists: boolean;
}

type Matches = ConditionOperator["matches"];

const literal = (wanted: readonly PatternPart[]) =>
  wanted.map((part) => (part === ANY_RUN ? "*" : part === ANY_ONE ? "?" : part)).join("");

const stringEquals: Matches = (given, wanted) => given === literal(wanted);
const stringEqualsIgnoreCase: Matches = (given, wanted) => given.toLowerCase() === literal(wanted).toLowerCase();
const stringLike: Matches = (given, wanted) => matchesPattern(wanted, given);
const arnLike: Matches = (given, wanted) => matchesArn(wanted, given);
const bool: Matches = (given, _wanted, text) => given.toLowerCase() === text.toLowerCase();
const binaryEquals: Matches = (given, _wanted, text) => given === text;
const ipAddress: Matches = (given, _wanted, text) => {
  const range = parseIpRange(text);
  return range !== undefined && isInRange(given, range);
};

const number = (text: string): number =>
  /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : Number.NaN;

/** Milliseconds since 1970 of an ISO 8601 date or of seconds since 1970; NaN for anything else. */
export function conditionDate(text: string): number {
  const trimmed = text.trim();
  if (/^\d{5,}(\.\d+)?$/.test(trimmed)) return Number(trimmed) * 1000;
  return /^\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?)?)?$/i.test(trimmed)
    ? Date.parse(trimmed)
    : Number.NaN;
}

const compare =
  (read: (text: string) => number, holds: (given: number, wanted: number) => boolean): Matches =>
  (given, _wanted, text) =>
    holds(read(given), read(text));

const positive = (
  matches: Matches,
  hasVariables: boolean,
  valueRule?: ConditionOperator["valueRule"],
): ConditionOperator => ({
  negated: false,
  hasVariables,
  matches,
  ...(valueRule === undefined ? {} : { valueRule }),
});
const not = (operator: ConditionOperator): ConditionOperator => ({ ...operator, negated: true });

const isBool = { holds: (text: string) => /^(true|false)$/i.test(text) || text.includes("${"), words: "true or false" };
const isNumber = { holds: (text: string) => !Number.isNaN(number(text)), words: "a number" };
const isDate = {
  holds: (text: string) => !Number.isNaN(conditionDate(text)),
  words: "an ISO 8601 date or seconds since 1970",
};
const isRange = { holds: (text: string) => parseIpRange(text) !== undefined, words: "an IP address or a CIDR range" };
const isBase64 = { holds: (text: string) => /^[A-Za-z0-9+/]*={0,2}$/.test(text), words: "base64" };

const numeric = (holds: (given: number, wanted: number) => boolean) =>
  positive(compare(number, holds), false, isNumber);
const date = (holds: (given: number, wanted: number) => boolean) =>
  positive(compare(conditionDate, holds), false, isDate);
const equal = (given: number, wanted: number) => given === wanted;
const less = (given: number, wanted: number) => given < wanted;
const lessOrEqual = (given: number, wanted: number) => given <= wanted;
const greater = (given: number, wanted: number) => given > wanted;
const greaterOrEqual = (given: number, wanted: number) => given >= wanted;

/**
 * Every operator but `Null`.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
 */
export const CONDITION_OPERATORS: Readonly<Record<string, ConditionOperator>> = {
  StringEquals: positive(stringEquals, true),
  StringNotEquals: not(positive(stringEquals, true)),
  StringEqualsIgnoreCase: positive(stringEqualsIgnoreCase, true),
  StringNotEqualsIgnoreCase: not(positive(stringEqualsIgnoreCase, true)),
  StringLike: positive(stringLike, true),
  StringNotLike: not(positive(stringLike, true)),
  ArnEquals: positive(arnLike, true),
  ArnLike: positive(arnLike, true),
  ArnNotEquals: not(positive(arnLike, true)),
  ArnNotLike: not(positive(arnLike, true)),
  Bool: positive(bool, false, isBool),
  BinaryEquals: positive(binaryEquals, false, isBase64),
  IpAddress: positive(ipAddress, false, isRange),
  NotIpAddress: not(positive(ipAddress, false, isRange)),
  NumericEquals: numeric(equal),
  NumericNotEquals: not(numeric(equal)),
  NumericLessThan: numeric(less),
  NumericLessThanEquals: numeric(lessOrEqual),
  NumericGreaterThan: numeric(greater),
  NumericGreaterThanEquals: numeric(greaterOrEqual),
  DateEquals: date(equal),
  DateNotEquals: not(date(equal)),
  DateLessThan: date(less),
  DateLessThanEquals: date(lessOrEqual),
  DateGreaterThan: date(greater),
  DateGreaterThanEquals: date(greaterOrEqual),
};

const SPELLING = new Map([...Object.keys(CONDITION_OPERATORS), "Null"].map((name) => [name.toLowerCase(), name]));

/** Takes an operator's name apart. Undefined for one that does not exist. */
export function parseOperator(text: string): OperatorName | undefined {
  const match = /^(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?$/i.exec(text);
  if (match === null) return undefined;
  const base = SPELLING.get(match[2]!.toLowerCase());
  const ifExists = match[3] !== undefined;
  if (base === undefined || (base === "Null" && ifExists)) return undefined;
  const set = match[1]?.toLowerCase();
  return {
    base,
    set: set === undefined ? undefined : set === "forallvalues" ? "ForAllValues" : "ForAnyValue",
    ifExists,
  };
}
