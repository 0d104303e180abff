import type { Problem } from "../errors/slipway-error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { elementPath, memberPath } from "../json-path.ts";
import { didYouMean } from "../nearest.ts";

/**
 * Where a config differs from the types of the config that the job's own run had, which the wandb client wrote down
 * (`{"wb_type": "typedDict", "params": {"type_map": {...}}}`, wandb/sdk/data_types/_dtypes.py). They were seen, not declared: a
 * difference may be meant, so it is a warning. Types that this page does not know fit everything.
 */
export function inputTypeWarnings(types: JsonValue, config: JsonObject): readonly Problem[] {
  return isJsonObject(types) && Object.keys(typeMap(types)).length > 0 ? dictWarnings(types, config, ROOT) : [];
}

const ROOT = "overrides.run_config";

function dictWarnings(type: JsonObject, value: JsonObject, path: string): Problem[] {
  const known = typeMap(type);
  return Object.entries(value).flatMap(([key, one]) => {
    const place = memberPath(path, key);
    const expected = known[key];
    if (expected !== undefined) return warnings(expected, one, place);
    // Names of the client itself, for instance _wandb.
    if (key.startsWith("_")) return [];
    const message = `${place} is not in the config that the job's run had`;
    return [{ path: place, message, ...didYouMean(key, Object.keys(known)) }];
  });
}

function warnings(type: JsonValue, value: JsonValue, path: string): Problem[] {
  if (!isJsonObject(type)) return [];
  const params = isJsonObject(type.params) ? type.params : {};
  const wrong = (wanted: string): Problem[] => [
    { path, message: `${path} was ${wanted} in the job's run and is ${kindOf(value)} now` },
  ];
  switch (type.wb_type) {
    case "number":
      return typeof value === "number" ? [] : wrong("a number");
    case "string":
      return typeof value === "string" ? [] : wrong("a text");
    case "boolean":
      return typeof value === "boolean" ? [] : wrong("true or false");
    case "list": {
      if (!Array.isArray(value)) return wrong("a list");
      const element = params.element_type;
      if (element === undefined) return [];
      return value.flatMap((one, index) => warnings(element, one as JsonValue, elementPath(path, index)));
    }
    case "typedDict":
    case "dictionary":
      return isJsonObject(value) ? dictWarnings(type, value, path) : wrong("an object");
    case "union": {
      const allowed = Array.isArray(params.allowed_types) ? (params.allowed_types as readonly JsonValue[]) : [];
      const fits = allowed.length === 0 || allowed.some((one) => warnings(one, value, path).length === 0);
      return fits ? [] : wrong("of another type");
    }
    default:
      return [];
  }
}

function typeMap(type: JsonObject): JsonObject {
  const params = isJsonObject(type.params) ? type.params : {};
  return isJsonObject(params.type_map) ? params.type_map : {};
}

function kindOf(value: JsonValue): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return { string: "a text", number: "a number", boolean: "true or false" }[typeof value as string] ?? "an object";
}
