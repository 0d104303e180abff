import { readFile } from "node:fs/promises";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import type { JsonObject } from "../core/json.ts";

/** An argument that is a JSON object, or names a file that holds one. @throws JSON_ARGUMENT_INVALID, FILE_NOT_FOUND */
export async function jsonArgument(argument: string, where: string): Promise<JsonObject> {
  const inline = argument.trimStart().startsWith("{");
  const text = inline ? argument : await readArgumentFile(argument.replace(/^@/, ""), where);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
    throw new SyntaxError("it must be an object, { ... }");
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const source = inline ? "The argument" : argument;
    throw new SlipwayError("JSON_ARGUMENT_INVALID", { values: { source, problem: error.message }, where });
  }
}

async function readArgumentFile(file: string, where: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new SlipwayError("FILE_NOT_FOUND", { values: { file }, where });
  }
}
