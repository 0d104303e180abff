import { expect, test } from "vitest";
import { argumentsOf, nextPoint, type Observation, runCount } from "./next-point.ts";
import { parseSweepConfig } from "./sweep-config.ts";

const seeded = (seed: number) => () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};

test("a grid gives every combination once, the last parameter fastest, nested ones inside", () => {
  const config = parseSweepConfig(
    "method: grid\nparameters:\n  a: {values: [1, 2]}\n  opt: {parameters: {lr: {values: [0.1, 0.2, 0.3]}}}\n  c: {value: x}",
  );
  expect(runCount(config)).toBe(6);
  const all = Array.from({ length: 6 }, (_, at) =>
    argumentsOf(
      config,
      nextPoint(config, at, [], () => 0),
    ),
  );
  expect(all[1]).toEqual({ a: { value: 1 }, opt: { value: { lr: 0.2 } }, c: { value: "x" } });
  expect(new Set(all.map((one) => JSON.stringify(one))).size).toBe(6);
});

test.each([
  ["uniform", "min: 1.5, max: 3", (v: number) => v >= 1.5 && v < 3],
  ["int_uniform", "min: 1, max: 4", (v: number) => [1, 2, 3, 4].includes(v)],
  ["q_uniform", "min: 0, max: 1, q: 0.25", (v: number) => [0, 0.25, 0.5, 0.75, 1].includes(v)],
  ["log_uniform", "min: -3, max: 0", (v: number) => v >= Math.exp(-3) && v <= 1],
  ["log_uniform_values", "min: 0.001, max: 10", (v: number) => v >= 0.001 && v <= 10],
  ["inv_log_uniform", "min: 1, max: 2", (v: number) => v >= Math.exp(-2) && v <= Math.exp(-1)],
  ["inv_log_uniform_values", "min: 0.001, max: 10", (v: number) => v >= 0.001 && v <= 10],
  ["q_log_uniform_values", "min: 1, max: 100, q: 2", (v: number) => v % 2 === 0],
  ["normal", "mu: 5, sigma: 0.01", (v: number) => Math.abs(v - 5) < 0.1],
  ["log_normal", "mu: 0, sigma: 1", (v: number) => v > 0],
  ["q_normal", "mu: 0, sigma: 3, q: 1", Number.isInteger],
])("%s keeps to its limits", (distribution, limits, holds) => {
  const config = parseSweepConfig(`method: random\nparameters: {x: {distribution: ${distribution}, ${limits}}}`);
  const random = seeded(7);
  const values = Array.from(
    { length: 300 },
    (_, at) => argumentsOf(config, nextPoint(config, at, [], random)).x?.value,
  );
  expect(values.filter((value) => !holds(value as number))).toEqual([]);
  expect(new Set(values).size).toBeGreaterThan(1);
});

test("probabilities weigh the values", () => {
  const config = parseSweepConfig("method: random\nparameters: {x: {values: [a, b], probabilities: [0, 1]}}");
  expect(argumentsOf(config, nextPoint(config, 0, [], seeded(1)))).toEqual({ x: { value: "b" } });
});

test.each(["minimize", "maximize"])("bayes comes nearer to the best than chance: %s", (goal) => {
  const config = parseSweepConfig(
    `method: bayes\nmetric: {name: loss, goal: ${goal}}\nparameters: {x: {min: 0.0, max: 10.0, distribution: uniform}, y: {min: 0.0, max: 10.0, distribution: uniform}}`,
  );
  const random = seeded(3);
  const seen: Observation[] = [];
  for (let at = 0; at < 30; at++) {
    const point = nextPoint(config, at, seen, random);
    const loss = (point[0]! - 0.37) ** 2 + (point[1]! - 0.81) ** 2;
    seen.push({ point, metric: goal === "minimize" ? loss : -loss });
  }
  expect(Math.min(...seen.map(({ metric }) => Math.abs(metric)))).toBeLessThan(0.001);
});

test("everything that is wrong is named with its place", () => {
  const text =
    "method: gird\nparameters:\n  a: {values: []}\n  b: {min: 3, max: 1}\n  c: {distribution: unifrom}\n  d: 4";
  expect(() => parseSweepConfig(text)).toThrow(
    expect.objectContaining({
      code: "SWEEP_CONFIG_INVALID",
      problems: ["method", "parameters.a.values", "parameters.b", "parameters.c.distribution", "parameters.d"].map(
        (path) => expect.objectContaining({ path }),
      ),
    }),
  );
});

test("what the server would not do is refused, not ignored", () => {
  const parameters = "method: random\nparameters: {x: {values: [1, 2]}}\n";
  expect(() => parseSweepConfig(`${parameters}controller: {type: local}`)).toThrow("controller.type must not be local");
  expect(parseSweepConfig(`${parameters}early_terminate: null\ncontroller: {type: cloud}`).method).toBe("random");
});
