import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { memberPath } from "../json-path.ts";
import { inputSchemas } from "./input-schema.ts";

/** One value that a job takes, as people are told of it. */
export interface JobInput {
  /** Path inside the run config, or inside the file of `file`. */
  readonly path: string;
  /** The managed config file that it is in; undefined for the run config. */
  readonly file: string | undefined;
  /** `number`, `list of integer`, `one of adam, sgd`; empty where nothing is said. */
  readonly type: string;
  /** `>= 0, < 1`; empty where there are none. */
  readonly bounds: string;
  /** Undefined where there is none. */
  readonly default: JsonValue | undefined;
  /** A launch has to give it. */
  readonly required: boolean;
  readonly description: string;
}

/**
 * The inputs of a job: by the schemas in its metadata, else by the types of the config that its own run had, which the client
 * writes into wandb-job.json or, after the first run of a job that was made without one, into the metadata.
 */
export function jobInputs(metadata: JsonValue, inputTypes: JsonValue): readonly JobInput[] {
  const { config, files } = inputSchemas(metadata);
  const declared = [
    ...(config === undefined ? [] : ofSchema(config, "", undefined)),
    ...Object.entries(files).flatMap(([file, schema]) => ofSchema(schema, "", file)),
  ];
  if (declared.length > 0) return declared;
  const later =
    isJsonObject(metadata) && isJsonObject(metadata.input_types) ? metadata.input_types["@wandb.config"] : undefined;
  return ofTypes(later ?? inputTypes, "");
}

function ofSchema(schema: JsonObject, path: string, file: string | undefined): JobInput[] {
  const properties = isJsonObject(schema.properties) ? schema.properties : {};
  const listed = Array.isArray(schema.required) ? (schema.required as readonly JsonValue[]) : [];
  return Object.entries(properties).flatMap(([name, one]): JobInput[] => {
    if (!isJsonObject(one)) return [];
    const place = memberPath(path, name);
    if (isJsonObject(one.properties) && Object.keys(one.properties).length > 0) return ofSchema(one, place, file);
    return [
      {
        path: place,
        file,
        type: typeOf(one),
        bounds: boundsOf(one),
        default: one.default,
        required: one.default === undefined && (listed.includes(name) || one.required === true),
        description: String(one.description ?? one.title ?? one.label ?? ""),
      },
    ];
  });
}

function typeOf(schema: JsonObject): string {
  if (Array.isArray(schema.enum)) return `one of ${schema.enum.map(String).join(", ")}`;
  if (isJsonObject(schema.items)) return `list of ${typeOf(schema.items) || "anything"}`;
  const { type } = schema;
  return Array.isArray(type) ? type.map(String).join(" or ") : String(type ?? "");
}

const BOUNDS: readonly (readonly [keyword: string, text: string])[] = [
  ["minimum", ">="],
  ["exclusiveMinimum", ">"],
  ["maximum", "<="],
  ["exclusiveMaximum", "<"],
  ["multipleOf", "multiple of"],
  ["minLength", "length >="],
  ["maxLength", "length <="],
  ["minItems", "items >="],
  ["maxItems", "items <="],
  ["pattern", "like"],
];

function boundsOf(schema: JsonObject): string {
  return BOUNDS.filter(([keyword]) => schema[keyword] !== undefined)
    .map(([keyword, text]) => `${text} ${schema[keyword]}`)
    .join(", ");
}

/** The client's own description of types (wandb/sdk/data_types/_dtypes.py). */
function ofTypes(types: JsonValue | undefined, path: string): JobInput[] {
  const params = isJsonObject(types) && isJsonObject(types.params) ? types.params : {};
  const map = isJsonObject(params.type_map) ? params.type_map : {};
  return Object.entries(map).flatMap(([name, one]): JobInput[] => {
    // Names of the client itself, for instance _wandb.
    if (name.startsWith("_")) return [];
    const place = memberPath(path, name);
    const inner = ofTypes(one, place);
    if (inner.length > 0) return inner;
    const type = isJsonObject(one) ? String(one.wb_type ?? "") : "";
    return [{ path: place, file: undefined, type, bounds: "", default: undefined, required: false, description: "" }];
  });
}
