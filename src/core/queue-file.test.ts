import { describe, expect, it } from "vitest";
import { SlipwayError } from "./errors/slipway-error.ts";
import { parseQueueFile } from "./queue-file.ts";

describe("parseQueueFile", () => {
  it("reads a bare body and tells where a path stands", () => {
    const file = parseQueueFile("RoleArn: r\nTags:\n  - Key: a\n    Value: b\n", "q.yaml", "sagemaker");
    expect(file.resourceConfig).toEqual({ RoleArn: "r", Tags: [{ Key: "a", Value: "b" }] });
    expect(file.locate("Tags[0].Value")).toEqual({ line: 4, column: 12 });
    expect(file.locate("Tags[0].Nothing").line).toBe(3);
  });

  it("reads the wrapped form with template variables, JSON included", () => {
    const text =
      '{"resource_args":{"sagemaker":{"RoleArn":"{{role}}"}},"template_variables":{"role":{"schema":{"type":"string"}}}}';
    const file = parseQueueFile(text, "q.json", "sagemaker");
    expect(file.resourceConfig).toEqual({ RoleArn: "{{role}}" });
    expect(file.templateVariables).toEqual({ role: { schema: { type: "string" } } });
    expect(file.locate("RoleArn").line).toBe(1);
  });

  it.each([
    ["a: [", 1],
    ["a: 1\na: 2\n", 2],
    ["- a\n", 1],
    ["resource_args: {}\n", 1],
    ["resource_args: {sagemaker: {}}\ntemplate_variables: 3\n", 2],
  ])("refuses %j with its place", (text, line) => {
    let thrown: unknown;
    try {
      parseQueueFile(text, "q.yaml", "sagemaker");
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(SlipwayError);
    expect((thrown as SlipwayError).code).toBe("QUEUE_FILE_INVALID");
    expect((thrown as SlipwayError).problems[0]?.line).toBe(line);
  });
});
