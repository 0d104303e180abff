import { posix } from "node:path";

/**
 * Whether a symbolic link at `link` (a path relative to the tree's root) with this target stays inside the tree, whatever
 * other links the tree holds. `..` is allowed only at the start of the target: from a real directory it can be counted,
 * while `a/b/up/..` would leave the tree if `up` is itself a link upwards.
 */
export function linkStaysInside(link: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || target.includes("\0")) return false;
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  const depth = link.split("/").length - 1;
  let ups = 0;
  while (parts[ups] === "..") ups += 1;
  return ups <= depth && !parts.slice(ups).includes("..");
}

/** Why a path cannot be the name of an entry of a tree; undefined if it can. Paths have forward slashes and no end slash. */
export function entryPathProblem(path: string): string | undefined {
  if (path === "") return "has no name";
  if (path.startsWith("/")) return "has an absolute path";
  if (path.includes("\0")) return "has a null character in its path";
  if (path.includes("\\")) return "has a backslash in its path";
  if (path.split("/").includes("..")) return "leads out of the directory";
  if (posix.normalize(path) !== path) return "has a path that is not in its simplest form";
  return undefined;
}
