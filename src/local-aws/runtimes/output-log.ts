import { watch } from "node:fs";
import { access, open } from "node:fs/promises";
import { join } from "node:path";

/** How long one waits for the kernel's word that a file has changed before looking again by oneself (a network file system never tells). */
const LOOK_AGAIN_MS = 500;

/**
 * Lines of a supervisor's output.log, from the first, until exit.json exists and all has been read.
 * `abandoned` is asked when nothing comes: true ends the reading (the supervisor is gone and will never write exit.json).
 */
export async function* followOutput(
  stateDir: string,
  abandoned: () => boolean,
  signal?: AbortSignal,
): AsyncGenerator<{ at: number; text: string }> {
  const changes = changeSignal(stateDir, signal);
  const file = await open(join(stateDir, "output.log"), "a+");
  try {
    const buffer = Buffer.allocUnsafe(256 * 1024);
    let rest = Buffer.alloc(0);
    let position = 0;
    while (signal?.aborted !== true) {
      const mark = changes.mark();
      // Asked before reading: what was written before exit.json is then certainly seen.
      const ended = (await exists(join(stateDir, "exit.json"))) || abandoned();
      let read = 0;
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
        if (bytesRead === 0) break;
        read += bytesRead;
        position += bytesRead;
        let data =
          rest.length === 0 ? buffer.subarray(0, bytesRead) : Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
        const lastNewline = data.lastIndexOf(10);
        if (lastNewline >= 0) {
          const text = data.toString("utf8", 0, lastNewline);
          data = data.subarray(lastNewline + 1);
          rest = Buffer.from(data);
          for (const line of text.split("\n")) {
            const tab = line.indexOf("\t");
            yield { at: Number(line.slice(0, tab)), text: line.slice(tab + 1) };
          }
        } else {
          rest = Buffer.from(data);
        }
      }
      if (ended) return;
      if (read === 0) await changes.since(mark);
    }
  } finally {
    changes.close();
    await file.close();
  }
}

/** Resolves when the file exists, or when `abandoned` says that it never will. */
export async function waitForFile(
  stateDir: string,
  name: string,
  abandoned: () => boolean,
  signal?: AbortSignal,
): Promise<boolean> {
  const changes = changeSignal(stateDir, signal);
  try {
    while (signal?.aborted !== true) {
      const mark = changes.mark();
      const gone = abandoned();
      if (await exists(join(stateDir, name))) return true;
      if (gone) return false;
      await changes.since(mark);
    }
    return false;
  } finally {
    changes.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Says when something in a directory has changed since a mark, or the signal was aborted. */
function changeSignal(
  directory: string,
  signal: AbortSignal | undefined,
): { mark(): number; since(mark: number): Promise<void>; close(): void } {
  let count = 0;
  let wake = () => {};
  const changed = () => {
    count++;
    wake();
  };
  const watcher = watch(directory, changed);
  watcher.on("error", () => {});
  signal?.addEventListener("abort", changed, { once: true });
  return {
    mark: () => count,
    since: (mark) =>
      new Promise((resolve) => {
        if (count !== mark) return resolve();
        const timer = setTimeout(resolve, LOOK_AGAIN_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
    close: () => {
      signal?.removeEventListener("abort", changed);
      watcher.close();
      wake();
    },
  };
}
