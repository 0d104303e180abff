import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import type { Problem } from "../errors/slipway-error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { elementPath, memberPath } from "../json-path.ts";
import { didYouMean } from "../nearest.ts";
import { slowPattern } from "../queues/template-pattern.ts";

/** JSON Schemas that a job gives for its inputs: for the run's config, and for each of its managed config files. */
export interface InputSchemas {
  readonly config: JsonObject | undefined;
  /** By the file's path as the code names it. */
  readonly files: Readonly<Record<string, JsonObject>>;
}

/** The client's name for the run's config among a job's inputs. */
const CONFIG = "@wandb.config";
const PROBLEMS_SHOWN = 20;
const SCHEMAS_KEPT = 200;

/** The schemas in a job artifact's metadata, `{input_schemas: {"@wandb.config": S, files: {PATH: S}}}` (wandb-core). */
export function inputSchemas(metadata: JsonValue): InputSchemas {
  const all = objectAt(metadata, "input_schemas");
  const files = Object.entries(objectAt(all, "files")).filter((entry): entry is [string, JsonObject] =>
    isJsonObject(entry[1]),
  );
  const config = all[CONFIG];
  return { config: isJsonObject(config) ? config : undefined, files: Object.fromEntries(files) };
}

/**
 * What is wrong with the values of an item by its job's schemas; paths are those of the run spec. A value that is not given
 * is the job's own, so it is missed only where the schema asks for it and says no default. `unread` are the schemas that
 * can't be used, as sentences.
 */
export function inputProblems(
  schemas: InputSchemas,
  given: { readonly run_config?: JsonObject; readonly files?: JsonObject },
): { readonly problems: readonly Problem[]; readonly unread: readonly string[] } {
  const problems: Problem[] = [];
  const unread: string[] = [];
  const check = (schema: JsonObject, value: JsonValue, path: string) => {
    const validate = validator(schema);
    if (typeof validate === "string") unread.push(`The schema of ${path} is not used: ${validate}`);
    else if (!validate(value)) problems.push(...(validate.errors ?? []).map((error) => problemOf(error, path)));
  };
  if (schemas.config) check(schemas.config, given.run_config ?? {}, "overrides.run_config");
  for (const [file, schema] of Object.entries(schemas.files)) {
    const value = given.files?.[file];
    // A file that the item leaves alone is the code's own.
    if (value !== undefined) check(schema, value, memberPath("overrides.files", file));
  }
  return { problems: problems.slice(0, PROBLEMS_SHOWN), unread };
}

const validators = new Map<string, ValidateFunction | string>();

/** The check that a schema describes, or why there is none. Schemas are few and items many, so checks are kept. */
function validator(schema: JsonObject): ValidateFunction | string {
  const key = JSON.stringify(schema);
  const known = validators.get(key);
  if (known !== undefined) return known;
  let made: ValidateFunction | string;
  try {
    // Formats are hints for forms, and a reference to another place is not followed.
    const ajv = new Ajv2020({
      strict: false,
      allErrors: true,
      validateFormats: false,
      validateSchema: false,
      verbose: true,
    });
    made = ajv.compile(usable(schema) as JsonObject);
  } catch (error) {
    made = error instanceof Error ? error.message : String(error);
  }
  if (validators.size >= SCHEMAS_KEPT) validators.clear();
  validators.set(key, made);
  return made;
}

/**
 * The schema as it can be checked: `required: true` on a property (the client's own form) joins its parent's list, what has a
 * default is not asked for, and patterns that could take for ever are left out.
 */
function usable(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(usable);
  if (!isJsonObject(value)) return value;
  const { properties, required, pattern, patternProperties, ...rest } = value;
  const result: Record<string, JsonValue> = Object.fromEntries(
    Object.entries(rest).map(([key, one]) => [key, KEPT_AS_THEY_ARE.has(key) ? one : usable(one)]),
  );
  if (typeof pattern === "string" && slowPattern(pattern) === undefined) result.pattern = pattern;
  if (isJsonObject(patternProperties)) {
    const safe = Object.entries(patternProperties).filter(([expression]) => slowPattern(expression) === undefined);
    result.patternProperties = Object.fromEntries(safe.map(([expression, one]) => [expression, usable(one)]));
  }
  if (Array.isArray(required)) result.required = required;
  if (isJsonObject(properties)) {
    const names = new Set(Array.isArray(required) ? (required as readonly string[]) : []);
    for (const [name, one] of Object.entries(properties)) {
      if (!isJsonObject(one)) continue;
      if (one.required === true) names.add(name);
      if ("default" in one) names.delete(name);
    }
    result.required = [...names];
    result.properties = Object.fromEntries(Object.entries(properties).map(([name, one]) => [name, usable(one)]));
  }
  return result;
}

/** Their values are data, not schemas. */
const KEPT_AS_THEY_ARE = new Set(["enum", "const", "default", "examples"]);

function problemOf(error: ErrorObject, root: string): Problem {
  const steps = error.instancePath.split("/").slice(1).map(unescaped);
  const at = (path: readonly string[]) =>
    path.reduce(
      (place, step) => (/^\d+$/.test(step) ? elementPath(place, Number(step)) : memberPath(place, step)),
      root,
    );
  const { params, keyword } = error;
  if (keyword === "required") {
    const path = at([...steps, String(params.missingProperty)]);
    return { path, message: `${path} is missing; the job asks for it` };
  }
  if (keyword === "additionalProperties" || keyword === "unevaluatedProperties") {
    const name = String(params.additionalProperty ?? params.unevaluatedProperty);
    const path = at([...steps, name]);
    return { path, message: `${path} is no input of the job` };
  }
  const path = at(steps);
  if (keyword === "enum") {
    const values = (params.allowedValues as readonly unknown[]).map(String);
    const given = error.data === undefined ? undefined : String(error.data);
    const near = given === undefined ? {} : didYouMean(given, values);
    return { path, message: `${path} must be one of ${values.join(", ")}`, ...near };
  }
  return { path, message: `${path} ${error.message ?? "is not valid"}` };
}

const unescaped = (step: string) => step.replaceAll("~1", "/").replaceAll("~0", "~");

function objectAt(value: JsonValue | undefined, key: string): JsonObject {
  const found = isJsonObject(value) ? value[key] : undefined;
  return isJsonObject(found) ? found : {};
}
