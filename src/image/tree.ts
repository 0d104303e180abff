import type { Dirent } from "node:fs";
import { lstat, readdir, readlink, realpath } from "node:fs/promises";
import { dirname, isAbsolute, join, posix, relative } from "node:path";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import type { IgnoreRules } from "./ignore-rules.ts";
import { linkStaysInside } from "./links.ts";

/** One entry of a directory tree. Owners and times are left out on purpose: they never reach an archive. */
export type TreeEntry =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "link"; readonly path: string; readonly target: string }
  | {
      readonly kind: "file";
      readonly path: string;
      readonly source: string;
      readonly size: number;
      readonly executable: boolean;
    };

/**
 * The entries of a directory, sorted by path (code units, parents first), so that the same tree gives the same list on
 * every machine. Sockets, pipes and devices are left out. Symbolic links inside the tree stay links.
 * Errors: CODE_DIRECTORY_NOT_FOUND, CODE_LINK_LEAVES_DIRECTORY.
 */
export async function readTree(directory: string, rules: IgnoreRules): Promise<TreeEntry[]> {
  const root = await realpath(directory).catch((cause) => {
    throw new SlipwayError("CODE_DIRECTORY_NOT_FOUND", { values: { directory }, where: directory, cause });
  });
  const entries: TreeEntry[] = [];
  await walk(root, "", rules, entries);
  return entries.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

async function walk(root: string, inside: string, rules: IgnoreRules, entries: TreeEntry[]): Promise<void> {
  let children: Dirent[];
  try {
    children = await readdir(join(root, inside), { withFileTypes: true });
  } catch (cause) {
    if (inside !== "") throw cause;
    throw new SlipwayError("CODE_DIRECTORY_NOT_FOUND", { values: { directory: root }, where: root, cause });
  }
  for (const child of children) {
    const path = inside === "" ? child.name : `${inside}/${child.name}`;
    if (rules.ignores(path, child.isDirectory())) continue;
    const source = join(root, path);
    if (child.isDirectory()) {
      entries.push({ kind: "directory", path });
      await walk(root, path, await rules.enter(path), entries);
    } else if (child.isSymbolicLink()) {
      entries.push({ kind: "link", path, target: await targetInside(root, path) });
    } else if (child.isFile()) {
      const stats = await lstat(source);
      entries.push({ kind: "file", path, source, size: stats.size, executable: (stats.mode & 0o111) !== 0 });
    }
  }
}

/** The link's target in its simplest relative form. */
async function targetInside(root: string, path: string): Promise<string> {
  const link = join(root, path);
  const written = (await readlink(link)).replaceAll("\\", "/");
  const refuse = () =>
    new SlipwayError("CODE_LINK_LEAVES_DIRECTORY", { values: { link: path, target: written }, where: path });
  const real = await realpath(link).catch(() => undefined);
  if (real !== undefined && real !== root && !real.startsWith(`${root}/`)) throw refuse();
  if (!isAbsolute(written) && linkStaysInside(path, written)) return written;
  // An absolute target, or one with `..` in the middle: written anew from where it leads (a dangling link as it reads).
  const target = real === undefined ? posix.normalize(written) : relative(await realpath(dirname(link)), real) || ".";
  if (isAbsolute(target) || !linkStaysInside(path, target)) throw refuse();
  return target;
}
