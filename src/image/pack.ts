import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { type Digest, formatSize } from "./digest.ts";
import { keepAllButGit, readIgnoreRules } from "./ignore-rules.ts";
import { writeTarGzip } from "./tar-gzip.ts";
import { readTree, type TreeEntry } from "./tree.ts";

export interface PackOptions {
  /** Path of one more ignore file (gitignore syntax), read after the directory's own. */
  readonly ignoreFile?: string;
  /** True: nothing but .git is left out; the files were chosen before (a commit, an artifact). */
  readonly everything?: boolean;
  /** Most bytes of all files together, before compression; 500 MB where absent. */
  readonly limitBytes?: number;
  readonly signal?: AbortSignal;
}

export interface PackedDirectory {
  /** Of the archive's bytes. */
  readonly digest: Digest;
  /** Bytes of the archive. */
  readonly size: number;
  /** Path of the tar.gz file, in a temporary directory of its own. */
  readonly archive: string;
  /** What went in, sorted by path; sizes in bytes. */
  readonly files: readonly { readonly path: string; readonly size: number }[];
  /** Deletes the archive. */
  remove(): Promise<void>;
}

const DEFAULT_LIMIT = 500_000_000;

/**
 * Packs a directory of code as tar.gz: sorted, without times and owners, so that the same tree always gives the same
 * digest. Leaves out what .gitignore, .wandbignore and .slipwayignore name (in any directory) and always .git,
 * __pycache__, .venv and node_modules.
 * Errors: CODE_DIRECTORY_NOT_FOUND, CODE_EMPTY, CODE_TOO_LARGE, CODE_LINK_LEAVES_DIRECTORY, CODE_CHANGED_WHILE_PACKING.
 */
export async function packDirectory(directory: string, options: PackOptions = {}): Promise<PackedDirectory> {
  const entries = await readCode(directory, options);
  const files = entries.filter((entry) => entry.kind === "file");
  const folder = await mkdtemp(join(tmpdir(), "slipway-code-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const { path, digest, size } = await writeTarGzip(
      join(folder, "code.tar.gz"),
      withoutEmptyDirectories(entries),
      options.signal === undefined ? {} : { signal: options.signal },
    );
    return { digest, size, archive: path, files: files.map(({ path, size }) => ({ path, size })), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/**
 * What packDirectory packs, without packing it: every entry, sorted by path, empty directories too.
 * Errors: CODE_DIRECTORY_NOT_FOUND, CODE_EMPTY, CODE_TOO_LARGE, CODE_LINK_LEAVES_DIRECTORY.
 */
export async function readCode(directory: string, options: PackOptions = {}): Promise<readonly TreeEntry[]> {
  const stats = await stat(directory).catch(() => undefined);
  if (stats?.isDirectory() !== true) {
    throw new SlipwayError("CODE_DIRECTORY_NOT_FOUND", { values: { directory }, where: directory });
  }
  const rules = options.everything ? keepAllButGit : await readIgnoreRules(directory, options.ignoreFile);
  const entries = await readTree(directory, rules);
  const files = entries.filter((entry) => entry.kind === "file");
  if (files.length === 0) throw new SlipwayError("CODE_EMPTY", { values: { directory }, where: directory });
  checkSize(directory, files, options.limitBytes ?? DEFAULT_LIMIT);
  return entries;
}

function checkSize(directory: string, files: readonly (TreeEntry & { kind: "file" })[], limit: number): void {
  const total = files.reduce((sum, file) => sum + file.size, 0);
  if (total <= limit) return;
  const biggest = [...files]
    .sort((a, b) => b.size - a.size)
    .slice(0, 5)
    .map((file) => `${file.path} (${formatSize(file.size)})`);
  throw new SlipwayError("CODE_TOO_LARGE", {
    values: { directory, size: formatSize(total), limit: formatSize(limit), biggest: biggest.join(", ") },
    where: directory,
  });
}

/** Like git: a directory whose every file is ignored does not change the digest. */
function withoutEmptyDirectories(entries: readonly TreeEntry[]): TreeEntry[] {
  const needed = new Set<string>();
  for (const { kind, path } of entries) {
    if (kind === "directory") continue;
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) needed.add(path.slice(0, at));
  }
  return entries.filter((entry) => entry.kind !== "directory" || needed.has(entry.path));
}
