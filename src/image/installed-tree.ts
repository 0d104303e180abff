import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { IgnoreRules } from "./ignore-rules.ts";
import { readTree, type TreeEntry } from "./tree.ts";

/** Byte code carries times, and some wheels ship it by mistake. */
const withoutByteCode: IgnoreRules = {
  ignores: (path) => path === "__pycache__" || path.endsWith("/__pycache__"),
  enter: async () => withoutByteCode,
};

/**
 * The entries of a directory that pip or uv installed into, freed of what differs from machine to machine: the path of the
 * Python that ran the installer stands in the first line of every script, and those lines' hashes in RECORD.
 */
export async function readInstalledTree(directory: string): Promise<TreeEntry[]> {
  await rewriteScripts(join(directory, "bin"));
  for (const name of await readdir(directory)) {
    if (name.endsWith(".dist-info")) await forgetScriptHashes(join(directory, name, "RECORD"));
  }
  // The file that uv locks its target directory with.
  return (await readTree(directory, withoutByteCode)).filter((entry) => entry.path !== ".lock");
}

async function rewriteScripts(bin: string): Promise<void> {
  const names = await readdir(bin).catch(() => []);
  for (const name of names) {
    const path = join(bin, name);
    const content = await readFile(path).catch(() => undefined);
    if (content === undefined || content[0] !== 0x23 || content[1] !== 0x21) continue;
    const text = content.toString("latin1");
    // pip and uv write `#!/path/python`, or for a long path `#!/bin/sh` and a second line that is both shell and Python.
    const portable = text
      .replace(/^#!\S*python[\d.]*[^\n]*/, "#!/usr/bin/env python3")
      .replace(/^#!\/bin\/sh\n'''exec' [^\n]*\n' '''\n/, "#!/usr/bin/env python3\n");
    if (portable !== text) await writeFile(path, Buffer.from(portable, "latin1"));
  }
}

async function forgetScriptHashes(record: string): Promise<void> {
  const text = await readFile(record, "utf8").catch(() => undefined);
  if (text === undefined) return;
  const lines = text
    .split("\n")
    .filter((line) => !line.includes("__pycache__/"))
    .map((line) => line.replace(/^((?:\.\.\/)*bin\/[^,]+),[^,]*,[^,\r]*/, "$1,,"));
  await writeFile(record, lines.join("\n"));
}
