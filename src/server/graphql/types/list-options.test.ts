import { expect, test } from "vitest";
import { refuseListOptions } from "./list-options.ts";

test("what a list can't follow is refused, and what holds anyway is let through", () => {
  const always = { state: "COMMITTED" };
  for (const filters of [null, undefined, "", "null", "{}", '{"state":"COMMITTED"}']) {
    expect(() => refuseListOptions({ filters, order: null }, always)).not.toThrow();
  }
  for (const filters of [
    '{"state":"PENDING"}',
    '{"state":{"$in":["COMMITTED"]}}',
    '{"name":"x"}',
    "[]",
    "1",
    "{",
    '{"toString":1}',
  ]) {
    expect(() => refuseListOptions({ filters }, always), filters).toThrow(/filter/);
  }
  expect(() => refuseListOptions({ filters: '{"state":"COMMITTED"}' })).toThrow("state");
  expect(() => refuseListOptions({ order: "-createdAt" }, always)).toThrow("-createdAt");
});
