import { expect, test } from "vitest";
import { parseRunFilter, parseRunOrder } from "./run-filter.ts";

const parse = (filter: unknown) => parseRunFilter(JSON.stringify(filter));

test("nothing asked lets all runs pass", () => {
  for (const text of [null, undefined, "", "{}", "null"])
    expect(parseRunFilter(text)).toEqual({ kind: "and", parts: [] });
});

test("names of fields are known in both spellings, and a key of the config may hold dots", () => {
  expect(parse({ display_name: "a" })).toEqual(parse({ displayName: "a" }));
  expect(parse({ "config.a.b": 1 })).toMatchObject({
    field: {
      kind: "json",
      document: "config",
      paths: [
        ["a", "value", "b"],
        ["a.b", "value"],
      ],
    },
  });
  expect(parse({ "config.lr.value": 1 })).toEqual(parse({ "config.lr": 1 }));
  expect(parse({ "summary_metrics.a.b": 1 })).toMatchObject({ field: { paths: [["a", "b"], ["a.b"]] } });
});

test("instants are UTC", () => {
  const at = Date.UTC(2026, 0, 31, 12);
  for (const text of ["2026-01-31T12:00:00", "2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00"])
    expect(parse({ created_at: { $gt: text } })).toMatchObject({ test: { op: "more", value: at } });
});

test.each([
  [{ state: { $near: 1 } }, "The operator $near at state.$near is not one of"],
  [{ "config.lr": { $gtt: 1 } }, "did you mean $gt?"],
  [{ $xor: [] }, "The operator $xor at $xor is not one of $and, $or, $nor, $not"],
  [{ $and: { a: 1 } }, '$and takes a list of filters, not {"a":1}'],
  [{ sate: "finished" }, "Runs have no field sate; they have state, name"],
  [{ state: 5 }, "state takes a text, not 5"],
  [{ created_at: "yesterday" }, 'created_at takes an instant such as "2026-01-31T12:00:00Z", not "yesterday"'],
  [{ "config.a": { $in: 3 } }, "config.a.$in takes a list of values, not 3"],
  [{ "config.a": { $lt: true } }, "config.a.$lt compares with a number or a text, not with true"],
  [{ name: { $regex: "(" } }, 'The pattern "(" at name.$regex has a group that is not closed'],
  [{ duration: { $regex: "a" } }, "duration.$regex looks into a text, and that field has none"],
  [{ name: { $regex: "a", $options: "m" } }, 'name.$regex knows the option i alone, not "m"'],
  [{ "config.a..b": 1 }, "config.a..b is not a path of keys with dots between them"],
  [[1], "A filter is an object of fields and what they should be, not [1]"],
  [{ $or: Array.from({ length: 201 }, () => ({ state: "a" })) }, "more than 200 conditions"],
])("%j: %s", (filter, problem) => {
  expect(() => parse(filter)).toThrow(problem);
});

test("a filter nested too deep, and one that is no JSON", () => {
  let filter: unknown = { state: "a" };
  for (let n = 0; n < 30; n++) filter = { $not: filter };
  expect(() => parse(filter)).toThrow("nested more than 20 levels deep");
  expect(() => parseRunFilter("{state:")).toThrow("The filter is not JSON");
});

test("orders", () => {
  expect(parseRunOrder(null)).toEqual([{ field: { kind: "time", column: "createdAt" }, descending: false }]);
  expect(parseRunOrder("-summary_metrics.loss, +display_name")).toMatchObject([
    { field: { kind: "json", document: "summary" }, descending: true },
    { field: { kind: "text", column: "displayName" }, descending: false },
  ]);
  expect(() => parseRunOrder("-loss")).toThrow("Runs have no field loss");
  expect(() => parseRunOrder("tags")).toThrow("can't be ordered by their tags");
});
