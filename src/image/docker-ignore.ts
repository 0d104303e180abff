import { readFile } from "node:fs/promises";
import { join } from "node:path";
import ignore from "ignore";
import type { IgnoreRules } from "./ignore-rules.ts";
import { readTree, type TreeEntry } from "./tree.ts";

/**
 * The entries of a build context: all of the directory but what `DOCKERFILE.dockerignore`, else `.dockerignore`, and
 * `.wandbignore` leave out. The Dockerfile itself is always in it. Errors: those of readTree.
 */
export async function readBuildContext(directory: string, dockerfile: string): Promise<TreeEntry[]> {
  const own = await readText(join(directory, `${dockerfile}.dockerignore`));
  const docker = dockerIgnore(own ?? (await readText(join(directory, ".dockerignore"))) ?? "");
  const wandb = ignore().add((await readText(join(directory, ".wandbignore"))) ?? "");
  const leftOut = (path: string, isDirectory: boolean) =>
    path !== dockerfile && (docker.ignores(path) || wandb.ignores(isDirectory ? `${path}/` : path));
  const holdsDockerfile = (path: string) => dockerfile.startsWith(`${path}/`);
  const rules: IgnoreRules = {
    // A directory that is left out may hold what an exception brings back.
    ignores: (path, isDirectory) => {
      if (!leftOut(path, isDirectory)) return false;
      return !(isDirectory && (holdsDockerfile(path) || (docker.hasExceptions && docker.ignores(path))));
    },
    enter: async () => rules,
  };
  const entries = await readTree(directory, rules);
  const needed = new Set<string>();
  for (const { path, kind } of entries) {
    if (kind === "directory" && leftOut(path, true)) continue;
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) needed.add(path.slice(0, at));
  }
  return entries.filter(({ kind, path }) => kind !== "directory" || needed.has(path) || !leftOut(path, true));
}

/** Rules of a .dockerignore file. */
export interface DockerIgnore {
  readonly hasExceptions: boolean;
  /** `path` is relative to the context, with forward slashes. */
  ignores(path: string): boolean;
}

/**
 * Reads a .dockerignore (https://docs.docker.com/build/concepts/context/#dockerignore-files): every pattern starts at the root
 * of the context, `**` stands for any number of directories, the last pattern that matches a path or one of its directories
 * decides, and `!` brings back.
 */
export function dockerIgnore(text: string): DockerIgnore {
  const patterns = text
    .split(/\r?\n/)
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.trim())
    .filter((line) => line !== "" && line !== "!")
    .map((line) => {
      const brings = line.startsWith("!");
      const pattern = clean(brings ? line.slice(1).trim() : line);
      return { brings, matches: patternExpression(pattern) };
    });
  return {
    hasExceptions: patterns.some(({ brings }) => brings),
    ignores(path) {
      let ignored = false;
      for (const { brings, matches } of patterns) {
        if (brings !== ignored) continue;
        if (selfAndParents(path).some((one) => matches.test(one))) ignored = !brings;
      }
      return ignored;
    },
  };
}

function selfAndParents(path: string): string[] {
  const all = [path];
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) all.push(path.slice(0, at));
  return all;
}

function clean(pattern: string): string {
  const parts: string[] = [];
  for (const part of pattern.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else parts.push(part);
  }
  return parts.join("/");
}

/** Go's filepath.Match, and `**`. */
function patternExpression(pattern: string): RegExp {
  let source = "";
  for (let at = 0; at < pattern.length; at += 1) {
    const char = pattern[at]!;
    if (char === "*" && pattern[at + 1] === "*") {
      at += pattern[at + 2] === "/" ? 2 : 1;
      source += at + 1 >= pattern.length ? ".*" : "(?:.*/)?";
    } else if (char === "*") source += "[^/]*";
    else if (char === "?") source += "[^/]";
    else if (char === "\\" && at + 1 < pattern.length) {
      at += 1;
      source += `\\${pattern[at]}`;
    } else if (char === "[") {
      const end = pattern.indexOf("]", at + 1);
      if (end < 0) source += "\\[";
      else {
        source += `[${pattern.slice(at + 1, end).replace(/\\(?![\^\]-])/g, "\\\\")}]`;
        at = end;
      }
    } else source += char.replace(/[.+^${}()|]/g, "\\$&");
  }
  try {
    return new RegExp(`^${source}$`, "s");
  } catch {
    return /^\b$/; // a pattern that nothing matches, as an engine refuses it
  }
}

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR" || error.code === "EISDIR") return undefined;
    throw error;
  });
}
