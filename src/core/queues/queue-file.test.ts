import { describe, expect, it } from "vitest";
import { SlipwayError } from "../errors/slipway-error.ts";
import { parseQueueFile } from "./queue-file.ts";

describe("parseQueueFile", () => {
  it("reads a bare body and tells where a path stands", () => {
    const file = parseQueueFile("RoleArn: r\nTags:\n  - Key: a\n    Value: b\n", "q.yaml", "sagemaker");
    expect(file.resourceConfig).toEqual({ RoleArn: "r", Tags: [{ Key: "a", Value: "b" }] });
    expect(file.locate("Tags[0].Value")).toEqual({ line: 4, column: 12 });
    expect(file.locate("Tags[0].Nothing").line).toBe(3);
  });

  it("reads settings around the body, in JSON too", () => {
    const text =
      '{"resource":"sagemaker","prioritization_mode":"V0","resource_config":{"RoleArn":"{{role}}"},"template_variables":{"role":{"schema":{"type":"string"}}}}';
    const file = parseQueueFile(text, "q.json", "sagemaker");
    expect(file.resourceConfig).toEqual({ RoleArn: "{{role}}" });
    expect(file.templateVariables).toEqual({ role: { schema: { type: "string" } } });
    expect([file.resource, file.prioritizationMode]).toEqual(["sagemaker", "V0"]);
    expect(file.locate("RoleArn")).toEqual({ line: 1, column: text.indexOf('"{{role') + 1 });
  });

  it("reads the wandb client's own wrapping", () => {
    const file = parseQueueFile(
      "resource_config:\n  resource_args:\n    sagemaker:\n      RoleArn: r\n",
      "q.yaml",
      "sagemaker",
    );
    expect(file.resourceConfig).toEqual({ RoleArn: "r" });
    expect(file.locate("RoleArn").line).toBe(4);
    expect(parseQueueFile("resource_args: {sagemaker: {RoleArn: r}}", "q", "sagemaker").resourceConfig).toEqual({
      RoleArn: "r",
    });
  });

  it.each([
    ["a: [", 1],
    ["a: 1\na: 2\n", 2],
    ["- a\n", 1],
    ["resource_args: {}\n", 1],
    ["resource_config: {}\ntemplate_variables: 3\n", 2],
    ["resource_config: {}\n\ntemplate_variable: {}\n", 3],
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
