import { access, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Clock } from "../core/clock.ts";
import { type Digest, isDigest } from "./digest.ts";
import type { Layer } from "./layers.ts";

/** Layers kept on disk between builds, shared by all builders of a machine. */
export interface LayerCache {
  /** A new directory for one build; the caller removes it. */
  workDirectory(): Promise<string>;
  /** The layer kept under a key, if it was kept; its blob may be gone. */
  find(key: string): Promise<Layer | undefined>;
  /** Path of a blob on disk; undefined if it is not here. */
  blob(digest: Digest): Promise<string | undefined>;
  /** Where a blob of this digest belongs; write beside it and rename. */
  blobPath(digest: Digest): string;
  /** Moves a layer's file into the cache, under its digest and (where given) a key. */
  keep(layer: Layer & { readonly path: string }, key?: string): Promise<void>;
  /** Runs `work` while no other builder of this machine, in this process or another, runs one for the same key. */
  alone<T>(key: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Deletes the blobs unused for longest until at most `limitBytes` are left. */
  trim(limitBytes: number): Promise<void>;
}

const digestSchema = z.custom<Digest>((value) => typeof value === "string" && isDigest(value));
const layerSchema = z.object({ digest: digestSchema, diffId: digestSchema, size: z.number() });
const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

export function createLayerCache(directory: string, clock: Clock): LayerCache {
  const blobs = join(directory, "blobs", "sha256");
  const layers = join(directory, "layers");
  const work = join(directory, "work");
  const blobPath = (digest: Digest) => join(blobs, digest.slice("sha256:".length));
  const ready = async () => {
    for (const path of [blobs, layers, work]) await mkdir(path, { recursive: true, mode: 0o700 });
  };

  return {
    blobPath,
    async workDirectory() {
      await ready();
      return mkdtemp(join(work, "build-"));
    },
    async find(key) {
      const text = await readFile(join(layers, `${key}.json`), "utf8").catch(() => undefined);
      if (text === undefined) return undefined;
      try {
        return layerSchema.parse(JSON.parse(text));
      } catch {
        return undefined; // cut off by a crash: built again
      }
    },
    async blob(digest) {
      const path = blobPath(digest);
      if (!(await exists(path))) return undefined;
      const now = new Date(clock.now());
      await utimes(path, now, now);
      return path;
    },
    async keep({ path, digest, diffId, size }, key) {
      await ready();
      await rename(path, blobPath(digest));
      if (key === undefined) return;
      const note = join(layers, `${key}.json`);
      await writeFile(`${note}.${process.pid}`, JSON.stringify({ digest, diffId, size }));
      await rename(`${note}.${process.pid}`, note);
    },
    async alone(key, doWork, signal) {
      await ready();
      const lock = join(layers, `${key}.lock`);
      while (!(await take(lock))) await clock.sleep(250, signal);
      try {
        return await doWork();
      } finally {
        await rm(lock, { force: true });
      }
    },
    async trim(limitBytes) {
      const files: { path: string; size: number; used: number }[] = [];
      for (const name of await readdir(blobs).catch(() => [])) {
        const path = join(blobs, name);
        const found = await stat(path).catch(() => undefined);
        if (found !== undefined) files.push({ path, size: found.size, used: found.mtimeMs });
      }
      files.sort((a, b) => b.used - a.used);
      let kept = 0;
      for (const file of files) {
        kept += file.size;
        if (kept > limitBytes) await rm(file.path, { force: true });
      }
    },
  };
}

/** Creates the lock file with our process id; a lock whose process is gone is removed and tried again by the caller. */
async function take(lock: string): Promise<boolean> {
  try {
    const file = await open(lock, "wx");
    await file.write(String(process.pid));
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const holder = Number(await readFile(lock, "utf8").catch(() => ""));
  if (holder > 0 && !isAlive(holder)) await rm(lock, { force: true });
  return false;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
