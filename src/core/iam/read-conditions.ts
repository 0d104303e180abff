import { isJsonObject, type JsonValue } from "../json.ts";
import { memberPath } from "../json-path.ts";
import { nearest } from "../nearest.ts";
import { CONDITION_OPERATORS, parseOperator } from "./condition-operators.ts";
import type { Condition } from "./policy.ts";
import { type Problems, SYNTAX } from "./problems.ts";

/** Reads a `Condition` block: values by key by operator. Truth values and numbers count as the texts that they are written as. */
export function readConditions(block: JsonValue | undefined, path: string, problems: Problems): Condition[] {
  if (block === undefined) return [];
  if (!isJsonObject(block)) {
    problems.add(path, SYNTAX, "Condition is an object", 'write {"StringEquals": {"KEY": "VALUE"}}', block);
    return [];
  }
  return Object.entries(block).flatMap(([operator, keys]) => {
    const place = memberPath(path, operator);
    if (!checkOperator(operator, place, problems)) return [];
    if (!isJsonObject(keys)) {
      problems.add(place, SYNTAX, "an operator holds an object", `write {"${operator}": {"KEY": "VALUE"}}`, keys);
      return [];
    }
    return Object.entries(keys).map(([key, given]) => {
      const keyPath = memberPath(place, key);
      checkKey(key, keyPath, problems);
      return { operator, key, values: readValues(given, operator, keyPath, problems), path: keyPath };
    });
  });
}

function checkOperator(operator: string, path: string, problems: Problems): boolean {
  if (parseOperator(operator) !== undefined) return true;
  const bare = operator.replace(/^.*:/, "").replace(/IfExists$/i, "");
  const near = nearest(bare, [...Object.keys(CONDITION_OPERATORS), "Null"]);
  const cure = near === undefined ? "use one of IAM's condition operators" : `write ${operator.replace(bare, near)}`;
  const message =
    bare.toLowerCase() === "null"
      ? "Null tells whether a key is there: it has no IfExists"
      : `"${operator}" is no condition operator`;
  problems.add(
    path,
    `Invalid Condition type : ${operator}.`,
    message,
    bare.toLowerCase() === "null" ? "write Null" : cure,
  );
  return false;
}

function checkKey(key: string, path: string, problems: Problems): void {
  if (/^[^:\s]+:.+$/.test(key)) return;
  problems.add(
    path,
    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
    `"${key}" does not have the form service:Key`,
    `write "aws:${key}" or the service's prefix`,
  );
}

function readValues(given: JsonValue, operator: string, path: string, problems: Problems): string[] {
  const rule = CONDITION_OPERATORS[parseOperator(operator)!.base]?.valueRule;
  const values = Array.isArray(given) ? (given as readonly JsonValue[]) : [given];
  return values.flatMap((value) => {
    if (typeof value !== "string" && typeof value !== "boolean" && typeof value !== "number") {
      problems.add(path, SYNTAX, "a condition's value is a text", "put it in quotes", value);
      return [];
    }
    const text = String(value);
    const isNull = parseOperator(operator)!.base === "Null";
    if (isNull ? !/^(true|false)$/i.test(text) : rule?.holds(text) === false) {
      const words = isNull ? "true or false" : rule!.words;
      problems.add(path, SYNTAX, `${operator} compares with ${words}, not with "${text}"`, `write ${words}`, value);
    }
    return [text];
  });
}
