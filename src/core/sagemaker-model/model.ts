import document from "./training-jobs.json" with { type: "json" };

/** A shape of the SageMaker API: what a value may be. Names refer to other shapes of the model. */
export interface Shape {
  readonly type:
    | "structure"
    | "list"
    | "map"
    | "string"
    | "integer"
    | "long"
    | "float"
    | "double"
    | "boolean"
    | "timestamp";
  /** structure: each member's shape. */
  readonly members?: Readonly<Record<string, string>>;
  readonly required?: readonly string[];
  /** list: its elements. */
  readonly member?: string;
  /** map */
  readonly key?: string;
  readonly value?: string;
  /** The whole value matches it (Java's syntax). */
  readonly pattern?: string;
  readonly enum?: readonly string[];
  /** Characters of a string, elements of a list or map, or the number itself. */
  readonly min?: number;
  readonly max?: number;
  readonly exception?: boolean;
  /** A structure of which exactly one member is set. */
  readonly union?: boolean;
}

export interface Operation {
  readonly input?: string;
  readonly output?: string;
  readonly errors: readonly string[];
}

/** The SageMaker API of training jobs and tags, reduced from botocore (see NOTICE and scripts/generate-sagemaker-model.ts). */
export interface ServiceModel {
  readonly source: string;
  readonly metadata: { readonly apiVersion: string; readonly jsonVersion: string; readonly targetPrefix: string };
  readonly operations: Readonly<Record<string, Operation>>;
  readonly shapes: Readonly<Record<string, Shape>>;
}

export const SAGEMAKER_MODEL = document as unknown as ServiceModel;

/** The shape of that name. Throws if the model has none: a mistake of the caller's. */
export function shapeNamed(name: string): Shape {
  const shape = SAGEMAKER_MODEL.shapes[name];
  if (shape === undefined) throw new Error(`the SageMaker model has no shape ${name}`);
  return shape;
}

const patterns = new Map<string, RegExp>();

/** A shape's pattern as a JavaScript expression over the whole value. Java's `\p{Alnum}` is spelt out. */
export function wholePattern(pattern: string): RegExp {
  let compiled = patterns.get(pattern);
  if (compiled === undefined) {
    const source = pattern.replaceAll("\\p{Alnum}", "a-zA-Z0-9");
    compiled = new RegExp(`^(?:${source})$`, /\\p\{/.test(source) ? "u" : "");
    patterns.set(pattern, compiled);
  }
  return compiled;
}
