import { getOperationAST, parse } from "graphql";
import { expect, test } from "vitest";
import { checkLimits } from "./limits.ts";

function check(text: string, variables: Record<string, unknown> = {}, limits = { depth: 6, complexity: 1000 }): void {
  const document = parse(text);
  checkLimits(document, getOperationAST(document)!, variables, limits);
}

test("an operation within the limits passes", () => {
  check(`{ runQueueItems(entityName: "a", first: 100) { edges { node { id } } } }`);
});

test("depth counts through fragments", () => {
  const deep = `query { a { ...F } } fragment F on A { b { c { d { e { f { g } } } } } }`;
  expect(() => check(deep)).toThrow("The operation is too deep: 7, and 6 is the limit");
});

test("a page multiplies what is under it, also when its size is a variable", () => {
  expect(() => check(`{ items(first: 100) { logs(first: 100) { text } } }`)).toThrow("too large");
  const paged = `query Q($n: Int) { items(first: $n) { id name } }`;
  check(paged, { n: 400 });
  expect(() => check(paged, { n: 600 })).toThrow("too large: 1201");
});

test("fragments that spread fragments are measured once each", () => {
  const layers = Array.from({ length: 60 }, (_, i) => `fragment F${i} on A { ...F${i + 1} ...F${i + 1} }`);
  expect(() => check(`{ a { ...F0 } } ${layers.join(" ")} fragment F60 on A { id }`)).toThrow("too large");
});
