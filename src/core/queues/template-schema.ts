import type { Problem } from "../errors/slipway-error.ts";
import { memberPath } from "../json-path.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { compilePattern, PATTERN_TEXT_MAX, slowPattern } from "./template-pattern.ts";

/** The bounds of a template variable: the part of JSON Schema that means something for one value. */
export interface TemplateSchema {
  readonly type: "string" | "integer" | "number" | "boolean";
  readonly enum?: readonly (string | number | boolean)[];
  readonly default?: string | number | boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  /** Ours: false lets the variable be left out without a default. */
  readonly required?: boolean;
  readonly title?: string;
  readonly description?: string;
  readonly examples?: readonly unknown[];
}

/** SageMaker takes no text longer than this (HyperParameterValue). */
const LONGEST = 2500;
const TYPES = ["string", "integer", "number", "boolean"];
const NUMERIC = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
const LENGTHS = ["minLength", "maxLength"];
const KEYWORDS = [
  "type",
  "enum",
  "default",
  ...NUMERIC,
  ...LENGTHS,
  "pattern",
  "required",
  "title",
  "description",
  "examples",
];

/** What is wrong with a schema itself. Paths are under `path`. */
export function templateSchemaProblems(input: unknown, path: string): Problem[] {
  if (input === null || typeof input !== "object" || Array.isArray(input))
    return [{ path, message: "A schema must be an object", hint: 'For instance {"type": "string"}.' }];
  const schema = input as Record<string, unknown>;
  const problems: Problem[] = [];
  const at = (key: string, message: string, hint?: string) =>
    problems.push({ path: memberPath(path, key), message, ...(hint === undefined ? {} : { hint }) });
  for (const key of Object.keys(schema))
    if (!KEYWORDS.includes(key))
      at(
        key,
        `A variable's schema has no ${key}`,
        nearest(key, KEYWORDS) ? `Did you mean ${nearest(key, KEYWORDS)}?` : `It has ${KEYWORDS.join(", ")}.`,
      );
  if (schema.type === undefined) at("type", "The schema has no type", `The types are ${TYPES.join(", ")}.`);
  else if (!TYPES.includes(schema.type as string))
    at(
      "type",
      `There is no type ${JSON.stringify(schema.type)}`,
      didYouMean(String(schema.type), TYPES).hint ?? `The types are ${TYPES.join(", ")}.`,
    );
  const numeric = schema.type === "integer" || schema.type === "number";
  for (const key of NUMERIC) {
    if (schema[key] === undefined) continue;
    if (typeof schema[key] !== "number") at(key, `${key} must be a number`);
    else if (!numeric && schema.type !== undefined) at(key, `${key} means nothing for type ${String(schema.type)}`);
  }
  if (typeof schema.multipleOf === "number" && schema.multipleOf <= 0) at("multipleOf", "multipleOf must be above 0");
  for (const key of [...LENGTHS, "pattern"])
    if (schema[key] !== undefined && schema.type !== undefined && schema.type !== "string")
      at(key, `${key} means nothing for type ${String(schema.type)}`);
  for (const key of LENGTHS)
    if (schema[key] !== undefined && !(Number.isInteger(schema[key]) && (schema[key] as number) >= 0))
      at(key, `${key} must be a whole number from 0`);
  if (schema.pattern !== undefined) {
    const pattern = typeof schema.pattern === "string" ? schema.pattern : undefined;
    if (pattern === undefined || compilePattern(pattern) === undefined)
      at("pattern", "pattern is not a regular expression");
    else if (slowPattern(pattern) !== undefined)
      at(
        "pattern",
        `pattern ${slowPattern(pattern)}: trying it could take very long`,
        "Use {0,16} in place of * and +, character classes in place of |, or enum.",
      );
  }
  if (schema.required !== undefined && typeof schema.required !== "boolean")
    at("required", "required must be true or false");
  if (above(schema.minimum, schema.maximum))
    at("minimum", `minimum ${schema.minimum} is above maximum ${schema.maximum}`);
  if (above(schema.minLength, schema.maxLength))
    at("minLength", `minLength ${schema.minLength} is above maxLength ${schema.maxLength}`);
  if (schema.enum !== undefined && !(Array.isArray(schema.enum) && schema.enum.length > 0))
    at("enum", "enum must be a list of at least one value");
  if (problems.length > 0) return problems;
  const { default: ignored, enum: values, ...bounds } = schema as unknown as TemplateSchema;
  for (const [index, value] of (values ?? []).entries()) {
    const problem = templateValueProblem(bounds, value);
    if (problem)
      problems.push({ path: `${memberPath(path, "enum")}[${index}]`, message: `The value ${problem.message}` });
  }
  if (ignored !== undefined) {
    const problem = templateValueProblem(schema as unknown as TemplateSchema, ignored);
    if (problem) at("default", `The default ${problem.message}`, problem.hint);
  }
  return problems;
}

