import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonValue } from "../json.ts";
import { fillMacros, hasMacro, MACRO_NAMES, macroProblems } from "./macros.ts";

describe("fillMacros", () => {
  it("fills texts at any depth, and leaves what it has no value for", () => {
    const config = { a: "s3://b/${run_id}/${author}", b: [{ c: "${image_uri}" }], "${run_id}": 1, d: true };
    expect(fillMacros(config, { run_id: "r1", author: "ann" })).toEqual({
      a: "s3://b/r1/ann",
      b: [{ c: "${image_uri}" }],
      "${run_id}": 1,
      d: true,
    });
  });

  it("does not look again at what a value brings in", () => {
    expect(fillMacros("${run_name}-${run_id}", { run_name: "${author}${run_id}", run_id: "r1", author: "ann" })).toBe(
      "${author}${run_id}-r1",
    );
  });

  it("keeps the escape until the last time", () => {
    expect(fillMacros("$${run_id} ${run_id}", { run_id: "r1" })).toBe("$${run_id} r1");
    expect(fillMacros("$${HOME} ${run_id}", { run_id: "r1" }, { last: true })).toBe("${HOME} r1");
  });

  it("reads nothing but the closed list, whatever is asked for", () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        fc.pre(!(MACRO_NAMES as readonly string[]).includes(name) && !/[{}$]/.test(name));
        const text = `\${${name}}`;
        const values = Object.fromEntries(MACRO_NAMES.map((known) => [known, "secret"]));
        expect(fillMacros(text, values)).toBe(text);
        expect(macroProblems(text).length).toBe(1);
      }),
    );
  });

  it("changes nothing without macros", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        fc.pre(!JSON.stringify(value).includes("${"));
        expect(fillMacros(value as JsonValue, { run_id: "r1" })).toEqual(value);
        expect(macroProblems(value as JsonValue)).toEqual([]);
      }),
    );
  });
});

describe("macroProblems", () => {
  it("names each unknown macro with its path and the nearest name", () => {
    expect(
      macroProblems({
        Environment: { A: "${run_ids}", B: "${AWS_SECRET_ACCESS_KEY}", C: "$${HOME}", D: "${run_id}" },
        Tags: [{ Value: "${}" }],
      }),
    ).toEqual([
      { path: "Environment.A", message: "There is no macro ${run_ids}", hint: "Did you mean run_id?" },
      {
        path: "Environment.B",
        message: "There is no macro ${AWS_SECRET_ACCESS_KEY}",
        hint: expect.stringContaining("an agent's environment cannot be read"),
      },
      { path: "Tags[0].Value", message: "There is no macro ${}", hint: expect.stringContaining("${image_uri}") },
    ]);
  });

  it("knows a text with a macro", () => {
    expect(hasMacro("x${run_id}")).toBe(true);
    expect(hasMacro("x$${run_id}")).toBe(false);
    expect(hasMacro("${HOME}")).toBe(false);
  });
});
