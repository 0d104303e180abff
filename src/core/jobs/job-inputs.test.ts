import { expect, test } from "vitest";
import type { JsonValue } from "../json.ts";
import { jobInputs } from "./job-inputs.ts";

const shown = (metadata: JsonValue, types: JsonValue = null) =>
  jobInputs(metadata, types).map(({ path, file, type, bounds, required, default: preset }) =>
    [file, path, type, bounds, required ? "required" : "", preset === undefined ? "" : JSON.stringify(preset)]
      .filter(Boolean)
      .join(" | "),
  );

test("schemas of the run config and of files", () => {
  const config = {
    type: "object",
    required: ["lr", "optimizer"],
    properties: {
      lr: { type: "number", exclusiveMinimum: 0, maximum: 1 },
      optimizer: { enum: ["adam", "sgd"], default: "adam" },
      data: { type: "object", properties: { rows: { type: "integer", required: true, minimum: 1 } } },
      layers: { type: "array", items: { type: "integer" }, minItems: 1 },
      free: {},
    },
  };
  const file = { type: "object", properties: { "a b": { type: ["string", "null"], pattern: "^x" } } };
  const metadata = { input_schemas: { "@wandb.config": config, files: { "model.yaml": file } } };
  expect(shown(metadata)).toEqual([
    "lr | number | > 0, <= 1 | required",
    'optimizer | one of adam, sgd | "adam"',
    "data.rows | integer | >= 1 | required",
    "layers | list of integer | items >= 1",
    "free",
    'model.yaml | ["a b"] | string or null | like ^x',
  ]);
});

test("without schemas, the types of the config that the job's run had", () => {
  const dict = (map: JsonValue) => ({ wb_type: "typedDict", params: { type_map: map } });
  const types = dict({ lr: { wb_type: "number" }, nested: dict({ on: { wb_type: "boolean" } }), _wandb: dict({}) });
  expect(shown({ _partial: true }, types)).toEqual(["lr | number", "nested.on | boolean"]);
  expect(shown({ input_types: { "@wandb.config": types } }, dict({}))).toEqual(["lr | number", "nested.on | boolean"]);
  expect(shown(null, null)).toEqual([]);
});
