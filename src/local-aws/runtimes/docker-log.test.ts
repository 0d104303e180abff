import { expect, test } from "vitest";
import { readDockerLog } from "./docker-log.ts";

function message(stream: number, text: string): Buffer {
  const payload = Buffer.from(text);
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

async function linesOf(bytes: Buffer, size: number): Promise<{ at: number; text: string }[]> {
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const lines: { at: number; text: string }[] = [];
  for await (const line of readDockerLog(chunks())) lines.push(line);
  return lines;
}

test.each([1, 3, 7, 8, 9, 1000])("lines are the same however the bytes are cut (%i at a time)", async (size) => {
  const log = Buffer.concat([
    message(1, "2026-11-25T02:00:00.123456789Z one\n"),
    message(1, "2026-11-25T02:00:01.000000000Z the first half, "),
    message(2, "2026-11-25T02:00:02.000000000Z größer\r\n"),
    message(1, "2026-11-25T02:00:03.000000000Z and the second\n"),
    message(2, "2026-11-25T02:00:04.000000000Z \n"),
    message(2, "2026-11-25T02:00:05.000000000Z without a newline"),
  ]);
  const second = Date.parse("2026-11-25T02:00:00Z");
  expect(await linesOf(log, size)).toEqual([
    { at: second + 123, text: "one" },
    { at: second + 2000, text: "größer" },
    { at: second + 1000, text: "the first half, and the second" },
    { at: second + 4000, text: "" },
    { at: second + 5000, text: "without a newline" },
  ]);
});

test("a log that breaks off inside a message gives what was whole", async () => {
  const log = Buffer.concat([
    message(1, "2026-11-25T02:00:00Z one\n"),
    message(1, "2026-11-25T02:00:00Z two\n").subarray(0, 20),
  ]);
  expect((await linesOf(log, 5)).map(({ text }) => text)).toEqual(["one"]);
});
