import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { createGzip } from "node:zlib";
import { pack } from "tar-stream";
import type { TrainingObjects } from "./ports.ts";
import { joinKey } from "./request.ts";

interface Entry {
  readonly name: string;
  readonly path: string;
}

/**
 * Uploads directories (one of each host) as one `NAME.tar.gz`, streamed; with compression NONE file by file under `NAME/`. Of two files
 * of the same name the first host's stays. Returns the S3 address. Errors are S3's.
 */
export async function uploadArtifacts(
  objects: TrainingObjects,
  directories: readonly string[],
  target: { readonly bucket: string; readonly prefix: string; readonly name: string; readonly compress: boolean },
): Promise<string> {
  const { bucket, prefix, name, compress } = target;
  const entries = new Map<string, Entry>();
  for (const directory of directories) {
    for await (const entry of walk(directory, "")) if (!entries.has(entry.name)) entries.set(entry.name, entry);
  }
  if (!compress) {
    const base = joinKey(prefix, `${name}/`);
    for (const { name: file, path } of entries.values()) {
      if ((await lstat(path)).isFile()) await objects.put(bucket, base + file, createReadStream(path));
    }
    return `s3://${bucket}/${base}`;
  }
  const key = joinKey(prefix, `${name}.tar.gz`);
  const archive = pack();
  // Level 1: on a model's weights the higher levels save next to nothing and cost many times the seconds.
  const compressed = archive.pipe(createGzip({ level: 1 }));
  archive.on("error", (error) => compressed.destroy(error));
  const filled = fill(archive, entries.values()).catch((error: Error) => archive.destroy(error));
  await objects.put(bucket, key, compressed);
  await filled;
  return `s3://${bucket}/${key}`;
}

/** Whether a directory holds anything. */
export async function hasContent(directory: string): Promise<boolean> {
  return (await readdir(directory).catch(() => [])).length > 0;
}

async function fill(archive: ReturnType<typeof pack>, entries: Iterable<Entry>): Promise<void> {
  for (const { name, path } of entries) {
    const stat = await lstat(path);
    const common = { name, mode: stat.mode & 0o7777, mtime: stat.mtime };
    if (stat.isDirectory()) {
      archive.entry({ ...common, type: "directory" });
    } else if (stat.isSymbolicLink()) {
      archive.entry({ ...common, type: "symlink", linkname: await readlink(path) });
    } else if (stat.isFile()) {
      await new Promise<void>((resolve, reject) => {
        const entry = archive.entry({ ...common, size: stat.size }, (error) => (error ? reject(error) : resolve()));
        const file = createReadStream(path, { start: 0, end: Math.max(0, stat.size - 1) });
        if (stat.size === 0) {
          file.destroy();
          entry.end(undefined);
          return;
        }
        file.on("error", reject);
        file.pipe(entry);
      });
    }
  }
  archive.finalize();
}

async function* walk(root: string, relative: string): AsyncGenerator<Entry> {
  const found = await readdir(join(root, relative), { withFileTypes: true }).catch(() => []);
  for (const item of found.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const name = relative === "" ? item.name : `${relative}/${item.name}`;
    yield { name: item.isDirectory() ? `${name}/` : name, path: join(root, name) };
    if (item.isDirectory()) yield* walk(root, name);
  }
}
