import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join, normalize, sep } from "node:path";
import type { Readable } from "node:stream";

/** Where files are kept that are too large for rows. Paths are relative, with `/`. */
export interface FileStore {
  /** Appends and syncs to disk; answers the offset at which the bytes begin. One writer per path. */
  append(path: string, bytes: Uint8Array): Promise<number>;
  /** Rejects when the file ends before `length` bytes. */
  read(path: string, offset: number, length: number): Promise<Buffer>;
  /**
   * Streams into a file that appears whole, or not at all, and is on disk when this resolves.
   * `check` sees the digest (hex sha256) and size before the file appears; what it throws cancels.
   * Rejects with FileTooLarge beyond `limit` bytes.
   */
  put(
    path: string,
    body: Readable,
    options: { readonly limit: number; check(sha256: string, size: number): void },
  ): Promise<{ sha256: string; size: number }>;
  size(path: string): Promise<number | undefined>;
  stream(path: string): Readable;
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

    async put(path, body, { limit, check }) {
      const file = inside(root, path);
      await makeDirectory(dirname(file));
      const temporary = `${file}.${randomUUID()}.part`;
      const handle = await open(temporary, "wx");
      try {
        const hash = createHash("sha256");
        let size = 0;
        for await (const chunk of body) {
          const bytes: Buffer = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
          size += bytes.byteLength;
          if (size > limit) throw new FileTooLarge(`${path} is larger than ${limit} bytes`);
          hash.update(bytes);
          await handle.appendFile(bytes);
        }
        const sha256 = hash.digest("hex");
        check(sha256, size);
        await handle.sync();
        await rename(temporary, file);
        await syncDirectory(dirname(file));
        return { sha256, size };
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      } finally {
        await handle.close();
      }
    },

    async size(path) {
      try {
        return (await stat(inside(root, path))).size;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
    },

    stream: (path) => createReadStream(inside(root, path)),

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
