import { expect, test } from "vitest";
import { PatternError, parseSearchPattern } from "./search-pattern.ts";

test.each([
  ["^foo.*", "^foo.*", "^foo.*"],
  ["(?:a|b)+?x{2,3}", "(a|b)+x{2,3}", "(a|b)+x{2,3}"],
  ["(?P<n>a)", "(a)", "(a)"],
  ["\\d\\W\\b\\.\\/", "[0-9][^A-Za-z0-9_]\\b\\./", "[0-9][^A-Za-z0-9_]\\y\\./"],
  ["[\\w-.]", "[A-Za-z0-9_.-]", "[A-Za-z0-9_.-]"],
  ["[a\\-z]", "[az-]", "[az-]"],
  ["[^\\]]", "[^\\]]", "[^\\]]"],
  ["\\Ax\\z", "^x$", "^x$"],
  ["a{x", "a\\{x", "a\\{x"],
])("%s is %s for SQLite and %s for PostgreSQL", (source, sqlite, postgres) => {
  expect(parseSearchPattern(source)).toEqual({ sqlite, postgres, ignoreCase: false });
});

test("a pattern whatever the case is written in small letters", () => {
  expect(parseSearchPattern("(?i)FOO[A-Z]\\D")).toEqual({
    sqlite: "foo[a-z][^0-9]",
    postgres: "foo[a-z][^0-9]",
    ignoreCase: true,
  });
});

test.each([
  ["(a", "has a group that is not closed"],
  ["a)", "closes a group that is not open"],
  ["[a", "has a [ that is not closed"],
  ["*a", "has * with nothing before it to repeat"],
  ["a**", "has * with nothing before it to repeat"],
  ["(?=a)", "has the group (?=, which is not supported"],
  ["a{9,3}", "has {9,3}, which is not between 0 and 255"],
  ["a{300}", "has {300}, which is not between 0 and 255"],
  ["[[:alpha:]]", "has a class like [:alpha:], which is not supported"],
  ["\\pL", "has \\p, which is not supported"],
  ["a\\", "ends with a backslash"],
  ["a".repeat(1001), "is longer than 1000 characters"],
])("%s %s", (source, problem) => {
  expect(() => parseSearchPattern(source)).toThrow(new PatternError(problem));
});
