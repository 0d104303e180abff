import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { sha256, shortHash } from "./sha256.ts";

const hex = (text: string) => [...sha256(text)].map((word) => word.toString(16).padStart(8, "0")).join("");

it("is what node:crypto computes", () => {
  for (let length = 0; length < 200; length++)
    expect(hex("x".repeat(length))).toBe(createHash("sha256").update("x".repeat(length)).digest("hex"));
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(hex(text)).toBe(createHash("sha256").update(text).digest("hex"));
    }),
  );
});

it("shortens to letters and digits that training job names may have", () => {
  expect(shortHash("a", 12)).toMatch(/^[a-z2-9]{12}$/);
  expect(shortHash("a", 12)).not.toBe(shortHash("b", 12));
});
