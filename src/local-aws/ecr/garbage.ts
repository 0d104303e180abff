import { readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import type { Database } from "libsql";
import type { Logger } from "pino";
import type { Clock } from "../../core/clock.ts";
import { type BlobStore, unlinkIfThere } from "./blob-store.ts";

/** How long a blob may wait for the manifest that names it, and an upload for its next bytes. */
const GRACE_MS = 24 * 3_600_000;
/** How often a busy registry looks. */
const INTERVAL_MS = 3_600_000;

export interface GarbageCollector {
  /** Frees what nothing refers to any more. Answers how many blobs, uploads and unpacked images went. */
  collect(): Promise<{ readonly blobs: number; readonly uploads: number; readonly unpacked: number }>;
  /** Collects in the background if the last time is an hour ago. */
  maybeCollect(): void;
}

export function createGarbageCollector(deps: {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly uploadDirectory: string;
  readonly unpackDirectory: string;
  readonly clock: Clock;
  readonly logger: Logger;
}): GarbageCollector {
  const { db, blobs, uploadDirectory, unpackDirectory, clock, logger } = deps;
  let lastAt = Number.NEGATIVE_INFINITY;

  async function collectUploads(before: number): Promise<number> {
    const stale = db.prepare("SELECT id FROM ecr_uploads WHERE touched_at < ?").all(before) as { id: string }[];
    for (const { id } of stale) db.prepare("DELETE FROM ecr_uploads WHERE id = ?").run(id);
    const known = new Set((db.prepare("SELECT id FROM ecr_uploads").all() as { id: string }[]).map(({ id }) => id));
    let removed = 0;
    for (const name of await list(uploadDirectory)) {
      if (known.has(name)) continue;
      // A file without a row is either garbage or being made this very moment.
      const found = await stat(path.join(uploadDirectory, name)).catch(() => undefined);
      if (!found || (found.mtimeMs > before && !stale.some(({ id }) => id === name))) continue;
      await unlinkIfThere(path.join(uploadDirectory, name));
      removed += 1;
    }
    return removed;
  }

  async function collectBlobs(before: number): Promise<number> {
    db.prepare(
      `DELETE FROM ecr_repository_blobs WHERE linked_at < ? AND NOT EXISTS (
         SELECT 1 FROM ecr_manifest_references AS r
         WHERE r.repository_id = ecr_repository_blobs.repository_id AND r.target = ecr_repository_blobs.digest)`,
    ).run(before);
    const orphans = db
      .prepare("SELECT digest FROM ecr_blobs WHERE digest NOT IN (SELECT digest FROM ecr_repository_blobs)")
      .all() as { digest: string }[];
    let removed = 0;
    for (const { digest } of orphans) {
      // Row and file go in one turn of the event loop, so that no finishing upload of the same bytes loses its file.
      if (blobs.busy(digest)) continue;
      const gone = db
        .prepare("DELETE FROM ecr_blobs WHERE digest = ? AND digest NOT IN (SELECT digest FROM ecr_repository_blobs)")
        .run(digest);
      if (gone.changes === 0) continue;
      blobs.deleteNow(digest);
      removed += 1;
    }
    return removed;
  }

  async function collectUnpacked(before: number): Promise<number> {
    let removed = 0;
    for (const name of await list(unpackDirectory)) {
      const digest = name.replace("-", ":").replace(/\..*$/, "");
      if (db.prepare("SELECT 1 FROM ecr_manifests WHERE digest = ?").get(digest) !== undefined) continue;
      const found = await stat(path.join(unpackDirectory, name)).catch(() => undefined);
      if (!found || found.mtimeMs > before) continue;
      await rm(path.join(unpackDirectory, name), { recursive: true, force: true });
      removed += 1;
    }
    return removed;
  }

  async function collect() {
    lastAt = clock.now();
    const before = clock.now() - GRACE_MS;
    const counts = {
      uploads: await collectUploads(before),
      blobs: await collectBlobs(before),
      unpacked: await collectUnpacked(before),
    };
    if (counts.blobs + counts.uploads + counts.unpacked > 0)
      logger.info(counts, "image registry: freed what nothing refers to");
    return counts;
  }

  return {
    collect,
    maybeCollect: () => {
      if (clock.now() - lastAt < INTERVAL_MS) return;
      collect().catch((error: unknown) => logger.warn({ err: error }, "image registry: collection failed"));
    },
  };
}

async function list(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}
