import { describe, expect, it } from "vitest";
import { SAGEMAKER_MODEL, shapeNamed, wholePattern } from "./model.ts";

describe("the SageMaker model", () => {
  it("has the operations of training jobs, and every shape that they need", () => {
    expect(Object.keys(SAGEMAKER_MODEL.operations)).toEqual(
      expect.arrayContaining([
        "CreateTrainingJob",
        "DescribeTrainingJob",
        "ListTrainingJobs",
        "StopTrainingJob",
        "AddTags",
        "ListTags",
      ]),
    );
    for (const { input, output, errors } of Object.values(SAGEMAKER_MODEL.operations))
      for (const name of [input, output, ...errors]) if (name) shapeNamed(name);
    for (const shape of Object.values(SAGEMAKER_MODEL.shapes))
      for (const name of [...Object.values(shape.members ?? {}), shape.member, shape.key, shape.value])
        if (name) shapeNamed(name);
  });

  it("has patterns that JavaScript can read", () => {
    const patterns = Object.values(SAGEMAKER_MODEL.shapes).flatMap((shape) =>
      shape.pattern === undefined ? [] : [shape.pattern],
    );
    expect(patterns.length).toBeGreaterThan(40);
    for (const pattern of patterns) wholePattern(pattern);
    expect(wholePattern(shapeNamed("TagKey").pattern!).test("팀/ml")).toBe(true);
  });

  it("throws for a shape it has not", () => expect(() => shapeNamed("NoSuchShape")).toThrow(/no shape/));
});
