import { expect, test } from "vitest";
import { SlipwayError } from "../errors/slipway-error.ts";
import { readInputSchemaFile } from "./input-schema-file.ts";

const GOOD = `
type: object
required: [lr]
properties:
  lr: {type: number, minimum: 0, exclusiveMaximum: 1, description: learning rate}
  optimizer: {type: string, enum: [adam, sgd], default: adam, label: Optimizer}
  layers: {type: array, items: {type: integer, minimum: 1}, minItems: 1, required: true}
  data: {type: object, properties: {shuffle: {type: boolean, default: true}}}
`;

test("YAML and JSON give the schema as it is", () => {
  const schema = readInputSchemaFile(GOOD, "inputs.yaml");
  expect(schema).toMatchObject({ required: ["lr"], properties: { optimizer: { enum: ["adam", "sgd"] } } });
  expect(readInputSchemaFile(JSON.stringify(schema), "inputs.json")).toEqual(schema);
});

test.each<[string, string, { path: string; message: RegExp; hint?: string; line: number }]>([
  ["a list", "[1]", { path: "", message: /must be an object/, line: 1 }],
  [
    "inputs at the top",
    "lr: {type: number}\ntype: object",
    { path: "lr", message: /no lr/, hint: "Inputs stand under properties.", line: 1 },
  ],
  ["no type at the top", "properties: {lr: {type: number}}", { path: "type", message: /describes an object/, line: 1 }],
  [
    "a misspelt keyword",
    "type: object\nproperties:\n  lr:\n    type: number\n    minimun: 0",
    { path: "properties.lr.minimun", message: /no minimun/, hint: "Did you mean minimum?", line: 5 },
  ],
  [
    "an unknown type",
    "type: object\nproperties: {lr: {type: float}}",
    { path: "properties.lr.type", message: /no type "float"/, line: 2 },
  ],
  [
    "a bound of the wrong type",
    "type: object\nproperties: {lr: {type: number, maximum: '1'}}",
    { path: "properties.lr.maximum", message: /must be a number/, line: 2 },
  ],
  [
    "bounds that no value meets",
    "type: object\nproperties: {lr: {type: number, minimum: 2, maximum: 1}}",
    { path: "properties.lr.minimum", message: /2 is above maximum 1/, line: 2 },
  ],
  [
    "a default outside its bounds",
    "type: object\nproperties: {lr: {type: number, maximum: 1, default: 3}}",
    { path: "properties.lr.default", message: /outside its own bounds: it must be <= 1/, line: 2 },
  ],
  [
    "a required name that is no property",
    "type: object\nrequired: [Lr]\nproperties: {lr: {type: number}}",
    { path: "required", message: /"Lr" is not among/, hint: "Did you mean lr?", line: 2 },
  ],
  [
    "a wrong schema inside a list's items",
    "type: object\nproperties: {a: {type: array, items: {type: text}}}",
    { path: "properties.a.items.type", message: /no type "text"/, line: 2 },
  ],
  [
    "a pattern that could take for ever",
    "type: object\nproperties: {a: {type: string, pattern: '(a+)+$'}}",
    { path: "properties.a.pattern", message: /could take very long/, line: 2 },
  ],
  [
    "a reference to nothing",
    "type: object\nproperties: {a: {$ref: '#/$defs/none'}}",
    { path: "", message: /not used/, line: 1 },
  ],
  ["what is not YAML", "type: [", { path: "", message: /./, line: 1 }],
])("%s is refused with its place", (_name, text, { path, message, hint, line }) => {
  let thrown: unknown;
  try {
    readInputSchemaFile(text, "inputs.yaml");
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(SlipwayError);
  const { code, problems } = thrown as SlipwayError;
  expect(code).toBe("JOB_SCHEMA_INVALID");
  const problem = problems[0];
  expect(problem?.path).toBe(path);
  expect(problem?.message).toMatch(message);
  expect(problem?.line).toBe(line);
  if (hint !== undefined) expect(problem?.hint).toBe(hint);
});
