import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract, type Header } from "tar-stream";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { formatSize } from "./digest.ts";
import { entryPathProblem, linkStaysInside } from "./links.ts";

export interface UnpackLimits {
  /** Most bytes of all files together; 1 GB where absent. */
  readonly limitBytes?: number;
  /** Most entries; 200,000 where absent. */
  readonly limitEntries?: number;
  readonly signal?: AbortSignal;
}

/**
 * Unpacks a tar.gz of code into a new, empty directory. Nothing is written outside of it and no link leads out of it:
 * links are made last, so no file is written through one. Owners, times and special mode bits are dropped.
 * Errors: ARCHIVE_UNSAFE, ARCHIVE_TOO_LARGE, ARCHIVE_CORRUPT.
 */
export async function unpackArchive(archive: string, directory: string, limits: UnpackLimits = {}): Promise<void> {
  const limitBytes = limits.limitBytes ?? 1_000_000_000;
  const limitEntries = limits.limitEntries ?? 200_000;
  await mkdir(directory, { recursive: true });
  const links: { path: string; target: string }[] = [];
  const seen = new Map<string, "directory" | "file" | "link">();
  let bytes = 0;
  const tooLarge = (limit: string) => new SlipwayError("ARCHIVE_TOO_LARGE", { values: { limit } });
  const tar = extract();
  const feeding = pipeline(createReadStream(archive), createGunzip(), tar, { signal: limits.signal });
  feeding.catch(() => {}); // awaited below; the loop ends with the same error
  try {
    for await (const entry of tar) {
      const path = register(entry.header, seen);
      if (seen.size > limitEntries) throw tooLarge(`${limitEntries} entries`);
      if (path === undefined) {
        entry.resume();
        continue;
      }
      bytes += entry.header.size ?? 0;
      if (bytes > limitBytes) throw tooLarge(formatSize(limitBytes));
      const target = join(directory, path);
      if (entry.header.type === "directory") {
        await mkdir(target, { recursive: true });
        entry.resume();
      } else if (entry.header.type === "symlink") {
        links.push({ path, target: entry.header.linkname ?? "" });
        entry.resume();
      } else {
        await mkdir(dirname(target), { recursive: true });
        const mode = ((entry.header.mode ?? 0) & 0o111) === 0 ? 0o644 : 0o755;
        await pipeline(entry, createWriteStream(target, { mode, flags: "wx" }));
      }
    }
    await feeding;
    for (const { path, target } of links) {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await symlink(target, join(directory, path));
    }
  } catch (error) {
    tar.destroy();
    if (error instanceof SlipwayError) throw error;
    limits.signal?.throwIfAborted();
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (["ENOSPC", "EACCES", "EROFS", "ENOENT", "EMFILE"].includes(code)) throw error;
    throw new SlipwayError("ARCHIVE_CORRUPT", { values: { problem: (error as Error).message }, cause: error });
  }
}

/** Checks an entry's name, kind and link; undefined for the root itself. */
function register(header: Header, seen: Map<string, "directory" | "file" | "link">): string | undefined {
  const path = header.name.replace(/^(\.\/)+/, "").replace(/\/+$/, "");
  const unsafe = (problem: string) =>
    new SlipwayError("ARCHIVE_UNSAFE", { values: { entry: JSON.stringify(header.name), problem } });
  if ((path === "" || path === ".") && header.type === "directory") return undefined;
  const problem = entryPathProblem(path);
  if (problem !== undefined) throw unsafe(problem);
  const kind = header.type === "directory" ? "directory" : header.type === "symlink" ? "link" : "file";
  if (kind === "file" && header.type !== "file" && header.type !== "contiguous-file") {
    throw unsafe(`is a ${header.type}`);
  }
  if (kind === "link" && !linkStaysInside(path, header.linkname ?? "")) {
    throw unsafe(`is a link that leads out of the directory, to ${header.linkname}`);
  }
  const before = seen.get(path);
  if (before !== undefined && !(before === "directory" && kind === "directory")) throw unsafe("is there twice");
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
    const parent = path.slice(0, at);
    if ((seen.get(parent) ?? "directory") !== "directory") throw unsafe("lies below a file or a link");
    seen.set(parent, "directory");
  }
  seen.set(path, kind);
  return path;
}
