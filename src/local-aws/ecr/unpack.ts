import { createWriteStream } from "node:fs";
import { chmod, lchown, link, lstat, lutimes, mkdir, readdir, rm, symlink, unlink, utimes } from "node:fs/promises";
import path from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";
import { readDecompressed } from "./decompress.ts";
import { createRootedPaths, type RootedPaths } from "./rooted-paths.ts";

const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";

/** A layer is not what a layer must be. */
export class LayerError extends Error {}

/**
 * Unpacks layers, lowest first, into one new directory and applies their whiteouts (OCI image specification, "Image Layer Filesystem Changeset").
 * No entry gets out of `root`: names and the symbolic links on their way are resolved inside it. As root, files keep their owners; else they belong
 * to whoever runs this. Devices and FIFOs are left out (a runtime mounts its own /dev), extended attributes too.
 */
export async function unpackLayers(layers: readonly { readonly path: string }[], root: string): Promise<void> {
  await mkdir(root, { recursive: true, mode: 0o755 });
  // Directories get their modes and times last: a read-only one must still take its files.
  const directories = new Map<string, Header>();
  for (const layer of layers) await unpackLayer(layer.path, root, directories);
  const deepestFirst = [...directories].sort(([a], [b]) => b.length - a.length);
  for (const [directory, header] of deepestFirst) {
    const found = await lstat(directory).catch(() => undefined);
    if (found?.isDirectory()) await applyAttributes(directory, header);
  }
}

async function unpackLayer(file: string, root: string, directories: Map<string, Header>): Promise<void> {
  const paths = createRootedPaths(root);
  // What this layer itself has made: an opaque whiteout only hides what lies below.
  const own = new Set<string>();
  const tar = extract();
  const source = await readDecompressed(file);
  const feeding = pipeline(source, tar);
  feeding.catch(() => undefined);
  for await (const entry of tar) {
    await applyEntry(entry.header, entry as unknown as Readable, { root, paths, own, directories });
    entry.resume();
  }
  await feeding;
}

interface LayerState {
  readonly root: string;
  readonly paths: RootedPaths;
  readonly own: Set<string>;
  readonly directories: Map<string, Header>;
}

async function applyEntry(header: Header, content: Readable, state: LayerState): Promise<void> {
  const { root, paths, own, directories } = state;
  const name = normalise(header.name);
  if (name === "") {
    if (header.type === "directory") directories.set(root, header);
    return;
  }
  const parent = await paths.directory(path.dirname(name));
  const base = path.basename(name);
  if (base === OPAQUE) return hideLower(parent, state);
  if (base.startsWith(WHITEOUT)) return removeTree(path.join(parent, checkedName(base.slice(WHITEOUT.length))), state);
  const target = path.join(parent, base);
  const there = await lstat(target).catch(() => undefined);
  if (there && !(there.isDirectory() && header.type === "directory")) await removeTree(target, state);
  remember(own, root, target);

  switch (header.type) {
    case "directory":
      if (!there?.isDirectory()) await mkdir(target, { mode: 0o700 });
      directories.set(target, header);
      return;
    case "file":
    case "contiguous-file":
      await pipeline(content, createWriteStream(target, { flags: "wx", mode: 0o600 }));
      return applyAttributes(target, header);
    case "symlink":
      await symlink(header.linkname ?? "", target);
      paths.forget();
      return applyAttributes(target, header);
    case "link": {
      const linked = normalise(header.linkname ?? "");
      if (linked === "") throw new LayerError(`Hard link ${header.name} to nothing`);
      await link(path.join(await paths.directory(path.dirname(linked)), path.basename(linked)), target);
      return;
    }
    default:
      return;
  }
}

/** Opaque whiteout: everything that lower layers put into the directory goes, what this layer has put there stays. */
async function hideLower(directory: string, state: LayerState): Promise<void> {
  for (const name of await readdir(directory)) {
    const child = path.join(directory, name);
    if (!state.own.has(child)) await removeTree(child, state);
    else if ((await lstat(child)).isDirectory()) await hideLower(child, state);
  }
}

async function removeTree(target: string, state: LayerState): Promise<void> {
  const found = await lstat(target).catch(() => undefined);
  if (!found) return;
  if (!found.isDirectory() && !found.isSymbolicLink()) return unlink(target);
  await rm(target, { recursive: true, force: true });
  state.paths.forget();
  for (const directory of state.directories.keys())
    if (directory === target || directory.startsWith(`${target}/`)) state.directories.delete(directory);
}

/** Notes the entry and the directories above it, which an opaque whiteout that comes later must leave. */
function remember(own: Set<string>, root: string, target: string): void {
  for (let at = target; at !== root && !own.has(at); at = path.dirname(at)) own.add(at);
}

async function applyAttributes(target: string, header: Header): Promise<void> {
  const mtime = header.mtime ?? new Date(0);
  if (process.getuid?.() === 0) await lchown(target, header.uid ?? 0, header.gid ?? 0);
  if (header.type === "symlink") return lutimes(target, mtime, mtime);
  await chmod(target, (header.mode ?? 0o644) & 0o7777);
  await utimes(target, mtime, mtime);
}

/** An entry's name without `./`, `/` and `..` in front or inside, relative to the root; empty for the root itself. */
function normalise(name: string): string {
  if (name.includes("\0")) throw new LayerError("A name in the layer holds a NUL byte");
  return path.posix.normalize(`/${name}`).replace(/^\/+|\/+$/g, "");
}

function checkedName(name: string): string {
  if (name === "" || name === "." || name === "..") throw new LayerError(`Whiteout of '${name}'`);
  return name;
}
