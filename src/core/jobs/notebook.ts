import { z } from "zod";
import { SlipwayError } from "../errors/slipway-error.ts";

/** What is needed of a notebook (https://nbformat.readthedocs.io/en/latest/format_description.html). */
const schema = z.looseObject({
  cells: z.array(
    z.looseObject({ cell_type: z.string(), source: z.union([z.string(), z.array(z.string())]).default("") }),
  ),
});
/** Cell magics whose cell is Python all the same. */
const STILL_PYTHON = /^%%(time|timeit|capture|prun)\b/;

/**
 * The Python of a notebook's code cells, one after the other. Shell lines (`!pip install ...`), magics and cells of other
 * languages are left out: there is no notebook around a job. Throws JOB_NOTEBOOK_INVALID.
 */
export function notebookScript(text: string, file: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(file, "it is not JSON", cause);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalid(file, "it has no cells of format 4", parsed.error);
  const cells = parsed.data.cells
    .filter(({ cell_type }) => cell_type === "code")
    .map(({ source }) => (typeof source === "string" ? source : source.join("")))
    .filter((source) => !source.trimStart().startsWith("%%") || STILL_PYTHON.test(source.trimStart()));
  return `${cells.map(withoutMagics).join("\n\n")}\n`;
}

function withoutMagics(source: string): string {
  return source
    .split("\n")
    .filter((line) => !/^[!%]/.test(line))
    .join("\n");
}

function invalid(file: string, reason: string, cause: unknown): SlipwayError {
  return new SlipwayError("JOB_NOTEBOOK_INVALID", { values: { file, reason }, where: file, cause });
}
