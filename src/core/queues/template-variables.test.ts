import { Ajv } from "ajv";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../json.ts";
import { type TemplateSchema, templateSchemaProblems, templateValueProblem } from "./template-schema.ts";
import {
  checkTemplateVariables,
  findTemplateVariables,
  parseTemplateVariables,
  renderTemplate,
} from "./template-variables.ts";

const config = {
  ResourceConfig: { InstanceType: "{{itype}}", InstanceCount: "{{ count }}" },
  OutputDataConfig: { S3OutputPath: "s3://bucket/{{team}}/{{count}}" },
  HyperParameters: { note: "{{note}}" },
};
const { definitions } = parseTemplateVariables({
  itype: { schema: { type: "string", enum: ["ml.m5.large", "ml.g5.xlarge"], default: "ml.m5.large" } },
  count: { schema: { type: "integer", minimum: 1, maximum: 4 } },
  team: { schema: '{"type": "string", "pattern": "^[a-z]+$"}', description: "who pays" },
  note: { schema: { type: "string", required: false } },
});

describe("template variables of a config", () => {
  it("are found with their places", () => {
    expect(findTemplateVariables(config)).toEqual([
      { name: "itype", path: "ResourceConfig.InstanceType", whole: true },
      { name: "count", path: "ResourceConfig.InstanceCount", whole: true },
      { name: "team", path: "OutputDataConfig.S3OutputPath", whole: false },
      { name: "count", path: "OutputDataConfig.S3OutputPath", whole: false },
      { name: "note", path: "HyperParameters.note", whole: true },
    ]);
  });

  it("must be declared and used", () => {
    expect(checkTemplateVariables(config, definitions)).toEqual([]);
    expect(checkTemplateVariables({ a: "{{iytpe}}", b: "{{zzzzz}}" }, definitions.slice(0, 1))).toEqual([
      { path: "a", message: "{{iytpe}} is not declared in the template variables", hint: "Did you mean itype?" },
      { path: "b", message: "{{zzzzz}} is not declared in the template variables", hint: expect.any(String) },
      {
        path: "template_variables.itype",
        message: "itype is declared but the config has no {{itype}}",
        hint: expect.any(String),
      },
    ]);
  });

  it("are read as the wire gives them", () => {
    expect(definitions.map(({ name, description }) => [name, description])).toEqual([
      ["itype", undefined],
      ["count", undefined],
      ["team", "who pays"],
      ["note", undefined],
    ]);
    expect(parseTemplateVariables(null)).toEqual({ definitions: [], problems: [] });
    expect(
      parseTemplateVariables({
        "my var": { schema: { type: "string" } },
        a: { schema: { type: "strin" } },
        b: {},
        c: { schema: { type: "integer", minimum: 5, maximum: 4 } },
        d: { schema: { type: "string", enum: ["x"], default: "y" } },
        e: { schema: { type: "string", pattern: "(" } },
        f: { schema: { type: "integer", enums: [1] } },
        g: { schema: { type: "string", minimum: 1 } },
      }).problems.map((problem) => [problem.path, problem.message, problem.hint]),
    ).toEqual([
      ['template_variables["my var"]', expect.stringContaining("cannot be a variable's name"), expect.any(String)],
      ["template_variables.a.schema.type", 'There is no type "strin"', "Did you mean string?"],
      ["template_variables.b", "b has no schema", expect.any(String)],
      ["template_variables.c.schema.minimum", "minimum 5 is above maximum 4", undefined],
      ["template_variables.d.schema.default", 'The default must be one of x, not "y"', undefined],
      ["template_variables.e.schema.pattern", "pattern is not a regular expression", undefined],
      ["template_variables.f.schema.enums", "A variable's schema has no enums", "Did you mean enum?"],
      ["template_variables.g.schema.minimum", "minimum means nothing for type string", undefined],
    ]);
  });
});

describe("renderTemplate", () => {
  it("keeps the type of a value that stands alone, and leaves out what is not required", () => {
    expect(renderTemplate(config, definitions, { count: "2", team: "ml" })).toEqual({
      config: {
        ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 2 },
        OutputDataConfig: { S3OutputPath: "s3://bucket/ml/2" },
        HyperParameters: {},
      },
      problems: [],
    });
  });

  it("names each variable, rule and bound", () => {
    const { problems } = renderTemplate(config, definitions, { itype: "ml.g5.xlarg", count: 9, teem: "ml" });
    expect(problems).toEqual([
      {
        path: "template_variable_values.teem",
        message: "The queue has no template variable teem",
        hint: "Did you mean team?",
      },
      {
        path: "template_variable_values.itype",
        message: 'itype must be one of ml.m5.large, ml.g5.xlarge, not "ml.g5.xlarg"',
        hint: "Did you mean ml.g5.xlarge?",
      },
      { path: "template_variable_values.count", message: "count must be at most 4, not 9" },
      {
        path: "template_variable_values.team",
        message: "team has no value and no default",
        hint: expect.stringContaining("--set-var team=VALUE"),
      },
    ]);
  });

  it("does not fill what a value brings in", () => {
    const text = parseTemplateVariables({
      a: { schema: { type: "string" } },
      b: { schema: { type: "string" } },
    }).definitions;
    expect(renderTemplate({ x: "{{a}}{{b}}" }, text, { a: "{{b}}", b: "1" }).config).toEqual({ x: "{{b}}1" });
  });

  it("changes nothing in a config without places", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (given) => {
        fc.pre(!JSON.stringify(given).includes("{{") && !Object.hasOwn(given, "__proto__"));
        const plain = JSON.parse(JSON.stringify(given)) as JsonObject;
        expect(renderTemplate(plain, [], {}).config).toEqual(plain);
      }),
    );
  });
});

describe("bounds", () => {
  const number = fc.integer({ min: -5, max: 5 });
  const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const schema = fc.oneof(
    fc.record({
      type: fc.constantFrom("integer" as const, "number" as const),
      minimum: optional(number),
      maximum: optional(number),
      exclusiveMinimum: optional(number),
      exclusiveMaximum: optional(number),
      multipleOf: optional(fc.constantFrom(1, 2, 0.5)),
    }),
    fc.record({
      type: fc.constant("string" as const),
      minLength: optional(fc.nat(3)),
      maxLength: optional(fc.nat(4)),
      pattern: optional(fc.constantFrom("^a", "b$", "[0-9]")),
    }),
    fc.record({
      type: fc.constant("string" as const),
      enum: fc.uniqueArray(fc.constantFrom("a", "b", "1"), { minLength: 1 }),
    }),
    fc.record({ type: fc.constant("boolean" as const) }),
  );
  const value = fc.oneof(
    number,
    fc.double({ min: -5, max: 5, noNaN: true }),
    fc.boolean(),
    fc.string({ unit: fc.constantFrom("a", "b", "1", "é"), maxLength: 5 }),
    fc.constant(null),
  );
  const ajv = new Ajv({ strict: false, multipleOfPrecision: 9 });

  it("mean what they mean in JSON Schema", () => {
    fc.assert(
      fc.property(schema, value, (given, tried) => {
        const clean = JSON.parse(JSON.stringify(given)) as TemplateSchema;
        fc.pre(templateSchemaProblems(clean, "").length === 0);
        expect(templateValueProblem(clean, tried) === undefined).toBe(ajv.validate({ ...clean }, tried));
      }),
      { numRuns: 1000 },
    );
  });
});
