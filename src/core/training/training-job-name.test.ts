import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shapeNamed, wholePattern } from "../sagemaker-model/model.ts";
import { trainingJobName } from "./training-job-name.ts";

const rule = shapeNamed("TrainingJobName");
const runId = fc.oneof(
  fc.stringMatching(/^[a-z][a-z0-9]{7}$/),
  fc.stringMatching(/^[a-zA-Z0-9_.!-]{1,70}$/),
  fc.string({ minLength: 1, maxLength: 100, unit: "binary" }),
  // Ids that look like another item's attempt or mapped name.
  fc.stringMatching(/^[ab_]{1,3}-a\d{1,2}$/),
  fc.stringMatching(/^[ab_]{1,2}-x[a-z2-9]{12}(-a[23])?$/),
);
const template = fc.constantFrom(
  "${run_id}",
  "team-${run_id}",
  "${run_id}-a2",
  "x_${run_id}",
  "${run_id}-x222222222222",
  `${"t".repeat(60)}-\${run_id}`,
  "-${run_id}-",
);

describe("trainingJobName", () => {
  it.each([
    ["abcd1234", 1, "abcd1234"],
    ["abcd1234", 3, "abcd1234-a3"],
  ])("%s, attempt %i: %s", (id, attempt, name) => expect(trainingJobName(id, attempt)).toBe(name));

  it("maps what SageMaker refuses, legibly", () => {
    expect(trainingJobName("my_run", 1)).toMatch(/^my-run-x[a-z2-9]{12}$/);
    expect(trainingJobName("my_run", 2)).toMatch(/^my-run-x[a-z2-9]{12}-a2$/);
    expect(trainingJobName("___", 1)).toMatch(/^job-x[a-z2-9]{12}$/);
    expect(trainingJobName("abcd", 1, "team-${run_id}")).toBe("team-abcd");
  });

  it("is always a name that SageMaker takes", () => {
    fc.assert(
      fc.property(runId, fc.integer({ min: 1, max: 9999 }), template, (id, attempt, given) => {
        const name = trainingJobName(id, attempt, given);
        expect(name.length).toBeLessThanOrEqual(rule.max!);
        expect(name).toMatch(wholePattern(rule.pattern!));
      }),
      { numRuns: 500 },
    );
  });

  it("is never the name of another run or attempt of the queue", () => {
    const attempt = fc.integer({ min: 1, max: 30 });
    const names = new Map<string, string>();
    fc.assert(
      fc.property(runId, attempt, template, (id, at, given) => {
        const key = JSON.stringify([id, at]);
        const name = `${given} ${trainingJobName(id, at, given)}`;
        const before = names.get(name);
        expect(before === undefined || before === key).toBe(true);
        names.set(name, key);
      }),
      { numRuns: 3000 },
    );
  });

  it("keeps a name apart from an id that was made to look like it", () => {
    fc.assert(
      fc.property(runId, fc.integer({ min: 1, max: 9 }), (id, attempt) => {
        const name = trainingJobName(id, attempt);
        fc.pre(name !== id);
        for (const other of [1, 2, 3]) expect(trainingJobName(name, other)).not.toBe(name);
      }),
      { numRuns: 500 },
    );
  });
});
