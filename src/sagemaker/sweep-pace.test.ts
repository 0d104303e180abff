import fc from "fast-check";
import { expect, test } from "vitest";
import { createSweepPace, FASTEST_MS, SLOWEST_MS } from "./sweep-pace.ts";

test("fast just after a move, a tenth of the time since then, at most 10 s", () => {
  const pace = createSweepPace(0);
  expect(pace.interval(0)).toBe(FASTEST_MS);
  expect(pace.interval(20_000)).toBe(2_000);
  expect(pace.interval(3_600_000)).toBe(SLOWEST_MS);
  pace.moved(3_600_000);
  expect(pace.interval(3_600_100)).toBe(FASTEST_MS);
});

test("throttling slows it down, success brings it back", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 50 }), (throttles) => {
      const pace = createSweepPace(0);
      for (const throttled of throttles) {
        const before = pace.interval(0);
        if (throttled) pace.throttled();
        else pace.succeeded();
        if (throttled) expect(pace.interval(0)).toBeGreaterThanOrEqual(before);
        else expect(pace.interval(0)).toBeLessThanOrEqual(before);
        expect(pace.interval(0)).toBeGreaterThanOrEqual(FASTEST_MS);
        expect(pace.interval(0)).toBeLessThanOrEqual(FASTEST_MS * 32);
      }
      for (let i = 0; i < 100; i++) pace.succeeded();
      expect(pace.interval(0)).toBeCloseTo(FASTEST_MS, 0);
    }),
  );
});
