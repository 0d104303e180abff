import { isJsonObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import { AwsError } from "../service.ts";
import type { EncryptionContext } from "./cipher.ts";

/** Members of a request. A required one that is missing is a ValidationException. */
export function stringOf(input: JsonObject, name: string): string {
  const value = textOf(input, name);
  if (value !== undefined) return value;
  const member = name.slice(0, 1).toLowerCase() + name.slice(1);
  throw new AwsError(
    "ValidationException",
    `1 validation error detected: Value null at '${member}' failed to satisfy constraint: Member must not be null`,
  );
}

export function textOf(input: JsonObject, name: string): string | undefined {
  const value = input[name];
  return typeof value === "string" ? value : undefined;
}

export function bytesOf(input: JsonObject, name: string): Buffer {
  return Buffer.from(stringOf(input, name), "base64");
}

export function listOf(input: JsonObject, name: string): string[] {
  const value = input[name];
  return Array.isArray(value) ? (value as readonly JsonValue[]).filter((item) => typeof item === "string") : [];
}

export function pairsOf(value: JsonValue | undefined): Record<string, string> | undefined {
  if (!isJsonObject(value)) return undefined;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, String(item)]));
}

export function encryptionContext(input: JsonObject): EncryptionContext {
  return pairsOf(input.EncryptionContext) ?? {};
}

export function tagsOf(input: JsonObject): Record<string, string> {
  const tags = Array.isArray(input.Tags) ? (input.Tags as readonly JsonValue[]).filter(isJsonObject) : [];
  return Object.fromEntries(tags.map(({ TagKey, TagValue }) => [String(TagKey), String(TagValue)]));
}
