import { stat } from "node:fs/promises";
import { join } from "node:path";
import { SlipwayError } from "../core/errors/slipway-error.ts";

/** What is run of a directory where nothing else was said. @throws ENTRY_POINT_MISSING */
export async function defaultScript(directory: string): Promise<string> {
  for (const script of ["train.py", "main.py"]) {
    if (await stat(join(directory, script)).catch(() => undefined)) return script;
  }
  throw new SlipwayError("ENTRY_POINT_MISSING", { values: { directory } });
}
