import fc from "fast-check";
import { expect, test } from "vitest";
import { advanceLogCursor, readLogCursor, START, skipSeen, writeLogCursor } from "./log-cursor.ts";

const events = fc.array(fc.record({ step: fc.nat({ max: 2 }), text: fc.string() })).map((list) => {
  let at = 1_700_000_000_000;
  return list.map(({ step, text }) => {
    at += step;
    return { at, text };
  });
});

test("a cursor survives being text", () => {
  fc.assert(
    fc.property(events, fc.option(fc.stringMatching(/^[a-z0-9/]{1,40}$/), { nil: undefined }), (seen, token) => {
      const cursor = advanceLogCursor(START, seen, token);
      const again = readLogCursor(writeLogCursor(cursor));
      if (cursor.countAtLast > 0 || token !== undefined) expect(again).toEqual(cursor);
    }),
  );
  expect(writeLogCursor(START)).toBe("");
  expect(readLogCursor("")).toEqual(START);
  expect(readLogCursor("rubbish")).toEqual(START);
});

test("reading again by time from any place gives every line once", () => {
  fc.assert(
    fc.property(events, fc.nat(), (all, cut) => {
      const place = all.length === 0 ? 0 : cut % (all.length + 1);
      const cursor = advanceLogCursor(START, all.slice(0, place), "expired");
      const again = all.filter((event) => event.at >= cursor.lastAt);
      expect(skipSeen(cursor, again)).toEqual(all.slice(place));
    }),
  );
});
