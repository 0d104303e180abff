import type { JsonObject, JsonValue } from "../../core/json.ts";
import { type Shape, shapeNamed, wholePattern } from "../../core/sagemaker-model/model.ts";
import { AwsError } from "../service.ts";

/**
 * Reads a request by its shape of the service model. Members that the shape does not know are ignored, as the service does.
 * Throws SerializationException for a value of the wrong type, ValidationException with every broken constraint
 * ("2 validation errors detected: Value 'x' at 'trainingJobName' failed to satisfy constraint: ...; ...").
 */
export function readInput(shapeName: string, input: JsonObject): JsonObject {
  const problems: string[] = [];
  const value = read(shapeName, input, "", problems) as JsonObject;
  refuse(problems);
  return value;
}

/** Throws the ValidationException that lists broken constraints; nothing when there are none. */
export function refuse(problems: readonly string[]): void {
  if (problems.length === 0) return;
  const count = `${problems.length} validation error${problems.length === 1 ? "" : "s"} detected`;
  throw new AwsError("ValidationException", `${count}: ${problems.join("; ")}`);
}

/** A member that must be there, in the service's words. */
export function missing(path: string): string {
  return `Value null at '${path}' failed to satisfy constraint: Member must not be null`;
}

function read(shapeName: string, value: JsonValue, path: string, problems: string[]): JsonValue {
  const shape = shapeNamed(shapeName);
  switch (shape.type) {
    case "structure":
      return readStructure(shape, value, path, problems);
    case "list": {
      if (!Array.isArray(value)) throw serialization("Expected list or null");
      const items = value as readonly JsonValue[];
      const list = items
        .filter((item) => item !== null)
        .map((item, index) => read(shape.member!, item, `${path}.${index + 1}.member`, problems));
      problems.push(...constraints(shape, list.length, list).map((rule) => failed(list, path, rule)));
      return list;
    }
    case "map":
      return readMap(shape, value, path, problems);
    case "string":
      if (typeof value !== "string") throw serialization(`${token(value)} can not be converted to a String`);
      problems.push(...constraints(shape, value.length, value).map((rule) => failed(value, path, rule)));
      return value;
    case "boolean":
      if (typeof value !== "boolean") throw serialization(`${token(value)} can not be converted to a Boolean`);
      return value;
    case "timestamp": {
      const seconds = typeof value === "string" ? Date.parse(value) / 1000 : value;
      if (typeof seconds !== "number" || !Number.isFinite(seconds)) {
        throw serialization(`${token(value)} can not be converted to milliseconds since epoch`);
      }
      return seconds;
    }
    case "integer":
    case "long": {
      if (typeof value !== "number") {
        throw serialization(
          `${token(value)} can not be converted to ${shape.type === "integer" ? "an Integer" : "a Long"}`,
        );
      }
      const whole = Math.trunc(value);
      problems.push(...constraints(shape, whole, whole).map((rule) => failed(whole, path, rule)));
      return whole;
    }
    default:
      if (typeof value !== "number") throw serialization(`${token(value)} can not be converted to a Double`);
      return value;
  }
}

function readStructure(shape: Shape, value: JsonValue, path: string, problems: string[]): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw serialization(Array.isArray(value) ? "Unexpected list" : "Unexpected value type in payload");
  }
  const given = value as JsonObject;
  const result: Record<string, JsonValue> = {};
  for (const [name, memberShape] of Object.entries(shape.members ?? {})) {
    const member = Object.hasOwn(given, name) ? given[name] : undefined;
    const memberPath = path === "" ? lowerFirst(name) : `${path}.${lowerFirst(name)}`;
    if (member === undefined || member === null) {
      if (shape.required?.includes(name) === true) problems.push(missing(memberPath));
      continue;
    }
    result[name] = read(memberShape, member, memberPath, problems);
  }
  return result;
}

function readMap(shape: Shape, value: JsonValue, path: string, problems: string[]): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw serialization("Expected map or null");
  const entries = Object.entries(value as JsonObject).filter(([, item]) => item !== null);
  const result: Record<string, JsonValue> = {};
  const keyShape = shapeNamed(shape.key!);
  const valueShape = shapeNamed(shape.value!);
  let badKey = false;
  let badValue = false;
  for (const [key, item] of entries) {
    badKey ||= constraints(keyShape, key.length, key).length > 0;
    const inner: string[] = [];
    result[key] = read(shape.value!, item, `${path}.${key}.member`, inner);
    if (inner.length === 0) continue;
    if (valueShape.type === "string") badValue = true;
    else problems.push(...inner);
  }
  problems.push(...constraints(shape, entries.length, result).map((rule) => failed(result, path, rule)));
  if (badKey) problems.push(failed(result, path, `Map keys must satisfy constraint: [${allRules(keyShape)}]`));
  if (badValue) problems.push(failed(result, path, `Map value must satisfy constraint: [${allRules(valueShape)}]`));
  return result;
}

/** The rules of a shape that a value breaks. `size` is what min and max are compared with. */
function constraints(shape: Shape, size: number, value: JsonValue): string[] {
  const measure = shape.type === "integer" || shape.type === "long" ? "value" : "length";
  const broken: string[] = [];
  if (shape.enum !== undefined && !shape.enum.includes(value as string)) {
    broken.push(`Member must satisfy enum value set: [${shape.enum.join(", ")}]`);
  }
  if (shape.pattern !== undefined && typeof value === "string" && !wholePattern(shape.pattern).test(value)) {
    broken.push(`Member must satisfy regular expression pattern: ${shape.pattern}`);
  }
  if (shape.max !== undefined && size > shape.max) {
    broken.push(`Member must have ${measure} less than or equal to ${shape.max}`);
  }
  if (shape.min !== undefined && size < shape.min) {
    broken.push(`Member must have ${measure} greater than or equal to ${shape.min}`);
  }
  return broken;
}

function allRules(shape: Shape): string {
  const rules: string[] = [];
  if (shape.max !== undefined) rules.push(`Member must have length less than or equal to ${shape.max}`);
  if (shape.min !== undefined) rules.push(`Member must have length greater than or equal to ${shape.min}`);
  if (shape.pattern !== undefined) rules.push(`Member must satisfy regular expression pattern: ${shape.pattern}`);
  return rules.join(", ");
}

function failed(value: JsonValue, path: string, rule: string): string {
  return `Value '${display(value)}' at '${path}' failed to satisfy constraint: ${rule}`;
}

/** How the service prints a value: lists as `[a, b]`, maps as `{k=v, k=v}`. */
function display(value: JsonValue): string {
  if (Array.isArray(value)) return `[${(value as readonly JsonValue[]).map(display).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value as JsonObject).map(([key, item]) => `${key}=${display(item)}`);
    return `{${entries.join(", ")}}`;
  }
  return String(value);
}

function token(value: JsonValue): string {
  if (Array.isArray(value)) return "START_ARRAY";
  if (typeof value === "object") return "START_OBJECT";
  if (typeof value === "boolean") return value ? "TRUE_VALUE" : "FALSE_VALUE";
  return typeof value === "number" ? "NUMBER_VALUE" : "STRING_VALUE";
}

function serialization(message: string): AwsError {
  return new AwsError("SerializationException", message);
}

/** `S3OutputPath` is `s3OutputPath`, `VPC` stays itself only in its tail: the service lowers the first letter. */
function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
