import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { trainingJobName } from "../training/training-job-name.ts";
import { mintRunId, RUN_ID_BYTES, runIdProblem } from "./run-id.ts";

describe("mintRunId", () => {
  it("makes ids that wandb and SageMaker take as they are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: RUN_ID_BYTES, maxLength: RUN_ID_BYTES }), (bytes) => {
        const id = mintRunId(bytes);
        expect(id).toMatch(/^[a-z][a-z0-9]{7}$/);
        expect(runIdProblem(id)).toBeUndefined();
        expect(trainingJobName(id, 1)).toBe(id);
      }),
    );
  });

  it("wants its bytes", () => expect(() => mintRunId(new Uint8Array(8))).toThrow(RangeError));
});

describe("runIdProblem", () => {
  it.each(["", "a/b", "a?b", " a", "a".repeat(129), "a\nb"])("refuses %j", (id) =>
    expect(runIdProblem(id)).toBeTruthy(),
  );
  it.each(["a_b", "ünï", "A.B-c", "a b", "a!"])("takes %j", (id) => expect(runIdProblem(id)).toBeUndefined());
});
