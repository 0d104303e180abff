import { type Problem, SlipwayError } from "../errors/slipway-error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { elementPath, memberPath } from "../json-path.ts";
import { didYouMean } from "../nearest.ts";
import { compilePattern, slowPattern } from "../queues/template-pattern.ts";
import { readYaml } from "../yaml-document.ts";
import { inputProblems } from "./input-schema.ts";

const TYPES = ["object", "array", "string", "number", "integer", "boolean", "null"];
const NUMBERS = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
const COUNTS = ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"];
/** Members that hold schemas: by name, in a list, and one. */
const NAMED = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
const LISTED = ["allOf", "anyOf", "oneOf", "prefixItems"];
const SINGLE = [
  ...["items", "additionalProperties", "unevaluatedProperties", "unevaluatedItems", "propertyNames", "contains"],
  ...["not", "if", "then", "else"],
];
const KEYWORDS = [
  ...["type", "enum", "const", "default", "required", "pattern", "format", "uniqueItems", "dependentRequired"],
  ...["title", "description", "examples", "$ref", "$schema", "$id", "$comment", "deprecated", "readOnly"],
  // The wandb client's own, for forms.
  ...["label", "placeholder"],
  ...[...NUMBERS, ...COUNTS, ...NAMED, ...LISTED, ...SINGLE],
];

type Path = readonly (string | number)[];

/**
 * Reads the JSON Schema of a job's run config from YAML or JSON. Mistakes that would make a bound mean nothing are refused: a
 * misspelt keyword, a bound of the wrong type, a default outside its own bounds. Throws JOB_SCHEMA_INVALID with line and column.
 */
export function readInputSchemaFile(text: string, file: string): JsonObject {
  const document = readYaml(text);
  const found: Problem[] = [...document.problems];
  const { value } = document;
  if (found.length === 0) {
    check(value as JsonValue, [], (path, message, { hint, key } = {}) => {
      const place = document.positionOf(path, key);
      const whole = key === undefined ? path : [...path, key];
      found.push({ path: written(whole), message, ...(hint === undefined ? {} : { hint }), ...place });
    });
    if (isJsonObject(value) && value.type !== "object")
      found.push({
        path: "type",
        message: "The schema of a run config describes an object",
        hint: 'Write type: "object" at its top, and the inputs under properties.',
        ...document.positionOf(["type"]),
      });
  }
  // Only what is sound in its parts can be tried as a whole.
  if (found.length === 0) {
    const { unread } = inputProblems({ config: value as JsonObject, files: {} }, {});
    found.push(...unread.map((message) => ({ path: "", message, line: 1, column: 1 })));
  }
  if (found.length === 0) return value as JsonObject;
  throw new SlipwayError("JOB_SCHEMA_INVALID", {
    values: { file, count: found.length },
    where: file,
    problems: found,
  });
}

type Report = (path: Path, message: string, more?: { readonly hint?: string; readonly key?: string }) => unknown;

function check(schema: JsonValue | undefined, path: Path, report: Report): void {
  if (typeof schema === "boolean" && path.length > 0) return;
  if (!isJsonObject(schema)) {
    report(path, "A schema must be an object", { hint: "For instance {type: number}." });
    return;
  }
  for (const [key, value] of Object.entries(schema)) {
    const wrong = (message: string, hint?: string) =>
      report([...path, key], message, hint === undefined ? {} : { hint });
    if (!KEYWORDS.includes(key))
      report(path, `A schema has no ${key}`, {
        key,
        hint: didYouMean(key, KEYWORDS).hint ?? "Inputs stand under properties.",
      });
    else if (key === "type") checkType(value, wrong);
    else if (NUMBERS.includes(key) && typeof value !== "number") wrong(`${key} must be a number`);
    else if (COUNTS.includes(key) && !isCount(value)) wrong(`${key} must be a whole number from 0`);
    else if (key === "enum" && !(Array.isArray(value) && value.length > 0))
      wrong("enum must list the values there are");
    else if (key === "pattern") checkPattern(value, wrong);
    else if (key === "required" && typeof value !== "boolean") checkRequired(value, schema, wrong);
    else if (NAMED.includes(key)) {
      if (!isJsonObject(value)) wrong(`${key} must map names to schemas`);
      else for (const [name, one] of Object.entries(value)) check(one, [...path, key, name], report);
    } else if (LISTED.includes(key)) {
      if (!Array.isArray(value)) wrong(`${key} must be a list of schemas`);
      else for (const [index, one] of value.entries()) check(one, [...path, key, index], report);
    } else if (SINGLE.includes(key)) check(value, [...path, key], report);
  }
  const { minimum, maximum } = schema;
  if (typeof minimum === "number" && typeof maximum === "number" && minimum > maximum)
    report([...path, "minimum"], `minimum ${minimum} is above maximum ${maximum}`);
  if (path.length > 0 && "default" in schema) checkDefault(schema, [...path, "default"], report);
}

type Wrong = (message: string, hint?: string) => unknown;

function checkType(value: JsonValue, wrong: Wrong): void {
  for (const type of Array.isArray(value) ? value : [value]) {
    if (TYPES.includes(String(type))) continue;
    wrong(
      `There is no type ${JSON.stringify(type)}`,
      didYouMean(String(type), TYPES).hint ?? `The types are ${TYPES.join(", ")}.`,
    );
  }
}

function checkPattern(value: JsonValue, wrong: Wrong): void {
  if (typeof value !== "string" || compilePattern(value) === undefined) {
    wrong("It is not a regular expression");
    return;
  }
  const slow = slowPattern(value);
  if (slow !== undefined)
    wrong(`The pattern ${slow}: trying it could take very long`, "Use {0,16} in place of * and +, or enum.");
}

function checkRequired(value: JsonValue, { properties }: JsonObject, wrong: Wrong): void {
  if (!Array.isArray(value)) {
    wrong("required must be true, false or a list of names");
    return;
  }
  const known = isJsonObject(properties) ? Object.keys(properties) : undefined;
  for (const name of value) {
    if (known?.includes(String(name)) ?? true) continue;
    wrong(`${JSON.stringify(name)} is not among the properties`, didYouMean(String(name), known ?? []).hint);
  }
}

function checkDefault(schema: JsonObject, path: Path, report: Report): void {
  // The schema as that of an input, with its default as the value that is given.
  const { required: _, ...rest } = schema;
  const input = { ...(schema.required === true ? rest : schema) };
  const config = { type: "object", properties: { value: input } } as JsonObject;
  const { problems } = inputProblems({ config, files: {} }, { run_config: { value: schema.default as JsonValue } });
  for (const { message } of problems)
    report(path, `The default is outside its own bounds: ${message.replace("overrides.run_config.value", "it")}`);
}

const isCount = (value: JsonValue) => typeof value === "number" && Number.isInteger(value) && value >= 0;

function written(path: Path): string {
  return path.reduce<string>(
    (at, step) => (typeof step === "number" ? elementPath(at, step) : memberPath(at, step)),
    "",
  );
}
