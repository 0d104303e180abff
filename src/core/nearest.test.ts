import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { didYouMean, editDistance, nearest } from "./nearest.ts";

describe("nearest", () => {
  it.each([
    ["max_job", ["max_jobs", "queues"], "max_jobs"],
    ["resource_config", ["ResourceConfig", "OutputDataConfig"], "ResourceConfig"],
    ["ml.m5.larg", ["ml.m5.large", "ml.m4.xlarge"], "ml.m5.large"],
    ["qeuues", ["queues", "queue"], "queues"],
    ["zzz", ["queues"], undefined],
    ["", ["queues"], undefined],
  ])("%s", (word, candidates, expected) => {
    expect(nearest(word, candidates)).toBe(expected);
  });

  it("says so in a hint, or says nothing", () => {
    expect(didYouMean("typ", ["type"])).toEqual({ hint: "Did you mean type?" });
    expect(didYouMean("nothing like it", ["type"])).toEqual({});
  });
});

describe("editDistance", () => {
  const word = fc.string({ maxLength: 8, unit: fc.constantFrom("a", "b", "c") });

  it("is 0 only for the same word, symmetric, and never more than the longer length", () => {
    fc.assert(
      fc.property(word, word, (a, b) => {
        const distance = editDistance(a, b);
        expect(distance === 0).toBe(a === b);
        expect(editDistance(b, a)).toBe(distance);
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
        expect(distance).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
      }),
    );
  });

  it("is cut off at the limit, and exact below it", () => {
    fc.assert(
      fc.property(word, word, fc.integer({ min: 1, max: 8 }), (a, b, limit) => {
        const exact = editDistance(a, b);
        const limited = editDistance(a, b, limit);
        expect(exact < limit ? limited === exact : limited >= limit).toBe(true);
      }),
    );
  });
});
