import { createHash, type Hash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, stat } from "node:fs/promises";
import path from "node:path";
import type { Database } from "libsql";
import type { Clock } from "../../core/clock.ts";
import { type BlobStore, unlinkIfThere } from "./blob-store.ts";

/** An upload that is under way. Its bytes so far are a file, so that it can go on after a lost connection or a restart. */
export interface Upload {
  readonly id: string;
  readonly repositoryId: number;
  /** Bytes received. */
  readonly offset: number;
}

/** The bytes do not begin where the upload stands. */
export class UploadRangeError extends Error {
  readonly offset: number;
  constructor(offset: number) {
    super(`The upload continues at byte ${offset}`);
    this.offset = offset;
  }
}

/** The bytes are not what the digest names. */
export class UploadDigestError extends Error {
  readonly found: string;
  constructor(expected: string, found: string) {
    super(`The digest of the received bytes is ${found}, not ${expected}`);
    this.found = found;
  }
}

export interface Uploads {
  /** Bytes of a blob that the repository has, undefined if it has not. The answer holds for a day: the blob is not collected meanwhile. */
  check(repositoryId: number, digest: string): number | undefined;
  /** Gives the repository a blob that another one has, without its bytes moving. False when `from` does not have it. */
  mount(repositoryId: number, from: number, digest: string): boolean;
  start(repositoryId: number): Promise<Upload>;
  /** Undefined when there is no such upload in this repository. */
  find(repositoryId: number, id: string): Promise<Upload | undefined>;
  /**
   * Adds bytes as they come and answers with the new offset. What arrived before a broken connection stays. `start` is where the sender believes
   * to be: UploadRangeError if it is not there.
   */
  append(upload: Upload, body: AsyncIterable<Buffer>, start?: number): Promise<number>;
  /** Makes a blob of the upload and links it to the repository. Throws UploadDigestError, and the upload stays. */
  finish(upload: Upload, digest: string): Promise<{ readonly size: number }>;
  cancel(upload: Upload): Promise<void>;
}

export function createUploads(deps: {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly directory: string;
  readonly clock: Clock;
}): Uploads {
  const { db, blobs, directory, clock } = deps;
  const file = (id: string) => path.join(directory, id);
  // The hash of what has been received, so that finishing need not read the file again; missing after a restart.
  const hashes = new Map<string, { hash: Hash; offset: number }>();
  // One writer per upload: a second request waits for the first.
  const queues = new Map<string, Promise<unknown>>();

  async function alone<T>(id: string, work: () => Promise<T>): Promise<T> {
    const before = queues.get(id) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.catch(() => undefined);
    queues.set(id, settled);
    try {
      return await mine;
    } finally {
      if (queues.get(id) === settled) queues.delete(id);
    }
  }

  async function hashAt(id: string, offset: number): Promise<{ hash: Hash; offset: number }> {
    const known = hashes.get(id);
    if (known?.offset === offset) return known;
    const made = { hash: createHash("sha256"), offset };
    if (offset > 0)
      for await (const chunk of createReadStream(file(id), { end: offset - 1 })) made.hash.update(chunk as Buffer);
    hashes.set(id, made);
    return made;
  }

  async function forget(id: string): Promise<void> {
    hashes.delete(id);
    db.prepare("DELETE FROM ecr_uploads WHERE id = ?").run(id);
    await unlinkIfThere(file(id));
  }

  return {
    start: async (repositoryId) => {
      const id = randomUUID();
      await mkdir(directory, { recursive: true });
      await (await open(file(id), "w")).close();
      db.prepare("INSERT INTO ecr_uploads (id, repository_id, touched_at) VALUES (?, ?, ?)").run(
        id,
        repositoryId,
        clock.now(),
      );
      return { id, repositoryId, offset: 0 };
    },

    find: async (repositoryId, id) => {
      const row = db.prepare("SELECT id FROM ecr_uploads WHERE id = ? AND repository_id = ?").get(id, repositoryId);
      if (row === undefined) return undefined;
      const size = await stat(file(id)).then(
        (found) => found.size,
        () => undefined,
      );
      return size === undefined ? undefined : { id, repositoryId, offset: size };
    },

    append: (upload, body, start) =>
      alone(upload.id, async () => {
        const handle = await open(file(upload.id), "r+");
        try {
          const { size } = await handle.stat();
          if (start !== undefined && start !== size) throw new UploadRangeError(size);
          const progress = await hashAt(upload.id, size);
          for await (const chunk of body) {
            // The file first: if this fails midway the hash no longer fits the size and is made anew.
            await writeAll(handle, chunk, progress.offset);
            progress.hash.update(chunk);
            progress.offset += chunk.length;
          }
          return progress.offset;
        } finally {
          await handle.close();
          db.prepare("UPDATE ecr_uploads SET touched_at = ? WHERE id = ?").run(clock.now(), upload.id);
        }
      }),

    finish: (upload, digest) =>
      alone(upload.id, async () => {
        const { size } = await stat(file(upload.id));
        const progress = await hashAt(upload.id, size);
        const found = `sha256:${progress.hash.copy().digest("hex")}`;
        if (found !== digest) throw new UploadDigestError(digest, found);
        const record = db.transaction(() => {
          db.prepare("INSERT INTO ecr_blobs (digest, size) VALUES (?, ?) ON CONFLICT DO NOTHING").run(digest, size);
          linkBlob(db, upload.repositoryId, digest, clock.now());
        });
        await blobs.adopt(file(upload.id), digest, () => record());
        await forget(upload.id);
        return { size };
      }),

    check: (repositoryId, digest) => {
      const size = blobSize(db, repositoryId, digest);
      if (size !== undefined)
        db.prepare(
          "UPDATE ecr_repository_blobs SET linked_at = ? WHERE repository_id = ? AND digest = ? AND linked_at < ?",
        ).run(clock.now(), repositoryId, digest, clock.now() - 3_600_000);
      return size;
    },

    mount: (repositoryId, from, digest) => {
      if (blobSize(db, from, digest) === undefined) return false;
      linkBlob(db, repositoryId, digest, clock.now());
      return true;
    },

    cancel: (upload) => alone(upload.id, () => forget(upload.id)),
  };
}

/** Says that the repository has the blob. The link's time protects it from collection until a manifest names it. */
export function linkBlob(db: Database, repositoryId: number, digest: string, now: number): void {
  db.prepare(
    `INSERT INTO ecr_repository_blobs (repository_id, digest, linked_at) VALUES (?, ?, ?)
     ON CONFLICT (repository_id, digest) DO UPDATE SET linked_at = excluded.linked_at`,
  ).run(repositoryId, digest, now);
}

/** Size of the blob in this repository in bytes; undefined when the repository does not have it. */
export function blobSize(db: Database, repositoryId: number, digest: string): number | undefined {
  const row = db
    .prepare(
      `SELECT b.size FROM ecr_repository_blobs AS l JOIN ecr_blobs AS b ON b.digest = l.digest
       WHERE l.repository_id = ? AND l.digest = ?`,
    )
    .get(repositoryId, digest) as { size: number } | undefined;
  return row?.size;
}

async function writeAll(handle: Awaited<ReturnType<typeof open>>, chunk: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < chunk.length)
    done += (await handle.write(chunk, done, chunk.length - done, position + done)).bytesWritten;
}
