import { expect, test } from "vitest";
import { createMetricReader } from "./metrics.ts";

async function finals(regex: string, ...lines: string[]): Promise<number | undefined> {
  const reader = createMetricReader([{ Name: "m", Regex: regex }]);
  lines.forEach((line, index) => {
    reader.read(line, 1000 + index);
  });
  await reader.settled();
  return reader.finals()[0]?.value;
}

test("the last match counts, with its time", async () => {
  const reader = createMetricReader([{ Name: "loss", Regex: "loss=([0-9.]+)" }]);
  reader.read("loss=2 loss=1.5", 1000);
  reader.read("nothing", 2000);
  reader.read("loss=0.5", 1500);
  await reader.settled();
  expect(reader.finals()).toEqual([{ name: "loss", value: 0.5, at: 1500 }]);
});

test.each([
  ["loss: ([0-9\\.]+)", "loss: 0.25.", 0.25],
  ["acc=(.*?);", "acc=1e-3;", 0.001],
  ["(?P<name>x)=", "x=", undefined],
  ["(?i)LOSS=(\\S+)", "loss=-4", -4],
  ["loss=(\\S+)", "loss=nan", undefined],
  ["\\Aloss=(\\d+)\\Z", "loss=7", 7],
])("%s on %s", async (regex, line, value) => {
  expect(await finals(regex, line)).toBe(value);
});

test("an expression that cannot be read is reported and finds nothing", async () => {
  const reported: string[] = [];
  const reader = createMetricReader(
    [
      { Name: "bad", Regex: "(" },
      { Name: "good", Regex: "(1)" },
    ],
    (name) => reported.push(name),
  );
  reader.read("1", 1);
  await reader.settled();
  expect(reported).toEqual(["bad"]);
  expect(reader.finals().map(({ name }) => name)).toEqual(["good"]);
});

test("an expression that runs away is given up, lets others run meanwhile, and spoils no other metric", async () => {
  const reported: string[] = [];
  const reader = createMetricReader(
    [
      { Name: "runaway", Regex: "(a+)+b" },
      { Name: "good", Regex: "n=(\\d+)" },
    ],
    (name, reason) => reported.push(`${name}: ${reason}`),
  );
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  for (let n = 0; n < 100; n++) reader.read(`${"a".repeat(60)} n=${n}`, n);
  await reader.settled();
  clearInterval(timer);
  expect(reader.finals()).toEqual([{ name: "good", value: 99, at: 99 }]);
  expect(reported).toEqual(["runaway: it takes too long; it is searched no more"]);
  expect(turns).toBeGreaterThanOrEqual(5);
});

test("a long burst asks its giver to wait", async () => {
  const reader = createMetricReader([{ Name: "n", Regex: "n=(\\d+)" }]);
  let waits = 0;
  for (let n = 0; n < 50_000; n++) {
    const wait = reader.read(`n=${n}`, n);
    if (wait !== undefined) waits++;
    await wait;
  }
  await reader.settled();
  expect(waits).toBe(2);
  expect(reader.finals()[0]?.value).toBe(49_999);
  expect(createMetricReader([]).read("n=1", 1)).toBeUndefined();
});
