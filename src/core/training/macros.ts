import type { Problem } from "../errors/slipway-error.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { elementPath, memberPath } from "../json-path.ts";
import { didYouMean } from "../nearest.ts";

/**
 * The macros of a queue's config, as the wandb agent names them (wandb/sdk/launch/_project_spec.py, fill_macros). The list is closed:
 * nothing of an agent's environment can be read through it.
 */
export const MACRO_NAMES = ["project_name", "entity_name", "run_id", "run_name", "image_uri", "author"] as const;
export type MacroName = (typeof MACRO_NAMES)[number];
export type MacroValues = Partial<Readonly<Record<MacroName, string>>>;

/** `$${x}` stands for the text `${x}`. */
const MACRO = /\$?\$\{([^{}]*)\}/g;

/** Whether a text has a macro in it. */
export function hasMacro(text: string): boolean {
  return fillText(text, {}, () => "") !== text;
}

/**
 * Fills the macros in every string of a value (not in keys), in one pass: what a value brings in is not looked at again, so a run's name
 * cannot bring in a macro. A macro that `values` does not name stays as it is. With `last` the escape `$${x}` becomes `${x}`.
 */
export function fillMacros(value: JsonValue, values: MacroValues, { last = false } = {}): JsonValue {
  return mapTexts(value, (text) => fillText(text, values, (_, whole) => whole, last));
}

/** Every `${...}` that is not one of the macros, with its JSON path and the nearest name. */
export function macroProblems(value: JsonValue, path = ""): Problem[] {
  if (typeof value === "string") return problemsOfText(value, path);
  if (isList(value)) return value.flatMap((item, index) => macroProblems(item, elementPath(path, index)));
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, item]) => macroProblems(item, memberPath(path, key)));
}

function problemsOfText(text: string, path: string): Problem[] {
  const problems: Problem[] = [];
  for (const [whole, name] of text.matchAll(MACRO)) {
    if (whole.startsWith("$$") || isMacroName(name!)) continue;
    const near = didYouMean(name!, MACRO_NAMES).hint;
    problems.push({
      path,
      message: `There is no macro ${whole}`,
      hint:
        near ??
        `The macros are ${MACRO_NAMES.map((known) => `\${${known}}`).join(", ")}; an agent's environment cannot be read. Write $${whole} for the text itself.`,
    });
  }
  return problems;
}

function fillText(
  text: string,
  values: MacroValues,
  other: (name: string, whole: string) => string,
  last = false,
): string {
  return text.replace(MACRO, (whole, name: string) => {
    if (whole.startsWith("$$")) return last ? whole.slice(1) : whole;
    return isMacroName(name) ? (values[name] ?? other(name, whole)) : whole;
  });
}

function isMacroName(name: string): name is MacroName {
  return (MACRO_NAMES as readonly string[]).includes(name);
}

function mapTexts(value: JsonValue, change: (text: string) => string): JsonValue {
  if (typeof value === "string") return change(value);
  if (isList(value)) return value.map((item) => mapTexts(item, change));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, change)])) as JsonObject;
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
