import { createHash, randomUUID } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join, normalize, sep } from "node:path";
import { Readable } from "node:stream";

export interface StoredFile {
  /** Hexadecimal. */
  readonly sha256: string;
  /** base64. */
  readonly md5: string;
  /** Bytes. */
  readonly size: number;
}

export interface FileInfo {
  /** Bytes. */
  readonly size: number;
  /** base64, where the store knows it without reading the file. */
  readonly md5: string | undefined;
  /** Milliseconds. */
  readonly changedAt: number;
}

export interface StoredPart {
  readonly partNumber: number;
  readonly etag: string;
}

/** Addresses that carry their own credential and lead past the server. Times in seconds. */
export interface DirectAccess {
  /** `md5` (base64): only a body with this MD5 is taken, sent with it in Content-MD5. */
  uploadUrl(path: string, options: { readonly expiresInS: number; readonly md5?: string }): Promise<string>;
  /** `name`: as what a browser saves it. */
  downloadUrl(path: string, options: { readonly expiresInS: number; readonly name: string }): Promise<string>;
  /** For a file in parts; each but the last has at least 5 MiB. */
  beginParts(path: string): Promise<{ readonly uploadId: string }>;
  partUrl(
    path: string,
    options: {
      readonly uploadId: string;
      readonly partNumber: number;
      readonly expiresInS: number;
      readonly md5?: string;
    },
  ): Promise<string>;
  /** The parts that have come, in their order; undefined if there is no such upload (any more). */
  listParts(path: string, uploadId: string): Promise<readonly StoredPart[] | undefined>;
  /** Makes the file of its parts. Parts as the uploads were answered (`etag`). */
  completeParts(path: string, uploadId: string, parts: readonly StoredPart[]): Promise<void>;
  /** One that is over already is fine. */
  abortParts(path: string, uploadId: string): Promise<void>;
}

/** Where files are kept that are too large for rows. Paths are relative, with `/`. */
export interface FileStore {
  /** Appends and syncs to disk; answers the offset at which the bytes begin. One writer per path. */
  append(path: string, bytes: Uint8Array): Promise<number>;
  /** A piece that `append` answered; what was put whole is read by `stream`. Rejects when the file ends before `length` bytes. */
  read(path: string, offset: number, length: number): Promise<Buffer>;
  /**
   * Streams into a file that appears whole, or not at all, and is on disk when this resolves.
   * `check` sees the digests (hex sha256, base64 md5) and size before the file appears; what it throws cancels.
   * Rejects with FileTooLarge beyond `limit` bytes.
   */
  put(
    path: string,
    body: Readable,
    options: { readonly limit: number; check(sha256: string, size: number, md5: string): void },
  ): Promise<StoredFile>;
  /** One file of several, in their order, which are then removed: it appears whole, or not at all. */
  concatenate(path: string, parts: readonly string[]): Promise<StoredFile>;
  size(path: string): Promise<number | undefined>;
  /** What is known of a file without reading it; undefined if it is absent. */
  info(path: string): Promise<FileInfo | undefined>;
  /** From byte `start` to byte `end`, both included; the whole file without them. */
  stream(path: string, range?: { readonly start: number; readonly end: number }): Readable;
  /** Addresses that lead straight to the files, where the store can make them; else the server passes the bytes on. */
  readonly direct: DirectAccess | undefined;
  /** Removes a file or a directory with all in it; absent is fine. */
  remove(path: string): Promise<void>;
  close(): Promise<void>;
}

export class FileTooLarge extends Error {}

interface OpenFile {
  readonly handle: FileHandle;
  end: number;
}

/** Files that are appended to stay open: opening costs more than writing. The least recently used are closed. */
const OPEN_FILES = 64;

