import { describe, expect, it } from "vitest";
import { ago, duration } from "./time.ts";

describe("times for people", () => {
  it.each([
    [0, "0.00 s"],
    [310, "0.31 s"],
    [41_000, "41 s"],
    [59_900, "60 s"],
    [142_000, "2:22"],
    [10_931_000, "3:02:11"],
  ])("%d ms is %s", (ms, text) => expect(duration(ms)).toBe(text));

  it.each([
    [3_000, "3 s ago"],
    [300_000, "5 min ago"],
    [7_200_000, "2 h ago"],
    [345_600_000, "4 d ago"],
  ])("%d ms before is %s", (ms, text) => expect(ago(new Date(1e12 - ms).toISOString(), 1e12)).toBe(text));

  it("has no age for what has not happened", () => expect(ago(null, 1e12)).toBe("-"));
});
