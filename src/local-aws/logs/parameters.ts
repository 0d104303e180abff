import type { JsonObject, JsonValue } from "../../core/json.ts";
import { AwsError } from "../service.ts";

/** Reads the members of one request, with CloudWatch Logs' own words for what is wrong. */
export interface Parameters {
  string(name: string, rule?: { required?: boolean; max?: number; pattern?: string }): string | undefined;
  integer(name: string, rule?: { min?: number; max?: number }): number | undefined;
  boolean(name: string): boolean;
  strings(name: string, max: number): string[] | undefined;
}

/** The patterns of the service's API reference. */
export const GROUP_NAME = { max: 512, pattern: "[\\.\\-_/#A-Za-z0-9]+" };
export const STREAM_NAME = { max: 512, pattern: "[^:*]*" };

export function invalidParameter(message: string): AwsError {
  return new AwsError("InvalidParameterException", message);
}

export function readParameters(input: JsonObject): Parameters {
  const get = (name: string): JsonValue | undefined => input[name] ?? undefined;
  const refuse = (name: string, value: string, rule: string) =>
    invalidParameter(
      `1 validation error detected: Value '${value}' at '${name}' failed to satisfy constraint: ${rule}`,
    );
  return {
    string(name, rule = {}) {
      const value = get(name);
      if (value === undefined) {
        if (rule.required !== true) return undefined;
        throw invalidParameter(
          `1 validation error detected: Value null at '${name}' failed to satisfy constraint: Member must not be null`,
        );
      }
      if (typeof value !== "string") throw serialization("STRING_VALUE", value);
      if (rule.required === true && value.length < 1) {
        throw refuse(name, value, "Member must have length greater than or equal to 1");
      }
      if (rule.max !== undefined && value.length > rule.max) {
        throw refuse(name, value, `Member must have length less than or equal to ${rule.max}`);
      }
      if (rule.pattern !== undefined && !new RegExp(`^(?:${rule.pattern})$`).test(value)) {
        throw refuse(name, value, `Member must satisfy regular expression pattern: ${rule.pattern}`);
      }
      return value;
    },
    integer(name, rule = {}) {
      const value = get(name);
      if (value === undefined) return undefined;
      if (typeof value !== "number") throw serialization("NUMBER_VALUE", value);
      const whole = Math.trunc(value);
      if (rule.min !== undefined && whole < rule.min) {
        throw refuse(name, String(whole), `Member must have value greater than or equal to ${rule.min}`);
      }
      if (rule.max !== undefined && whole > rule.max) {
        throw refuse(name, String(whole), `Member must have value less than or equal to ${rule.max}`);
      }
      return whole;
    },
    boolean(name) {
      const value = get(name);
      if (value === undefined) return false;
      if (typeof value !== "boolean") throw serialization("TRUE_VALUE", value);
      return value;
    },
    strings(name, max) {
      const value = get(name);
      if (value === undefined) return undefined;
      if (!Array.isArray(value)) throw serialization("list", value);
      const items = value as readonly JsonValue[];
      if (items.length > max)
        throw refuse(name, `[${items.join(", ")}]`, `Member must have length less than or equal to ${max}`);
      return items.map((item) => {
        if (typeof item !== "string") throw serialization("STRING_VALUE", item);
        return item;
      });
    },
  };
}

function serialization(expected: string, value: JsonValue): AwsError {
  const kind = Array.isArray(value) ? "START_ARRAY" : typeof value === "object" ? "START_OBJECT" : `${typeof value}`;
  return new AwsError("SerializationException", `${kind} can not be converted to ${expected}`);
}
