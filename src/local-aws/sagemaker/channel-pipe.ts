import { execFile, spawn } from "node:child_process";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { Readable, type Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { promisify } from "node:util";
import { createGunzip } from "node:zlib";
import { type AugmentedRecord, type ChannelData, type ChannelObject, openObject } from "./channel-objects.ts";
import type { TrainingObjects } from "./ports.ts";
import type { Channel } from "./request.ts";

/** The word every RecordIO record starts with (MXNet's dmlc-core, recordio.h). */
const RECORD_MAGIC = 0xced7230a;

/**
 * Pipe mode: `CHANNEL_0`, `CHANNEL_1`, ... in the data directory, a FIFO for each epoch. A FIFO is fed once, when the training code opens it,
 * with all of the channel's data; the next one is there before the last one ends. Runs until the signal is aborted; throws DataError.
 */
export async function feedPipes(
  objects: TrainingObjects,
  channel: Channel,
  data: ChannelData,
  dataDir: string,
  signal: AbortSignal,
): Promise<void> {
  const path = (epoch: number) => join(dataDir, `${channel.ChannelName}_${epoch}`);
  for (let epoch = 0; !signal.aborted; epoch++) {
    if (epoch > 0) await makeFifo(path(epoch + 1));
    await feed(path(epoch), () => records(objects, channel, data, epoch), signal);
  }
}

/** The first two FIFOs, which must be there before the container starts. */
export async function preparePipes(channel: Channel, dataDir: string): Promise<void> {
  await makeFifo(join(dataDir, `${channel.ChannelName}_0`));
  await makeFifo(join(dataDir, `${channel.ChannelName}_1`));
}

async function makeFifo(path: string): Promise<void> {
  await promisify(execFile)("mkfifo", [path]).catch((error: Error) => {
    if (!/exists/.test(error.message)) throw error;
  });
  await chmod(path, 0o666);
}

/**
 * Opening a FIFO for writing waits for its reader. A process of its own does that: in this one each waiting open would hold one of
 * the few threads that file access has.
 */
async function feed(path: string, data: () => AsyncGenerator<Buffer>, signal: AbortSignal): Promise<void> {
  // The end may have come while the FIFO was made: an aborted signal calls nobody any more.
  if (signal.aborted) return;
  const child = spawn("/bin/sh", ["-c", 'exec cat > "$1"', "sh", path], { stdio: ["pipe", "ignore", "ignore"] });
  const stop = () => child.kill("SIGKILL");
  signal.addEventListener("abort", stop, { once: true });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  try {
    const source = Readable.from(data(), { objectMode: false });
    // A reader that closes early ends the epoch; that is its right.
    let failure: unknown;
    source.on("error", (error) => {
      failure = error;
      stop();
    });
    child.stdin.on("error", () => source.unpipe());
    source.pipe(child.stdin as Writable);
    await ended;
    if (failure !== undefined && !signal.aborted) throw failure;
    source.destroy();
    await finished(source).catch(() => {});
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

async function* records(
  objects: TrainingObjects,
  channel: Channel,
  data: ChannelData,
  epoch: number,
): AsyncGenerator<Buffer> {
  const items: readonly AugmentedRecord[] = data.lines ?? data.objects.map((object) => [object]);
  const seed = channel.ShuffleConfig?.Seed;
  for (const record of seed === undefined ? items : shuffled(items, seed + epoch)) {
    for (const part of record) {
      if (typeof part === "string") {
        yield* wrap(channel, [Buffer.from(part)]);
      } else if (channel.RecordWrapperType === "RecordIO") {
        const bytes: Buffer[] = [];
        for await (const chunk of open(objects, channel, part)) bytes.push(chunk);
        yield* wrap(channel, bytes);
      } else {
        yield* open(objects, channel, part);
      }
    }
  }
}

async function* open(objects: TrainingObjects, channel: Channel, object: ChannelObject): AsyncGenerator<Buffer> {
  const stream = await openObject(objects, object);
  yield* channel.CompressionType === "Gzip" ? stream.compose(createGunzip()) : stream;
}

function* wrap(channel: Channel, parts: readonly Buffer[]): Generator<Buffer> {
  if (channel.RecordWrapperType !== "RecordIO") {
    yield* parts;
    return;
  }
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(RECORD_MAGIC, 0);
  head.writeUInt32LE(length, 4);
  yield head;
  yield* parts;
  yield Buffer.alloc((4 - (length % 4)) % 4);
}

/** Fisher-Yates with a small seeded generator (mulberry32), so that the same seed gives the same order. */
function shuffled<T>(items: readonly T[], seed: number): T[] {
  let state = seed >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other]!, result[last]!];
  }
  return result;
}
