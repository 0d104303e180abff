import { createReadStream, type Stats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { downloadChannel } from "./channel-files.ts";
import { type ChannelObject, listObjects } from "./channel-objects.ts";
import type { TrainingObjects } from "./ports.ts";
import { joinKey } from "./request.ts";

const SYNC_EVERY_MS = 5_000;

/** Fetches what an earlier job left under the checkpoint address. */
export async function restoreCheckpoints(
  objects: TrainingObjects,
  target: { bucket: string; key: string },
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  const prefix = joinKey(target.key, "");
  const found: ChannelObject[] = [];
  for await (const { key } of listObjects(objects, target.bucket, prefix)) {
    const path = key.slice(prefix.length).replace(/^\/+/, "");
    if (path !== "" && !path.endsWith("/") && !path.split("/").includes(".."))
      found.push({ bucket: target.bucket, key, path });
  }
  await downloadChannel(objects, { objects: found }, directory, signal);
}

/** Uploads a checkpoint directory's changes. */
export interface CheckpointSync {
  /** Every few seconds until the signal is aborted. A file is taken when it has not changed since the look before. */
  run(signal: AbortSignal): Promise<void>;
  /** All that is not in S3 as it is now; for the end, when nobody writes any more. */
  flush(): Promise<void>;
}

export function createCheckpointSync(
  objects: TrainingObjects,
  target: { bucket: string; key: string },
  directory: string,
  clock: Clock,
): CheckpointSync {
  const uploaded = new Map<string, string>();
  const seen = new Map<string, string>();
  const prefix = joinKey(target.key, "");
  const look = async (settledOnly: boolean) => {
    for await (const { name, path, state } of files(directory, "")) {
      const stamp = `${state.mtimeMs}:${state.size}`;
      const settled = seen.get(name) === stamp;
      seen.set(name, stamp);
      if (uploaded.get(name) === stamp || (settledOnly && !settled)) continue;
      await objects.put(target.bucket, prefix + name, createReadStream(path));
      uploaded.set(name, stamp);
    }
  };
  return {
    async run(signal) {
      while (!signal.aborted) {
        await clock.sleep(SYNC_EVERY_MS, signal).catch(() => {});
        if (!signal.aborted) await look(true);
      }
    },
    flush: () => look(false),
  };
}

async function* files(root: string, relative: string): AsyncGenerator<{ name: string; path: string; state: Stats }> {
  for (const item of await readdir(join(root, relative), { withFileTypes: true }).catch(() => [])) {
    const name = relative === "" ? item.name : `${relative}/${item.name}`;
    const path = join(root, name);
    if (item.isDirectory()) {
      yield* files(root, name);
    } else if (item.isFile()) {
      // Written to a temporary name and renamed, as checkpoints often are, a file may be gone by now.
      const state = await stat(path).catch(() => undefined);
      if (state !== undefined) yield { name, path, state };
    }
  }
}
