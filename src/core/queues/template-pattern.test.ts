import { describe, expect, it } from "vitest";
import { compilePattern, PATTERN_TEXT_MAX, slowPattern } from "./template-pattern.ts";

describe("slowPattern", () => {
  it.each([
    "^[a-z]+$",
    "^ml\\.(m5|g5)\\.[0-9]*xlarge$",
    "^s3://[^/]+/.*$",
    "^(a|b){1,4}$",
    "^[(a+)+]+$",
    "\\(a\\)+",
    "^(dev|prod)-[a-z]{1,10}$",
  ])("lets %s pass", (pattern) => {
    expect(slowPattern(pattern)).toBeUndefined();
  });

  it.each([
    "^(a+)+$",
    "^(a|a)*$",
    "(x(a*)b){2,}",
    "^(\\w+\\s?)*$",
    "^.*.*.*.*x$",
    "(a)\\1",
    "((a{1,99}))*",
    "(a{20}){20}",
  ])("stops %s", (pattern) => {
    expect(slowPattern(pattern)).toBeTypeOf("string");
  });

  it("lets nothing pass that takes long on the longest text", () => {
    const worst = compilePattern("^[a-z]*[a-z]*[a-z]*!$")!;
    expect(slowPattern(worst.source)).toBeUndefined();
    expect(worst.test("a".repeat(PATTERN_TEXT_MAX))).toBe(false);
  });

  it("knows what is no expression", () => expect(compilePattern("(")).toBeUndefined());
});
