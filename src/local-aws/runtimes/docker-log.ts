import type { IncomingMessage } from "node:http";

/** Bytes before each message: the stream (1 stdout, 2 stderr), three zeros, the length big-endian (engine API, "Attach to a container"). */
const HEADER = 8;

/**
 * Lines of a container's log as the engine sends it with `timestamps=1`. A line of more than 16 KiB comes in several messages, each with a time of its
 * own; only the last one ends with a newline. `at` is when the line began, in milliseconds since 1970.
 */
export async function* readDockerLog(
  answer: IncomingMessage | AsyncIterable<Buffer>,
): AsyncGenerator<{ at: number; text: string }> {
  const open = new Map<number, { at: number; parts: Buffer[] }>();
  for await (const { stream, payload } of messages(answer)) {
    const space = payload.indexOf(0x20);
    const at = Date.parse(payload.toString("latin1", 0, space));
    const line = open.get(stream) ?? { at, parts: [] };
    const ends = payload.at(-1) === 0x0a;
    line.parts.push(payload.subarray(space + 1, ends ? -1 : undefined));
    open.set(stream, line);
    if (!ends) continue;
    open.delete(stream);
    yield textOf(line);
  }
  for (const line of open.values()) yield textOf(line);
}

function textOf(line: { at: number; parts: Buffer[] }): { at: number; text: string } {
  return { at: line.at, text: Buffer.concat(line.parts).toString("utf8").replace(/\r$/, "") };
}

async function* messages(source: AsyncIterable<Buffer>): AsyncGenerator<{ stream: number; payload: Buffer }> {
  let chunks: Buffer[] = [];
  let size = 0;
  let wanted = HEADER;
  for await (const chunk of source) {
    chunks.push(chunk);
    size += chunk.length;
    if (size < wanted) continue;
    let data = Buffer.concat(chunks);
    for (;;) {
      wanted = data.length < HEADER ? HEADER : HEADER + data.readUInt32BE(4);
      if (data.length < wanted || data.length < HEADER) break;
      yield { stream: data[0]!, payload: data.subarray(HEADER, wanted) };
      data = data.subarray(wanted);
    }
    chunks = [data];
    size = data.length;
  }
}
