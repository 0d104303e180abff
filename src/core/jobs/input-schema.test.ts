import { describe, expect, it } from "vitest";
import type { JsonObject } from "../json.ts";
import { inputProblems, inputSchemas } from "./input-schema.ts";

const schema = {
  type: "object",
  properties: {
    lr: { type: "number", minimum: 0, exclusiveMaximum: 1 },
    opt: { type: "object", properties: { name: { type: "string", enum: ["adam", "sgd"] } } },
    layers: { type: "array", items: { type: "integer", enum: [1, 2] }, maxItems: 2, uniqueItems: true },
  },
};

function problems(config: JsonObject, of: JsonObject = schema) {
  return inputProblems({ config: of, files: {} }, { run_config: config }).problems;
}

describe("inputSchemas", () => {
  it("reads the metadata of a job, and of one that has none", () => {
    const files = { "a.yaml": { type: "object" } };
    expect(inputSchemas({ input_schemas: { "@wandb.config": schema, files } })).toEqual({ config: schema, files });
    for (const metadata of [null, {}, { _partial: true }, { input_schemas: [] }, "x"])
      expect(inputSchemas(metadata)).toEqual({ config: undefined, files: {} });
  });
});

describe("inputProblems", () => {
  it("takes what fits", () => {
    expect(problems({ lr: 0.5, opt: { name: "sgd" }, layers: [1, 2], other: "x" })).toEqual([]);
    expect(problems({})).toEqual([]);
  });

  it("names each value that does not, where it is, and what would be right", () => {
    const found = problems({ lr: 1, opt: { name: "adan" }, layers: [1, 1, 5] });
    expect(found).toContainEqual(
      expect.objectContaining({ path: "overrides.run_config.lr", message: "overrides.run_config.lr must be < 1" }),
    );
    expect(found).toContainEqual({
      path: "overrides.run_config.opt.name",
      message: "overrides.run_config.opt.name must be one of adam, sgd",
      hint: "Did you mean adam?",
    });
    expect(found.map(({ path }) => path)).toContain("overrides.run_config.layers[2]");
    expect(problems({ lr: "0.1" })[0]?.message).toBe("overrides.run_config.lr must be number");
  });

  it("asks for what has no default only, in both forms of required", () => {
    const properties = { a: { type: "integer" }, b: { type: "integer", default: 3 } };
    const missing = {
      path: "overrides.run_config.a",
      message: "overrides.run_config.a is missing; the job asks for it",
    };
    expect(problems({}, { type: "object", properties, required: ["a", "b"] })).toEqual([missing]);
    const own = { a: { type: "integer", required: true }, b: { type: "integer", default: 3, required: true } };
    expect(problems({}, { type: "object", properties: own })).toEqual([missing]);
    expect(problems({ a: 1 }, { type: "object", properties: own })).toEqual([]);
  });

  it("checks the values of managed files, and leaves files alone that the item does not change", () => {
    const files = { "conf/data.yaml": { type: "object", properties: { rows: { type: "integer", minimum: 1 } } } };
    const check = (given: JsonObject) => inputProblems({ config: undefined, files }, { files: given }).problems;
    expect(check({})).toEqual([]);
    expect(check({ "conf/data.yaml": { rows: 2 } })).toEqual([]);
    expect(check({ "conf/data.yaml": { rows: 0 } })).toEqual([
      expect.objectContaining({ path: 'overrides.files["conf/data.yaml"].rows' }),
    ]);
  });

  it("says which schema it can't use instead of refusing what it can't judge", () => {
    const { problems: none, unread } = inputProblems(
      { config: { $ref: "https://elsewhere.example/schema.json" }, files: {} },
      { run_config: { a: 1 } },
    );
    expect(none).toEqual([]);
    expect(unread).toEqual([expect.stringContaining("overrides.run_config")]);
  });

  it("does not try a pattern that could take for ever", () => {
    const slow = { type: "object", properties: { s: { type: "string", pattern: "^(a+)+$" } } };
    expect(problems({ s: `${"a".repeat(40)}!` }, slow)).toEqual([]);
    const quick = { type: "object", properties: { s: { type: "string", pattern: "^a{1,9}$" } } };
    expect(problems({ s: "b" }, quick)).toHaveLength(1);
  });

  it("keeps a property that is called like a keyword", () => {
    const odd = { type: "object", properties: { pattern: { type: "integer" }, required: { type: "integer" } } };
    expect(problems({ pattern: "x", required: "y" }, odd)).toHaveLength(2);
  });
});
