import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { advance, comparable, fallsBehind, type Hyperband, type Progress } from "./hyperband.ts";
import { parseSweepConfig } from "./sweep-config.ts";

const read = (early: string, metric = "metric: {name: loss}") =>
  parseSweepConfig(`method: random\n${metric}\nparameters: {x: {values: [1, 2]}}\nearly_terminate: ${early}`).earlyStop;

describe("the config", () => {
  test.each([
    ["{type: hyperband, min_iter: 3}", [3, 9, 27, 81]],
    ["{type: hyperband, min_iter: 2, eta: 2}", [2, 4, 8, 16]],
    ["{type: hyperband, max_iter: 27, s: 2}", [3, 9]],
    ["{type: hyperband, max_iter: 27, s: 9}", [1, 3, 9]],
  ])("%s compares at %j", (early, rungs) => {
    expect(read(early)?.rungs.slice(0, 4)).toEqual(rungs);
  });

  test.each([
    ["{type: median, min_iter: 3}", "type"],
    ["{type: hyperband}", "min_iter"],
    ["{type: hyperband, min_iter: 3, max_iter: 9, s: 1}", "max_iter"],
    ["{type: hyperband, min_iter: 0}", "min_iter"],
    ["{type: hyperband, max_iter: 9}", "s"],
    ["{type: hyperband, max_iter: 2, s: 1}", "s"],
    ["{type: hyperband, min_iter: 3, eta: 1}", "eta"],
    ["{type: hyperband, min_iter: 3, strict: 4}", "strict"],
    ["{type: hyperband, min_iters: 3, min_iter: 3}", "min_iters"],
  ])("%s is refused at its %s", (early, place) => {
    expect(() => read(early)).toThrow(
      expect.objectContaining({
        code: "SWEEP_CONFIG_INVALID",
        problems: expect.arrayContaining([expect.objectContaining({ path: `early_terminate.${place}` })]),
      }),
    );
  });

  test("without a metric there is nothing to compare", () => {
    expect(() => read("{type: hyperband, min_iter: 3}", "name: a")).toThrow("early_terminate needs metric.name");
    expect(read("null")).toBeNull();
  });
});

const rules = fc
  .record({ first: fc.integer({ min: 1, max: 9 }), eta: fc.double({ min: 1.1, max: 5, noNaN: true }) })
  .map(({ first, eta }): Hyperband => {
    const found = read(`{type: hyperband, min_iter: ${first}, eta: ${eta}}`);
    if (!found) throw new Error("no rule");
    return found;
  });
const values = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 60 });
const START: Progress = { logged: 0, best: null };

describe("a run's way over the rungs", () => {
  test("is the same however its values come in", () => {
    fc.assert(
      fc.property(rules, values, fc.array(fc.nat(60), { maxLength: 5 }), (rule, all, cuts) => {
        let progress = START;
        const reached = [];
        const edges = [0, ...cuts.map((cut) => Math.min(cut, all.length)).sort((a, b) => a - b), all.length];
        for (const [at, from] of edges.entries()) {
          const step = advance(progress, all.slice(from, edges[at + 1] ?? from), rule);
          progress = step.progress;
          reached.push(...step.reached);
        }
        expect({ progress, reached }).toEqual(advance(START, all, rule));
      }),
    );
  });

  test("passes each rung once, with the best value until there", () => {
    fc.assert(
      fc.property(rules, values, (rule, all) => {
        const { reached } = advance(START, all, rule);
        expect(reached).toEqual(
          rule.rungs
            .filter((rung) => rung <= all.length)
            .map((rung) => ({ rung, value: Math.min(...all.slice(0, rung)) })),
        );
      }),
    );
  });
});

test("at a rung the best 1/eta go on, one at least, and equals go the same way", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1 }),
      fc.integer({ min: 2, max: 5 }),
      (all, eta) => {
        const stays = all.filter(
          (value) => !fallsBehind({ reached: all.length, better: all.filter((other) => other < value).length }, eta),
        );
        const keep = Math.max(1, Math.ceil(all.length / eta));
        const last = [...all].sort((a, b) => a - b)[keep - 1] as number;
        expect(stays.sort()).toEqual(all.filter((value) => value <= last).sort());
      },
    ),
  );
});

test("the larger is better where the goal is to maximize, and what is no number is worst", () => {
  expect(comparable(3, "maximize")).toBeLessThan(comparable(2, "maximize"));
  expect(comparable(2, "minimize")).toBeLessThan(comparable(3, "minimize"));
  for (const odd of [Number.NaN, "NaN", "text", null]) expect(comparable(odd, "maximize")).toBe(Number.MAX_VALUE);
  expect(comparable("Infinity", "maximize")).toBe(-Number.MAX_VALUE);
  expect(comparable("Infinity", "minimize")).toBe(Number.MAX_VALUE);
});
