/**
 * Reduces botocore's description of Amazon SageMaker to the operations of training jobs and writes
 * src/core/sagemaker-model/training-jobs.json. botocore (Apache-2.0, see NOTICE beside the file) is the only registry package that
 * carries the constraints (patterns, lengths, ranges). It is taken by pip in the pinned version, here and now; nobody who
 * installs Slipway needs it.
 *
 *   npx tsx scripts/generate-sagemaker-model.ts            writes the file
 *   npx tsx scripts/generate-sagemaker-model.ts --check    fails if the file is not what the pinned version gives
 *
 * PYTHON names the interpreter (default python3). To move to a newer botocore, change BOTOCORE and run it.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { writeOrCheck } from "./write-or-check.ts";

const BOTOCORE = "1.44.8";
const CACHE = join(import.meta.dirname, "../node_modules/.cache/slipway", `botocore-${BOTOCORE}`);
const MODEL = "botocore/data/sagemaker/2017-07-24/service-2.json.gz";
const OPERATIONS = [
  "CreateTrainingJob",
  "DescribeTrainingJob",
  "ListTrainingJobs",
  "StopTrainingJob",
  "DeleteTrainingJob",
  "UpdateTrainingJob",
  "AddTags",
  "ListTags",
  "DeleteTags",
];

interface Reference {
  shape: string;
}
interface Shape {
  type: string;
  members?: Record<string, Reference>;
  member?: Reference;
  key?: Reference;
  value?: Reference;
  [trait: string]: unknown;
}
interface Service {
  metadata: Record<string, unknown>;
  operations: Record<
    string,
    { name: string; http: unknown; input?: Reference; output?: Reference; errors?: Reference[] }
  >;
  shapes: Record<string, Shape>;
}

/** The parts of a shape that say what a value may be. */
const SHAPE_TRAITS = ["type", "required", "min", "max", "pattern", "enum", "union", "sensitive", "exception", "box"];

function reduce(service: Service): unknown {
  const shapes: Record<string, unknown> = {};
  const take = (reference: Reference | undefined) => {
    if (reference === undefined || reference.shape in shapes) return;
    const shape = service.shapes[reference.shape];
    if (shape === undefined) throw new Error(`botocore ${BOTOCORE} has no shape ${reference.shape}`);
    const kept: Record<string, unknown> = {};
    for (const trait of SHAPE_TRAITS) if (shape[trait] !== undefined) kept[trait] = shape[trait];
    shapes[reference.shape] = kept;
    if (shape.members) {
      kept.members = Object.fromEntries(Object.entries(shape.members).map(([name, member]) => [name, member.shape]));
      for (const member of Object.values(shape.members)) take(member);
    }
    for (const part of ["member", "key", "value"] as const) {
      const inner = shape[part];
      if (inner) {
        kept[part] = inner.shape;
        take(inner);
      }
    }
  };
  const operations: Record<string, unknown> = {};
  for (const name of OPERATIONS) {
    const operation = service.operations[name];
    if (operation === undefined) throw new Error(`botocore ${BOTOCORE} has no operation ${name}`);
    take(operation.input);
    take(operation.output);
    for (const error of operation.errors ?? []) take(error);
    operations[name] = {
      ...(operation.input ? { input: operation.input.shape } : {}),
      ...(operation.output ? { output: operation.output.shape } : {}),
      errors: (operation.errors ?? []).map((error) => error.shape),
    };
  }
  const { apiVersion, jsonVersion, targetPrefix } = service.metadata;
  return {
    source: `botocore ${BOTOCORE}, data/sagemaker/2017-07-24/service-2.json.gz, reduced by scripts/generate-sagemaker-model.ts`,
    metadata: { apiVersion, jsonVersion, targetPrefix },
    operations,
    shapes: Object.fromEntries(Object.entries(shapes).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

function readService(): Service {
  const file = join(CACHE, MODEL);
  if (!existsSync(file)) {
    mkdirSync(CACHE, { recursive: true });
    execFileSync(
      process.env.PYTHON ?? "python3",
      [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-compile",
        "--disable-pip-version-check",
        "--target",
        CACHE,
        `botocore==${BOTOCORE}`,
      ],
      { stdio: ["ignore", "inherit", "inherit"] },
    );
  }
  return JSON.parse(gunzipSync(readFileSync(file)).toString("utf8")) as Service;
}

/** One shape a line: a new version's changes are then readable in a review. */
function print(model: unknown): string {
  const { operations, shapes, ...head } = model as Record<string, Record<string, unknown>>;
  const lines = (entries: Record<string, unknown>) =>
    Object.entries(entries)
      .map(([name, value]) => `    ${JSON.stringify(name)}: ${JSON.stringify(value)}`)
      .join(",\n");
  const heads = Object.entries(head).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)},\n`);
  return `{\n${heads.join("")}  "operations": {\n${lines(operations!)}\n  },\n  "shapes": {\n${lines(shapes!)}\n  }\n}\n`;
}

await writeOrCheck("src/core/sagemaker-model/training-jobs.json", print(reduce(readService())));
