import fc from "fast-check";
import { expect, test } from "vitest";
import { backoffDelay, retryAfterMs } from "./backoff.ts";

test("a delay lies between half of its ceiling and the ceiling, and never above the longest", () => {
  const inputs = fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.double({ min: 0, max: 0.999999, noNaN: true }));
  fc.assert(
    fc.property(inputs, ([attempt, random]) => {
      const delay = backoffDelay(attempt, { baseMs: 100, maxMs: 3_000 }, random);
      const ceiling = Math.min(3_000, 100 * 2 ** Math.min(attempt - 1, 30));
      expect(delay).toBeGreaterThanOrEqual(ceiling / 2);
      expect(delay).toBeLessThanOrEqual(ceiling);
    }),
  );
});

test("Retry-After is read as seconds or as a date", () => {
  expect(retryAfterMs("2", 0)).toBe(2_000);
  expect(retryAfterMs("Thu, 01 Jan 1970 00:00:05 GMT", 1_000)).toBe(4_000);
  expect(retryAfterMs("Thu, 01 Jan 1970 00:00:05 GMT", 9_000)).toBe(0);
  expect(retryAfterMs("soon", 0)).toBeUndefined();
  expect(retryAfterMs(null, 0)).toBeUndefined();
});
