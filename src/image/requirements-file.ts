import { readFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { type Digest, sha256 } from "./digest.ts";

/** A requirements file with all that it includes. */
export interface RequirementsFile {
  /** Path inside the code, with forward slashes. */
  readonly path: string;
  /** Every file it is made of (`-r` and `-c` lines followed), sorted by path. */
  readonly parts: readonly { readonly path: string; readonly digest: Digest }[];
  /** True if it installs something from the code itself (`-e .`, `./package`): then any change of the code counts. */
  readonly usesCode: boolean;
}

/**
 * Reads a requirements file of the code in `root` and what it includes
 * (format: https://pip.pypa.io/en/stable/reference/requirements-file-format/).
 * Errors: REQUIREMENTS_NOT_FOUND, REQUIREMENTS_LEAVE_DIRECTORY.
 */
export async function readRequirementsFile(root: string, path: string): Promise<RequirementsFile> {
  const parts = new Map<string, Digest>();
  let usesCode = false;

  async function include(named: string, from: string | undefined): Promise<void> {
    const inside = posix.normalize(named);
    if (inside.startsWith("../") || inside === ".." || inside.startsWith("/")) {
      const values = { file: from ?? path, target: named };
      throw new SlipwayError("REQUIREMENTS_LEAVE_DIRECTORY", { values, where: from ?? path });
    }
    if (parts.has(inside)) return;
    const text = await readFile(join(root, inside), "utf8").catch((cause) => {
      throw new SlipwayError("REQUIREMENTS_NOT_FOUND", { values: { file: inside }, where: from ?? inside, cause });
    });
    parts.set(inside, sha256(text));
    for (const line of text.replace(/\\\r?\n/g, "").split(/\r?\n/)) {
      const wanted = line.replace(/(^|\s)#.*$/, "").trim();
      const included = /^(?:-r|--requirement|-c|--constraint)(?:\s+|=|(?<=^-[rc]))(\S+)$/.exec(wanted)?.[1];
      if (included !== undefined) {
        if (!/^https?:/.test(included)) await include(posix.join(dirname(inside), included), inside);
      } else if (
        /^(-e|--editable)\b/.test(wanted) ||
        /^\.{0,2}\//.test(wanted) ||
        wanted === "." ||
        /\bfile:/.test(wanted)
      ) {
        usesCode = true;
      } else if (
        /^[\w./-]+\.(whl|tar\.gz|zip)(\s|;|$)/.test(wanted) ||
        /^(-f|--find-links)[\s=]+(?!https?:)\S/.test(wanted)
      ) {
        usesCode = true;
      }
    }
  }

  await include(path, undefined);
  const sorted = [...parts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, digest]) => ({ path: name, digest }));
  return { path: posix.normalize(path), parts: sorted, usesCode };
}
