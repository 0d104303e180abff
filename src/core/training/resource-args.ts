import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";

/**
 * The body of a queue's or an item's config for a resource: takes the body itself, `{resource_args: {sagemaker: body}}` as the wandb client
 * sends it, or `{sagemaker: body}`.
 */
export function resourceBody(config: JsonValue, resource: string): JsonObject {
  let body = config;
  for (const key of ["resource_args", resource])
    if (isJsonObject(body) && isJsonObject(body[key]) && Object.keys(body).length === 1) body = body[key];
  if (isJsonObject(config) && isJsonObject(config.resource_args) && isJsonObject(config.resource_args[resource]))
    body = config.resource_args[resource];
  return isJsonObject(body) ? body : {};
}

/** `over` laid on `base`: objects key by key, everything else (lists too) as a whole. A null in `over` takes the key away. */
export function mergeJson(base: JsonObject, over: JsonObject): JsonObject {
  const merged: Record<string, JsonValue> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = Object.hasOwn(merged, key) ? merged[key] : undefined;
    if (value === null) delete merged[key];
    else merged[key] = isJsonObject(below) && isJsonObject(value) ? mergeJson(below, value) : value;
  }
  return merged;
}
