import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { type FileHandle, link, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";

/** A piece of an object's content: a file of the store and its size in bytes. */
export interface Piece {
  readonly file: string;
  readonly size: number;
}

export interface ContentStore {
  /**
   * Writes a stream into a new file; once this resolves the file is on the disk and survives a loss of power. `tap` sees every
   * byte. When the source or `finish` fails nothing remains. `finish` runs after the last byte, before the file gets its name.
   */
  write(source: AsyncIterable<Buffer>, tap: (data: Buffer) => void, finish?: () => void): Promise<Piece>;
  /** A second name for the same bytes, without copying them. */
  share(piece: Piece): Promise<Piece>;
  /** The bytes from `start` to `end` (inclusive) of pieces put together. The files stay readable until the stream is closed, even if they are removed. */
  read(pieces: readonly Piece[], start: number, end: number): Readable;
  /** Removes files, those that are being read as soon as they are not. */
  remove(files: readonly string[]): Promise<void>;
  /** Removes files that were there when the store was opened and that `isKnown` does not know: left by a crash between file and row. */
  sweep(isKnown: (file: string) => boolean): Promise<number>;
}

const WRITE_BATCH_BYTES = 1024 * 1024;
const READ_BYTES = 256 * 1024;

/** Object content in a directory: `DIR/ab/abcdef...`; files are written beside and renamed, and never change afterwards. */
export function createContentStore(directory: string): ContentStore {
  const incoming = join(directory, "incoming");
  rmSync(incoming, { recursive: true, force: true });
  mkdirSync(incoming, { recursive: true, mode: 0o700 });
  const atOpening = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name.length === 2)
    .flatMap((entry) => readdirSync(join(directory, entry.name)));
  const readers = new Map<string, number>();
  const doomed = new Set<string>();

  const pathOf = (file: string) => join(directory, file.slice(0, 2), file);
  const shardOf = async (file: string) => {
    const shard = join(directory, file.slice(0, 2));
    if ((await mkdir(shard, { recursive: true, mode: 0o700 })) !== undefined) await syncDirectory(directory);
    return shard;
  };
  const acquire = (file: string) => readers.set(file, (readers.get(file) ?? 0) + 1);
  const release = (file: string) => {
    const left = (readers.get(file) ?? 1) - 1;
    if (left > 0) return void readers.set(file, left);
    readers.delete(file);
    if (doomed.delete(file)) void rm(pathOf(file), { force: true }).catch(() => {});
  };

  return {
    async write(source, tap, finish) {
      const file = randomBytes(16).toString("hex");
      const temporary = join(incoming, file);
      const handle = await open(temporary, "wx", 0o600);
      let size = 0;
      try {
        try {
          size = await writeAll(handle, source, tap);
          finish?.();
          await handle.sync();
        } finally {
          await handle.close();
        }
        const shard = await shardOf(file);
        await rename(temporary, pathOf(file));
        await syncDirectory(shard);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
      return { file, size };
    },
    async share(piece) {
      const file = randomBytes(16).toString("hex");
      acquire(piece.file);
      try {
        const shard = await shardOf(file);
        await link(pathOf(piece.file), pathOf(file));
        await syncDirectory(shard);
      } finally {
        release(piece.file);
      }
      return { file, size: piece.size };
    },
    read(pieces, start, end) {
      const used = pieces.map(({ file }) => file);
      for (const file of used) acquire(file);
      const stream = Readable.from(readPieces(pieces, start, end, pathOf), {
        objectMode: false,
        highWaterMark: READ_BYTES,
      });
      stream.once("close", () => {
        for (const file of used) release(file);
      });
      return stream;
    },
    async remove(files) {
      for (const file of files) {
        if (readers.has(file)) doomed.add(file);
        else await rm(pathOf(file), { force: true });
      }
    },
    async sweep(isKnown) {
      let removed = 0;
      for (const file of atOpening.splice(0)) {
        if (isKnown(file)) continue;
        await rm(pathOf(file), { force: true });
        removed++;
      }
      return removed;
    },
  };
}

async function writeAll(
  handle: FileHandle,
  source: AsyncIterable<Buffer>,
  tap: (data: Buffer) => void,
): Promise<number> {
  let size = 0;
  let batch: Buffer[] = [];
  let batchBytes = 0;
  const flush = async () => {
    if (batchBytes > 0) await writeFully(handle, Buffer.concat(batch, batchBytes));
    batch = [];
    batchBytes = 0;
  };
  for await (const data of source) {
    tap(data);
    size += data.length;
    batch.push(data);
    batchBytes += data.length;
    if (batchBytes >= WRITE_BATCH_BYTES) await flush();
  }
  await flush();
  return size;
}

async function writeFully(handle: FileHandle, data: Buffer): Promise<void> {
  for (let offset = 0; offset < data.length; ) {
    offset += (await handle.write(data, offset, data.length - offset)).bytesWritten;
  }
}

async function* readPieces(
  pieces: readonly Piece[],
  start: number,
  end: number,
  pathOf: (file: string) => string,
): AsyncGenerator<Buffer, void, undefined> {
  let offset = 0;
  for (const { file, size } of pieces) {
    const from = Math.max(start - offset, 0);
    const to = Math.min(end - offset, size - 1);
    offset += size;
    if (from > to) continue;
    const handle = await open(pathOf(file), "r");
    try {
      for (let position = from; position <= to; ) {
        const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, to - position + 1));
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
        if (bytesRead === 0) throw new Error(`the file ${file} of the object store is shorter than its row says`);
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await handle.close();
    }
  }
}

/** Makes a rename in a directory last through a loss of power. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
