import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { RandomBytes } from "../store/ids.ts";

/**
 * 32 bytes that sign upload addresses, kept in a file that its owner alone can read. Made at the first start; when two
 * processes on one data directory make it at once, both use the one that was linked first.
 */
export function signingSecret(file: string, random: RandomBytes): Uint8Array {
  const kept = read(file);
  if (kept) return kept;
  const temporary = `${file}.${process.pid}.part`;
  writeFileSync(temporary, random(32), { mode: 0o600 });
  try {
    linkSync(temporary, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
  return readFileSync(file);
}

function read(file: string): Uint8Array | undefined {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
