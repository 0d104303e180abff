import fc from "fast-check";
import { expect, test } from "vitest";
import { parseSse, type SseEvent } from "./sse.ts";

async function parse(text: string, cuts: readonly number[] = []): Promise<SseEvent[]> {
  const bytes = new TextEncoder().encode(text);
  const places = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  async function* body() {
    for (let i = 1; i < places.length; i++) yield bytes.slice(places[i - 1], places[i]);
  }
  const events: SseEvent[] = [];
  for await (const event of parseSse(body())) events.push(event);
  return events;
}

const STREAM =
  ': hello\r\n\r\nid: 7\r\nevent: item\r\ndata: {"a":\r\ndata: 1}\r\n\r\ndata: grüße\n\nid: 8\nretry: 10\ndata:x\n\ndata: cut off';
const EVENTS: SseEvent[] = [
  { id: "7", event: "item", data: '{"a":\n1}' },
  { id: "7", event: "message", data: "grüße" },
  { id: "8", event: "message", data: "x" },
];

test("fields, comments, several data lines, ids that stay, an event without its end", async () => {
  expect(await parse(STREAM)).toEqual(EVENTS);
});

test("where the bytes are cut makes no difference", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(), { maxLength: 30 }), async (cuts) => {
      expect(await parse(STREAM, cuts)).toEqual(EVENTS);
    }),
    { numRuns: 200 },
  );
});
