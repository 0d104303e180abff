import type { JsonValue } from "./json.ts";

/** Strings, which may hold anything, and the three words that JSON does not have but the wandb client writes. */
const WORDS = /"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g;

/** The same document as strict JSON: NaN, Infinity and -Infinity become texts of that name. */
export function toStrictJson(text: string): string {
  if (!/NaN|Infinity/.test(text)) return text;
  return text.replace(WORDS, (word) => (word.startsWith('"') ? word : `"${word}"`));
}

/** Reads JSON that may hold NaN, Infinity and -Infinity, which become texts of that name; undefined if it is no JSON. */
export function parseLooseJson(text: string): JsonValue | undefined {
  try {
    return JSON.parse(toStrictJson(text)) as JsonValue;
  } catch {
    return undefined;
  }
}

/** Is it one of the texts that stand for a number that JSON does not have? */
export const isOddNumber = (value: unknown): boolean =>
  value === "NaN" || value === "Infinity" || value === "-Infinity";
