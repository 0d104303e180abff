import { isJsonObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import type { AwsError } from "../service.ts";
import { invalidParameter } from "./errors.ts";

/** Members of a request, checked as they are read. All throw InvalidParameterException. */
export function stringOf(input: JsonObject, name: string): string {
  const value = optionalString(input, name);
  if (value === undefined) throw invalidParameter(name, "must not be null");
  return value;
}

export function optionalString(input: JsonObject, name: string): string | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw wrongType(name, "a string");
  return value;
}

export function optionalInteger(input: JsonObject, name: string, minimum: number, maximum: number): number | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw wrongType(name, "a whole number");
  if (value < minimum) throw invalidParameter(name, `must have value greater than or equal to ${minimum}`);
  if (value > maximum) throw invalidParameter(name, `must have value less than or equal to ${maximum}`);
  return value;
}

export function optionalBoolean(input: JsonObject, name: string): boolean {
  const value = input[name];
  if (value === undefined || value === null) return false;
  if (typeof value !== "boolean") throw wrongType(name, "true or false");
  return value;
}

export function optionalObject(input: JsonObject, name: string): JsonObject | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (!isJsonObject(value)) throw wrongType(name, "a structure");
  return value;
}

export function optionalList(input: JsonObject, name: string, maximum: number): readonly JsonValue[] | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw wrongType(name, "a list");
  if (value.length > maximum) throw invalidParameter(name, `must have length less than or equal to ${maximum}`);
  return value as readonly JsonValue[];
}

export function optionalStrings(input: JsonObject, name: string, maximum: number): readonly string[] | undefined {
  return optionalList(input, name, maximum)?.map((value) => {
    if (typeof value !== "string") throw wrongType(name, "a list of strings");
    return value;
  });
}

export function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw invalidParameter(name, `must satisfy enum value set: [${allowed.join(", ")}]`);
  return found;
}

export function objectsOf(input: JsonObject, name: string, maximum: number): readonly JsonObject[] | undefined {
  return optionalList(input, name, maximum)?.map((value) => {
    if (!isJsonObject(value)) throw wrongType(name, "a list of structures");
    return value;
  });
}

function wrongType(name: string, expected: string): AwsError {
  return invalidParameter(name, `must be ${expected}`);
}