/** A file store in a directory of this machine (or one that several server processes share). */
export function createDirectoryFileStore(root: string): FileStore {
  const open_ = new Map<string, Promise<OpenFile>>();
  const turns = new Map<string, Promise<unknown>>();

  /** One after the other for each path. */
  function inTurn<T>(path: string, work: () => Promise<T>): Promise<T> {
    const before = turns.get(path) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.catch(() => {});
    turns.set(path, settled);
    void settled.then(() => {
      if (turns.get(path) === settled) turns.delete(path);
    });
    return mine;
  }

  async function openToAppend(path: string): Promise<OpenFile> {
    const found = open_.get(path);
    if (found) {
      open_.delete(path);
      open_.set(path, found);
      return found;
    }
    const opening = (async () => {
      const file = inside(root, path);
      await makeDirectory(dirname(file));
      const handle = await open(file, "a+");
      await syncDirectory(dirname(file));
      return { handle, end: (await handle.stat()).size };
    })();
    open_.set(path, opening);
    opening.catch(() => open_.delete(path));
    for (const [other, file] of open_) {
      if (open_.size <= OPEN_FILES) break;
      if (other === path || turns.has(other)) continue;
      open_.delete(other);
      void file.then((opened) => opened.handle.close()).catch(() => {});
    }
    return opening;
  }

  async function closeAppended(path: string): Promise<void> {
    const file = open_.get(path);
    open_.delete(path);
    if (file) await file.then((opened) => opened.handle.close()).catch(() => {});
  }

  const put: FileStore["put"] = async (path, body, { limit, check }) => {
    const file = inside(root, path);
    await makeDirectory(dirname(file));
    const temporary = `${file}.${randomUUID()}.part`;
    const handle = await open(temporary, "wx");
    try {
      const tally = digests();
      for await (const chunk of body) {
        const bytes: Buffer = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
        if (tally.add(bytes) > limit) throw new FileTooLarge(`${path} is larger than ${limit} bytes`);
        await handle.appendFile(bytes);
      }
      const stored = tally.end();
      check(stored.sha256, stored.size, stored.md5);
      await handle.sync();
      await rename(temporary, file);
      await syncDirectory(dirname(file));
      return stored;
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
  };

  return {
    append: (path, bytes) =>
      inTurn(path, async () => {
        const file = await openToAppend(path);
        const offset = file.end;
        try {
          await file.handle.appendFile(bytes);
          await file.handle.datasync();
          file.end += bytes.byteLength;
          return offset;
        } catch (error) {
          // Part of it may be there; the next append looks anew at where the file ends.
          await closeAppended(path);
          throw error;
        }
      }),

    async read(path, offset, length) {
      const handle = await open(inside(root, path), "r");
      try {
        const buffer = Buffer.alloc(length);
        const { bytesRead } = await handle.read(buffer, 0, length, offset);
        if (bytesRead !== length) throw new Error(`${path} ends before byte ${offset + length}`);
        return buffer;
      } finally {
        await handle.close();
      }
    },

    direct: undefined,

    put,

    async concatenate(path, parts) {
      const present = await Promise.all(parts.map((part) => fileSize(inside(root, part))));
      const missing = present.indexOf(undefined);
      if (missing >= 0) throw new Error(`part ${parts[missing]} of ${path} is absent`);
      const stored = await put(path, Readable.from(each(parts.map((part) => inside(root, part)))), {
        limit: Number.POSITIVE_INFINITY,
        check: () => {},
      });
      for (const part of parts) await rm(inside(root, part), { force: true });
      return stored;
    },

    size: (path) => fileSize(inside(root, path)),

    async info(path) {
      const found = await statOf(inside(root, path));
      return found && { size: found.size, md5: undefined, changedAt: Math.floor(found.mtimeMs) };
    },

    stream: (path, range) => createReadStream(inside(root, path), range),

    async remove(path) {
      for (const other of [...open_.keys()]) {
        if (other === path || other.startsWith(`${path}/`)) await inTurn(other, () => closeAppended(other));
      }
      await rm(inside(root, path), { recursive: true, force: true });
    },

    async close() {
      for (const path of [...open_.keys()]) await inTurn(path, () => closeAppended(path));
    },
  };
}

/** A small file whole, as text. */
export async function readText(files: Pick<FileStore, "stream">, path: string): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of files.stream(path)) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString("utf8");
}

/** Counts what goes through and digests it. */
export function digests(): { add(bytes: Uint8Array): number; end(): StoredFile } {
  const sha256 = createHash("sha256");
  const md5 = createHash("md5");
  let size = 0;
  return {
    add(bytes) {
      sha256.update(bytes);
      md5.update(bytes);
      size += bytes.byteLength;
      return size;
    },
    end: () => ({ sha256: sha256.digest("hex"), md5: md5.digest("base64"), size }),
  };
}

async function* each(files: readonly string[]): AsyncGenerator<Buffer> {
  for (const file of files) yield* createReadStream(file) as AsyncIterable<Buffer>;
}

async function statOf(file: string): Promise<Stats | undefined> {
  try {
    return await stat(file);
  } catch (error) {
    // ENOTDIR: a name below that of a file.
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

const fileSize = async (file: string) => (await statOf(file))?.size;

function inside(root: string, path: string): string {
  const file = normalize(join(root, path));
  if (!file.startsWith(normalize(root) + sep)) throw new Error(`${path} leads out of the file store`);
  return file;
}

/** Makes the directory and syncs each new name on the way, so that a file in it survives loss of power. */
async function makeDirectory(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true });
  if (first === undefined) return;
  for (let made = directory; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made));
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
