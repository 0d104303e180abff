import { expect, test } from "vitest";
import { manualClock } from "../testing/manual-clock.ts";
import { createWrongKeys } from "./wrong-keys.ts";

test("after so many wrong keys an address waits for the minute to end; others and keys known there do not", () => {
  const clock = manualClock();
  const keys = createWrongKeys(clock, 3);
  keys.good("a", "known");
  for (let tries = 0; tries < 3; tries++) {
    expect(keys.waitSeconds("a", `try-${tries}`)).toBe(0);
    keys.wrong("a");
  }
  expect(keys.waitSeconds("a", "another")).toBe(60);
  expect(keys.waitSeconds("a", "known")).toBe(0);
  expect(keys.waitSeconds("b", "another")).toBe(0);
  // Known at one address is not known at another.
  for (let tries = 0; tries < 3; tries++) keys.wrong("b");
  expect(keys.waitSeconds("b", "known")).toBe(60);
  clock.advance(59_500);
  expect(keys.waitSeconds("a", "another")).toBe(1);
  clock.advance(500);
  expect(keys.waitSeconds("a", "another")).toBe(0);
});
