import { expect, test } from "vitest";
import { createMetricReader } from "./metrics.ts";

function finals(regex: string, ...lines: string[]): number | undefined {
  const reader = createMetricReader([{ Name: "m", Regex: regex }]);
  lines.forEach((line, index) => {
    reader.read(line, 1000 + index);
  });
  return reader.finals()[0]?.value;
}

test("the last match counts, with its time", () => {
  const reader = createMetricReader([{ Name: "loss", Regex: "loss=([0-9.]+)" }]);
  reader.read("loss=2 loss=1.5", 1000);
  reader.read("nothing", 2000);
  reader.read("loss=0.5", 1500);
  expect(reader.finals()).toEqual([{ name: "loss", value: 0.5, at: 1500 }]);
});

test.each([
  ["loss: ([0-9\\.]+)", "loss: 0.25.", 0.25],
  ["acc=(.*?);", "acc=1e-3;", 0.001],
  ["(?P<name>x)=", "x=", undefined],
  ["(?i)LOSS=(\\S+)", "loss=-4", -4],
  ["loss=(\\S+)", "loss=nan", undefined],
  ["\\Aloss=(\\d+)\\Z", "loss=7", 7],
])("%s on %s", (regex, line, value) => {
  expect(finals(regex, line)).toBe(value);
});

test("an expression that cannot be read is reported and finds nothing", () => {
  const reported: string[] = [];
  const reader = createMetricReader(
    [
      { Name: "bad", Regex: "(" },
      { Name: "good", Regex: "(1)" },
    ],
    (name) => reported.push(name),
  );
  reader.read("1", 1);
  expect(reported).toEqual(["bad"]);
  expect(reader.finals().map(({ name }) => name)).toEqual(["good"]);
});
