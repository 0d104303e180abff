import { createWriteStream } from "node:fs";
import { chmod, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type ChannelData, DataError, openObject } from "./channel-objects.ts";
import type { TrainingObjects } from "./ports.ts";

/** Objects copied at the same time. */
const PARALLEL = 8;

/** Copies a channel's objects into a directory. Throws DataError, or the signal's reason when it is aborted. */
export async function downloadChannel(
  objects: TrainingObjects,
  data: ChannelData,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o777);
  const queue = data.objects.values();
  const copyNext = async () => {
    for (const object of queue) {
      signal.throwIfAborted();
      const target = join(directory, object.path);
      try {
        await mkdir(dirname(target), { recursive: true });
        await pipeline(await openObject(objects, object), createWriteStream(target), { signal });
      } catch (error) {
        signal.throwIfAborted();
        const code = (error as NodeJS.ErrnoException).code;
        if (code === "EISDIR" || code === "ENOTDIR" || code === "EEXIST") {
          throw new DataError(`s3://${object.bucket}/${object.key} is both an object and the prefix of another one`);
        }
        if (code === "ENOSPC")
          throw new DataError(`Could not download s3://${object.bucket}/${object.key}: insufficient disk space`);
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, copyNext));
}
