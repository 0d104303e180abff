import { readFile } from "node:fs/promises";
import { join } from "node:path";
import ignore, { type Ignore } from "ignore";

/** Never part of the code, whatever the ignore files say. */
const ALWAYS_OUT = new Set([".git", "__pycache__", ".venv", "node_modules"]);
/** Read in this order; a later file may take an earlier one's pattern back with `!`. */
const IGNORE_FILES = [".gitignore", ".wandbignore", ".slipwayignore"];

/** The ignore rules that hold inside one directory: its own and those of the directories above it. */
export interface IgnoreRules {
  /** `path` is relative to the root, with forward slashes. */
  ignores(path: string, isDirectory: boolean): boolean;
  /** The rules inside a subdirectory, which may have ignore files of its own. */
  enter(path: string): Promise<IgnoreRules>;
}

interface Level {
  readonly prefix: string;
  readonly rules: Ignore;
}

/** Reads the ignore files of `root`; `ignoreFile` (a path) is read in addition and wins. */
export async function readIgnoreRules(root: string, ignoreFile?: string): Promise<IgnoreRules> {
  const rules = (await readLevel(root)) ?? ignore();
  if (ignoreFile !== undefined) rules.add(await readFile(ignoreFile, "utf8"));
  return rulesOf(root, [{ prefix: "", rules }]);
}

/** Rules that leave nothing out, for a tree that was packed before. */
export const keepAll: IgnoreRules = { ignores: () => false, enter: async () => keepAll };

/** Rules for code that somebody chose file by file (a commit, an artifact): what they name is in it, whatever its ignore files say. */
export const keepAllButGit: IgnoreRules = {
  ignores: (path) => path.slice(path.lastIndexOf("/") + 1) === ".git",
  enter: async () => keepAllButGit,
};

function rulesOf(root: string, levels: readonly Level[]): IgnoreRules {
  return {
    ignores(path, isDirectory) {
      if (ALWAYS_OUT.has(path.slice(path.lastIndexOf("/") + 1))) return true;
      // As git does: the file nearest to the path that says anything about it decides.
      for (const { prefix, rules } of levels) {
        const verdict = rules.test(path.slice(prefix.length) + (isDirectory ? "/" : ""));
        if (verdict.ignored) return true;
        if (verdict.unignored) return false;
      }
      return false;
    },
    async enter(path) {
      const rules = await readLevel(join(root, path));
      return rules === undefined ? this : rulesOf(root, [{ prefix: `${path}/`, rules }, ...levels]);
    },
  };
}

async function readLevel(directory: string): Promise<Ignore | undefined> {
  let rules: Ignore | undefined;
  for (const name of IGNORE_FILES) {
    const text = await readFile(join(directory, name), "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "EISDIR" || error.code === "ENOTDIR") return undefined;
      throw error;
    });
    if (text === undefined) continue;
    rules ??= ignore();
    rules.add(text);
  }
  return rules;
}
