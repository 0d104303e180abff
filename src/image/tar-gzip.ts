import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { pack } from "tar-stream";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import type { Digest } from "./digest.ts";
import type { TreeEntry } from "./tree.ts";

const gzipAsync = promisify(gzip);

/** A gzip-compressed tar file. */
export interface TarGzip {
  readonly path: string;
  /** Of the compressed bytes. */
  readonly digest: Digest;
  /** Of the tar inside: the same for the same tree whatever compressed it. OCI calls it the diff id. */
  readonly diffId: Digest;
  /** Bytes, compressed. */
  readonly size: number;
}

export interface TarGzipOptions {
  /** Put before every path: `opt/slipway/code`; its own directories become entries from `rootEntries` on. */
  readonly prefix?: string;
  /** Directory entries written first, for instance `["opt/slipway", "opt/slipway/code"]`. */
  readonly rootEntries?: readonly string[];
  /** zlib's 1 to 9; 6 where absent. */
  readonly level?: number;
  readonly signal?: AbortSignal;
}

/** Files up to this size are read whole, bigger ones are streamed. */
const WHOLE_FILE = 4 * 1024 * 1024;
/**
 * Bytes of tar in one gzip member. A gzip file may be a row of members (RFC 1952, 2.2); each is compressed on a thread of
 * its own, so that two cores compress twice as fast, and the borders depend on the content alone.
 */
const MEMBER = 2 * 1024 * 1024;
/** Members being compressed at once: libuv has four threads. */
const AT_ONCE = 4;
const EPOCH = new Date(0);

/** Writes the entries as a deterministic tar.gz: time 0, owner 0, modes 755 or 644. Errors: CODE_CHANGED_WHILE_PACKING. */
export async function writeTarGzip(
  path: string,
  entries: readonly TreeEntry[],
  options: TarGzipOptions = {},
): Promise<TarGzip> {
  const tar = pack();
  const filling = fill(tar, entries, options).then(
    () => tar.finalize(),
    (error: Error) => tar.destroy(error),
  );
  const diff = createHash("sha256");
  const packed = createHash("sha256");
  const file = await open(path, "wx", 0o600);
  let size = 0;
  try {
    const compressing: Promise<Buffer>[] = [];
    const writeFirst = async () => {
      const member = await (compressing.shift() as Promise<Buffer>);
      packed.update(member);
      size += member.length;
      await file.write(member);
    };
    const compress = async (members: Buffer) => {
      diff.update(members);
      const job = gzipAsync(members, { level: options.level ?? 6 });
      job.catch(() => {}); // reported where it is awaited
      compressing.push(job);
      if (compressing.length >= AT_ONCE) await writeFirst();
    };
    for await (const member of inPieces(tar as unknown as AsyncIterable<Buffer>, MEMBER)) {
      options.signal?.throwIfAborted();
      await compress(member);
    }
    while (compressing.length > 0) await writeFirst();
    await filling;
  } finally {
    tar.destroy();
    await file.close();
  }
  return { path, size, digest: `sha256:${packed.digest("hex")}`, diffId: `sha256:${diff.digest("hex")}` };
}

type Pack = ReturnType<typeof pack>;

async function fill(tar: Pack, entries: readonly TreeEntry[], options: TarGzipOptions): Promise<void> {
  const common = { mtime: EPOCH, uid: 0, gid: 0, uname: "", gname: "" };
  for (const name of options.rootEntries ?? []) {
    tar.entry({ ...common, name: `${name}/`, type: "directory", mode: 0o755 });
  }
  for (const entry of entries) {
    const name = options.prefix === undefined ? entry.path : `${options.prefix}/${entry.path}`;
    if (entry.kind === "directory") {
      tar.entry({ ...common, name: `${name}/`, type: "directory", mode: 0o755 });
    } else if (entry.kind === "link") {
      tar.entry({ ...common, name, type: "symlink", linkname: entry.target, mode: 0o777 });
    } else {
      await addFile(tar, { ...common, name, mode: entry.executable ? 0o755 : 0o644 }, entry);
    }
  }
}

async function addFile(
  tar: Pack,
  header: { name: string; mode: number; mtime: Date; uid: number; gid: number },
  file: TreeEntry & { kind: "file" },
): Promise<void> {
  const changed = (cause: unknown) =>
    new SlipwayError("CODE_CHANGED_WHILE_PACKING", { values: { file: file.path }, where: file.path, cause });
  if (file.size <= WHOLE_FILE) {
    const data = await readFile(file.source).catch((cause: NodeJS.ErrnoException) => {
      throw cause.code === "ENOENT" ? changed(cause) : cause;
    });
    await new Promise<void>((resolve, reject) => {
      tar.entry(header, data, (error) => (error ? reject(error) : resolve()));
    });
    return;
  }
  await new Promise<void>((resolve, reject) => {
    const entry = tar.entry({ ...header, size: file.size }, (error) => (error ? reject(error) : resolve()));
    const source = createReadStream(file.source, { end: file.size - 1 });
    let read = 0;
    source.on("data", (chunk) => {
      read += chunk.length;
      if (!entry.write(chunk)) {
        source.pause();
        entry.once("drain", () => source.resume());
      }
    });
    source.once("error", (error) => entry.destroy(error));
    source.once("end", () => {
      if (read === file.size) entry.end(undefined);
      else entry.destroy(changed(undefined));
    });
  });
}

/** The stream's bytes in pieces of exactly `length` (the last one shorter). */
async function* inPieces(stream: AsyncIterable<Buffer>, length: number): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    held.push(chunk);
    bytes += chunk.length;
    if (bytes < length) continue;
    const joined = Buffer.concat(held);
    let at = 0;
    for (; bytes - at >= length; at += length) yield joined.subarray(at, at + length);
    held = [joined.subarray(at)];
    bytes -= at;
  }
  if (bytes > 0) yield Buffer.concat(held);
}
