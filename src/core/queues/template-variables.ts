import type { Problem } from "../errors/slipway-error.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { elementPath, memberPath } from "../json-path.ts";
import { didYouMean } from "../nearest.ts";
import {
  coerceTemplateValue,
  type TemplateSchema,
  templateSchemaProblems,
  templateValueProblem,
} from "./template-schema.ts";

/** A value that a person fills in at launch, where the config says `{{name}}`. */
export interface TemplateVariableDefinition {
  readonly name: string;
  readonly schema: TemplateSchema;
  readonly description?: string;
}

/** One `{{name}}` in a config. */
export interface TemplatePlace {
  readonly name: string;
  /** JSON path of the string it stands in. */
  readonly path: string;
  /** The string is nothing but the place: the value keeps its type. */
  readonly whole: boolean;
}

const PLACE = /\{\{\s*([^{}]*?)\s*\}\}/g;
const WHOLE = /^\{\{\s*([^{}]*?)\s*\}\}$/;
const NAME = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** Whether a text has a `{{name}}` place in it. */
export function hasTemplatePlace(text: string): boolean {
  return text.search(PLACE) >= 0;
}

/** Whether a text is one `{{name}}` place and nothing else. */
export function isWholeTemplatePlace(text: string): boolean {
  return WHOLE.test(text);
}

/** Every `{{name}}` of a config, in the order of the text. */
export function findTemplateVariables(config: JsonValue, path = ""): TemplatePlace[] {
  if (typeof config === "string")
    return [...config.matchAll(PLACE)].map((match) => ({ name: match[1]!, path, whole: WHOLE.test(config) }));
  if (isList(config)) return config.flatMap((item, index) => findTemplateVariables(item, elementPath(path, index)));
  if (config === null || typeof config !== "object") return [];
  return Object.entries(config).flatMap(([key, item]) => findTemplateVariables(item, memberPath(path, key)));
}

/**
 * Reads definitions as the wire gives them: `{"itype": {"schema": {"type": "string", "enum": [...]}, "description"?}}`. A schema may
 * also be the JSON text of one. Answers what could be read and every problem, with paths under `template_variables`.
 */
export function parseTemplateVariables(input: unknown): {
  definitions: TemplateVariableDefinition[];
  problems: Problem[];
} {
  const definitions: TemplateVariableDefinition[] = [];
  const problems: Problem[] = [];
  if (input === undefined || input === null) return { definitions, problems };
  if (typeof input !== "object" || Array.isArray(input))
    return {
      definitions,
      problems: [
        {
          path: "template_variables",
          message: "template_variables must be an object: each variable's name and its schema",
        },
      ],
    };
  for (const [name, entry] of Object.entries(input as Record<string, unknown>)) {
    const path = memberPath("template_variables", name);
    if (!NAME.test(name))
      problems.push({
        path,
        message: `"${name}" cannot be a variable's name`,
        hint: "A name has letters, digits, _ and -, and does not begin with a digit.",
      });
    const { schema, description } = readEntry(entry);
    const found =
      schema === undefined
        ? [{ path, message: `${name} has no schema`, hint: 'Write {"schema": {"type": "string"}}.' }]
        : templateSchemaProblems(schema, memberPath(path, "schema"));
    problems.push(...found);
    if (found.length === 0)
      definitions.push({
        name,
        schema: schema as TemplateSchema,
        ...(description === undefined ? {} : { description }),
      });
  }
  return { definitions, problems };
}

/** Variables that are used but not declared (with the nearest declared name), and declared but not used. */
export function checkTemplateVariables(
  config: JsonValue,
  definitions: readonly TemplateVariableDefinition[],
): Problem[] {
  const names = definitions.map((definition) => definition.name);
  const places = findTemplateVariables(config);
  const problems: Problem[] = places
    .filter((place) => !names.includes(place.name))
    .map((place) => ({
      path: place.path,
      message: `{{${place.name}}} is not declared in the template variables`,
      ...(didYouMean(place.name, names).hint
        ? didYouMean(place.name, names)
        : { hint: "Declare it with a schema, or write the value itself." }),
    }));
  for (const name of names)
    if (!places.some((place) => place.name === name))
      problems.push({
        path: memberPath("template_variables", name),
        message: `${name} is declared but the config has no {{${name}}}`,
        hint: "Use it in the config or remove it.",
      });
  return problems;
}

/**
 * Fills the places of a config. A whole-string place takes the value with its type; inside a longer string it becomes text. A variable
 * without a value takes its default; one that is not required and has neither leaves its key out. Values are checked against
 * their bounds; each problem names the variable (path `template_variable_values.NAME`), the rule and the bound. The config is only to be
 * used if there are no problems.
 */
export function renderTemplate(
  config: JsonObject,
  definitions: readonly TemplateVariableDefinition[],
  values: Readonly<Record<string, unknown>>,
): { config: JsonObject; problems: Problem[] } {
  const problems: Problem[] = [];
  const names = definitions.map((definition) => definition.name);
  for (const name of Object.keys(values))
    if (!names.includes(name))
      problems.push({
        path: memberPath("template_variable_values", name),
        message: `The queue has no template variable ${name}`,
        ...(names.length === 0
          ? { hint: "The queue has none at all." }
          : didYouMean(name, names).hint
            ? didYouMean(name, names)
            : { hint: `It has ${names.join(", ")}.` }),
      });
  const resolved = new Map<string, JsonValue | undefined>();
  for (const { name, schema } of definitions) {
    const path = memberPath("template_variable_values", name);
    const given = Object.hasOwn(values, name) ? values[name] : undefined;
    if (given === undefined || given === null) {
      if (schema.default === undefined && schema.required !== false)
        problems.push({
          path,
          message: `${name} has no value and no default`,
          hint: `Give one, for instance --set-var ${name}=VALUE.`,
        });
      resolved.set(name, schema.default);
      continue;
    }
    const value = coerceTemplateValue(schema, given);
    const problem = templateValueProblem(schema, value);
    if (problem !== undefined)
      problems.push({
        path,
        message: `${name} ${problem.message}`,
        ...(problem.hint === undefined ? {} : { hint: problem.hint }),
      });
    resolved.set(name, value as JsonValue);
  }
  const rendered = render(config, resolved);
  return { config: (rendered ?? {}) as JsonObject, problems };
}

function render(value: JsonValue, resolved: ReadonlyMap<string, JsonValue | undefined>): JsonValue | undefined {
  if (typeof value === "string") {
    const whole = WHOLE.exec(value);
    if (whole !== null && resolved.has(whole[1]!)) return resolved.get(whole[1]!);
    return value.replace(PLACE, (place, name: string) =>
      resolved.has(name) ? String(resolved.get(name) ?? "") : place,
    );
  }
  if (isList(value)) return value.map((item) => render(item, resolved)).filter((item) => item !== undefined);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([key, item]) => [key, render(item, resolved)] as const);
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined)) as JsonObject;
}

function readEntry(entry: unknown): { schema?: unknown; description?: string } {
  if (entry === null || typeof entry !== "object") return {};
  const { schema, description, ...rest } = entry as Record<string, unknown>;
  const read = schema === undefined && "type" in rest ? entry : typeof schema === "string" ? parsed(schema) : schema;
  return {
    ...(read === undefined ? {} : { schema: read }),
    ...(typeof description === "string" ? { description } : {}),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
