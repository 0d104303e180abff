import { createHash } from "node:crypto";
import { createReadStream, rmSync } from "node:fs";
import { mkdir, open, readFile, rename, stat, unlink } from "node:fs/promises";
import path from "node:path";
import type { Readable } from "node:stream";

/** Files named by their own sha256, in `DATA/local-aws/blobs`. What is there is whole: a blob appears by a rename after its bytes are on disk. */
export interface BlobStore {
  /** Where the blob lies, whether or not it is there. */
  path(digest: string): string;
  /** Bytes `start` to `end` (both inclusive), or all. */
  read(digest: string, range?: { readonly start: number; readonly end: number }): Readable;
  readAll(digest: string): Promise<Buffer>;
  has(digest: string): Promise<boolean>;
  /** Moves a finished file into the store, then calls `record`; until that returns the blob is busy. `digest` has been checked by the caller. */
  adopt(file: string, digest: string, record: () => void): Promise<void>;
  /** Whether the blob is being adopted just now and must not be deleted. */
  busy(digest: string): boolean;
  /** Removes the blob at once, so that no upload of the same bytes can slip in between the row and the file. */
  deleteNow(digest: string): void;
}

export function createBlobStore(root: string): BlobStore {
  const place = (digest: string) => {
    const [algorithm, hex] = digest.split(":") as [string, string];
    return path.join(root, algorithm, hex.slice(0, 2), hex);
  };
  const adopting = new Map<string, number>();
  return {
    path: place,
    read: (digest, range) => createReadStream(place(digest), range ?? {}),
    readAll: (digest) => readFile(place(digest)),
    has: async (digest) =>
      stat(place(digest)).then(
        (found) => found.isFile(),
        () => false,
      ),
    adopt: async (file, digest, record) => {
      adopting.set(digest, (adopting.get(digest) ?? 0) + 1);
      try {
        const target = place(digest);
        await mkdir(path.dirname(target), { recursive: true });
        await sync(file);
        await rename(file, target);
        await sync(path.dirname(target));
        record();
      } finally {
        const left = adopting.get(digest)! - 1;
        if (left > 0) adopting.set(digest, left);
        else adopting.delete(digest);
      }
    },
    busy: (digest) => adopting.has(digest),
    deleteNow: (digest) => rmSync(place(digest), { force: true }),
  };
}

export function digestOf(content: Buffer | string): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

/** Removes a file that may be gone already. */
export async function unlinkIfThere(file: string): Promise<void> {
  await unlink(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}

async function sync(file: string): Promise<void> {
  const handle = await open(file, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
