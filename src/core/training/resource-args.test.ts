import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../json.ts";
import { mergeJson, resourceBody } from "./resource-args.ts";

const body = { RoleArn: "arn:aws:iam::123456789012:role/train", StoppingCondition: { MaxRuntimeInSeconds: 60 } };

describe("resourceBody", () => {
  it.each<[string, JsonObject]>([
    ["bare", body],
    ["with its resource", { sagemaker: body }],
    ["as the client sends it", { resource_args: { sagemaker: body } }],
    ["beside other keys", { resource_args: { sagemaker: body }, template_variables: {} }],
  ])("finds the body: %s", (_, config) => expect(resourceBody(config, "sagemaker")).toEqual(body));
});

describe("mergeJson", () => {
  const value = fc.dictionary(
    fc.constantFrom("a", "b", "c"),
    fc.oneof(fc.integer(), fc.dictionary(fc.constantFrom("x", "y"), fc.integer()), fc.array(fc.integer())),
  ) as fc.Arbitrary<JsonObject>;

  it("is the base with nothing over it, the same twice over, and what is over it wins", () => {
    fc.assert(
      fc.property(value, value, (base, over) => {
        expect(mergeJson(base, {})).toEqual(base);
        expect(mergeJson({}, over)).toEqual(over);
        const merged = mergeJson(base, over);
        expect(mergeJson(merged, over)).toEqual(merged);
        expect(Object.keys(merged).sort()).toEqual([...new Set([...Object.keys(base), ...Object.keys(over)])].sort());
        for (const [key, item] of Object.entries(over))
          if (typeof item !== "object" || Array.isArray(item)) expect(merged[key]).toEqual(item);
      }),
    );
  });

  it("takes a key away for null", () =>
    expect(mergeJson({ a: 1, b: { c: 1, d: 2 } }, { a: null, b: { c: null } })).toEqual({ b: { d: 2 } }));
});
