import { lstat, mkdir, readlink } from "node:fs/promises";
import path from "node:path";

/** Linux's own limit of links on one path (path_resolution(7)). */
const MAX_LINKS = 40;

export interface RootedPaths {
  /**
   * The real directory for a path relative to the root. Symbolic links on the way are followed as they would be with the root as `/`, so that none
   * leads out; what is missing is made. Throws when a file stands in the way or the links go round.
   */
  directory(relative: string): Promise<string>;
  /** Forgets what is known about directories, after one was removed or a link was made. */
  forget(): void;
}

/** Paths inside a directory that nobody else changes meanwhile. */
export function createRootedPaths(root: string): RootedPaths {
  const known = new Map<string, string>();

  async function walk(relative: string): Promise<string> {
    const todo = relative.split("/").filter((part) => part !== "" && part !== ".");
    let at = root;
    let links = 0;
    while (todo.length > 0) {
      const part = todo.shift()!;
      if (part === "..") {
        if (at !== root) at = path.dirname(at);
        continue;
      }
      const next = path.join(at, part);
      const found = await lstat(next).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined;
        throw error;
      });
      if (found?.isSymbolicLink()) {
        links += 1;
        if (links > MAX_LINKS) throw new Error(`Too many symbolic links on the way to ${relative}`);
        const target = await readlink(next);
        if (target.startsWith("/")) at = root;
        todo.unshift(...target.split("/").filter((piece) => piece !== "" && piece !== "."));
        continue;
      }
      if (found && !found.isDirectory()) throw new Error(`${relative} leads through a file`);
      if (!found) await mkdir(next, { mode: 0o755 });
      at = next;
    }
    return at;
  }

  return {
    directory: async (relative) => {
      if (relative === "" || relative === ".") return root;
      const before = known.get(relative);
      if (before !== undefined) return before;
      const found = await walk(relative);
      known.set(relative, found);
      return found;
    },
    forget: () => known.clear(),
  };
}
