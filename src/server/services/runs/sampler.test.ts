import fc from "fast-check";
import { expect, test } from "vitest";
import { createSampler } from "./sampler.ts";

const sample = (length: number, wanted: number): number[] => {
  const sampler = createSampler<number>(wanted);
  for (let i = 0; i < length; i++) sampler.add(i);
  return sampler.take();
};

test("a short series is whole, a longer one spread evenly from its first to its last", () => {
  expect(sample(0, 5)).toEqual([]);
  expect(sample(3, 5)).toEqual([0, 1, 2]);
  expect(sample(20, 5)).toEqual([0, 5, 10, 14, 19]);
  expect(sample(7, 1)).toEqual([0]);
});

test("of however many as many as are wanted, in order, no gap much wider than the mean", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 2, max: 1_000 }), (length, wanted) => {
      const taken = sample(length, wanted);
      expect(taken.length).toBe(Math.min(length, wanted));
      expect(taken[0]).toBe(0);
      expect(taken.at(-1)).toBe(length - 1);
      const gaps = taken.slice(1).map((value, place) => value - (taken[place] as number));
      for (const gap of gaps) expect(gap).toBeGreaterThan(0);
      expect(Math.max(1, ...gaps)).toBeLessThanOrEqual(3 * Math.ceil(length / wanted) + 2);
    }),
    { numRuns: 60 },
  );
});