/** A text that plainly writes a number or boolean becomes one, as the command line and forms send texts only. */
export function coerceTemplateValue(schema: TemplateSchema, value: unknown): unknown {
  if (typeof value !== "string") return value;
  const text = value.trim();
  if (schema.type === "integer" && /^[+-]?\d+$/.test(text)) return Number(text);
  if (schema.type === "number" && /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return Number(text);
  if (schema.type === "boolean" && /^(true|false)$/i.test(text)) return text.toLowerCase() === "true";
  return value;
}

/** The first bound that a value breaks; the message follows the variable's name: `must be at most 86400, not 100000`. */
export function templateValueProblem(
  schema: TemplateSchema,
  value: unknown,
): { message: string; hint?: string } | undefined {
  const shown = show(value);
  if (
    schema.type === "integer"
      ? !Number.isSafeInteger(value)
      : schema.type === "number"
        ? !Number.isFinite(value)
        : typeof value !== schema.type
  )
    return { message: `must be ${TYPE_NAMES[schema.type]}, not ${shown}` };
  if (schema.enum !== undefined && !schema.enum.includes(value as string)) {
    const values = schema.enum.map(String);
    return { message: `must be one of ${values.join(", ")}, not ${shown}`, ...didYouMean(String(value), values) };
  }
  if (typeof value === "number") {
    if (schema.minimum !== undefined && value < schema.minimum)
      return { message: `must be at least ${schema.minimum}, not ${shown}` };
    if (schema.maximum !== undefined && value > schema.maximum)
      return { message: `must be at most ${schema.maximum}, not ${shown}` };
    if (schema.exclusiveMinimum !== undefined && value <= schema.exclusiveMinimum)
      return { message: `must be above ${schema.exclusiveMinimum}, not ${shown}` };
    if (schema.exclusiveMaximum !== undefined && value >= schema.exclusiveMaximum)
      return { message: `must be below ${schema.exclusiveMaximum}, not ${shown}` };
    if (schema.multipleOf !== undefined && !isMultiple(value, schema.multipleOf))
      return { message: `must be a multiple of ${schema.multipleOf}, not ${shown}` };
  }
  if (typeof value === "string") {
    const length = [...value].length;
    if (schema.minLength !== undefined && length < schema.minLength)
      return { message: `must have at least ${schema.minLength} characters, not ${length}` };
    const longest = Math.min(schema.maxLength ?? LONGEST, schema.pattern === undefined ? LONGEST : PATTERN_TEXT_MAX);
    if (length > longest) return { message: `must have at most ${longest} characters, not ${length}` };
    if (schema.pattern !== undefined && !compilePattern(schema.pattern)?.test(value))
      return { message: `must match ${schema.pattern}, not ${shown}` };
  }
  return undefined;
}

const TYPE_NAMES = {
  string: "a text",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
} as const;

function isMultiple(value: number, of: number): boolean {
  const quotient = value / of;
  return Math.abs(quotient - Math.round(quotient)) < 1e-9;
}

function above(low: unknown, high: unknown): boolean {
  return typeof low === "number" && typeof high === "number" && low > high;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
