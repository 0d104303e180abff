import { type Problem, SlipwayError } from "../errors/slipway-error.ts";
import type { JsonValue } from "../json.ts";
import { readYaml } from "../yaml-document.ts";
import { type Hyperband, readHyperband } from "./hyperband.ts";
import { QUANTILES, type Quantile } from "./quantiles.ts";

/** One thing that a sweep chooses: of a list, by weights, or a number of a distribution. */
export interface Choice {
  /** Keys of nested parameters. */
  readonly path: readonly string[];
  readonly of:
    | { readonly values: readonly JsonValue[]; readonly weights: readonly number[] }
    | { readonly quantile: Quantile };
}

export interface SweepConfig {
  readonly method: "grid" | "random" | "bayes";
  readonly name: string | null;
  readonly description: string | null;
  readonly metric: { readonly name: string; readonly goal: "minimize" | "maximize" } | null;
  readonly choices: readonly Choice[];
  /** How many runs at most; null: no limit of its own. */
  readonly runCap: number | null;
  /** What runs on a launch queue: a job or an image; null: not given. */
  readonly job: string | null;
  readonly imageUri: string | null;
  /** Words of the command, with places such as `${program}` and `${args}`; null: the job's own command. */
  readonly command: readonly string[] | null;
  readonly program: string | null;
  /** When worse runs are stopped; null: never. */
  readonly earlyStop: Hyperband | null;
}

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Reads the YAML text of a sweep's config; SWEEP_CONFIG_INVALID lists all that is wrong with its places. */
export function parseSweepConfig(text: string): SweepConfig {
  const document = readYaml(text);
  const problems: Problem[] = [...document.problems];
  const config = isFields(document.value) ? document.value : {};
  const wrong = (path: string, message: string) => void problems.push({ path, message });
  if (problems.length === 0 && !isFields(document.value)) wrong("", "A sweep's config is a mapping");
  const { method } = config;
  if (problems.length === 0 && method !== "grid" && method !== "random" && method !== "bayes")
    wrong("method", `method must be grid, random or bayes, unlike ${JSON.stringify(method ?? null)}`);
  const choices: Choice[] = [];
  if (isFields(config.parameters)) readParameters(config.parameters, [], choices, wrong);
  else if (problems.length === 0) wrong("parameters", "parameters must be a mapping of names");
  const metric = readMetric(config.metric, wrong);
  if (method === "bayes" && metric === null) wrong("metric", "bayes needs metric.name");
  if (method === "grid")
    for (const { path, of } of choices)
      if (!("values" in of)) wrong(`parameters.${path.join(".")}`, "grid needs a list of values or an int_uniform");
  const { run_cap: cap } = config;
  if (cap != null && !(Number.isInteger(cap) && Number(cap) > 0)) wrong("run_cap", "run_cap must be 1 or more");
  const earlyStop = readHyperband(config.early_terminate, wrong);
  if (config.early_terminate != null && metric === null) wrong("metric", "early_terminate needs metric.name");
  readCommand(config.command, wrong);
  if (isFields(config.controller) && config.controller.type === "local")
    wrong("controller.type", "controller.type must not be local: this server chooses the runs of a sweep itself");
  if (problems.length > 0) {
    const [first] = problems;
    const values = { problem: first?.message ?? "" };
    throw new SlipwayError("SWEEP_CONFIG_INVALID", { values, where: first?.path || "config", problems });
  }
  return {
    method: method as SweepConfig["method"],
    name: typeof config.name === "string" ? config.name : null,
    description: typeof config.description === "string" ? config.description : null,
    metric,
    choices,
    runCap: cap == null ? null : Number(cap),
    job: textOf(config.job),
    imageUri: textOf(config.image_uri),
    command: config.command == null ? null : (config.command as unknown[]).map(String),
    program: textOf(config.program),
    earlyStop,
  };
}

/** Notes what is wrong at a place of the config. */
export type Wrong = (path: string, message: string) => void;

const textOf = (value: unknown) => (typeof value === "string" && value !== "" ? value : null);

function readCommand(value: unknown, wrong: Wrong): void {
  if (value != null && (!Array.isArray(value) || value.length === 0 || value.some((word) => typeof word === "object")))
    wrong("command", "command must be a list of words, for instance [python, train.py, --epochs=3]");
}

function readMetric(value: unknown, wrong: Wrong): SweepConfig["metric"] {
  if (value == null) return null;
  const { name, goal = "minimize" } = isFields(value) ? value : {};
  if (typeof name !== "string") wrong("metric.name", "metric needs a name");
  if (goal !== "minimize" && goal !== "maximize") wrong("metric.goal", "metric.goal must be minimize or maximize");
  return { name: String(name), goal: goal === "maximize" ? goal : "minimize" };
}

function readParameters(fields: Fields, above: readonly string[], choices: Choice[], wrong: Wrong): void {
  for (const [name, parameter] of Object.entries(fields)) {
    const path = [...above, name];
    const place = `parameters.${path.join(".parameters.")}`;
    if (!isFields(parameter)) wrong(place, `${place} must be a mapping, for instance {value: 1}`);
    else if (isFields(parameter.parameters)) readParameters(parameter.parameters, path, choices, wrong);
    else {
      const of = readChoice(parameter, place, wrong);
      if (of) choices.push({ path, of });
    }
  }
}

function readChoice(parameter: Fields, place: string, wrong: Wrong): Choice["of"] | undefined {
  if ("value" in parameter) return { values: [parameter.value as JsonValue], weights: [1] };
  if ("values" in parameter) {
    const { values } = parameter;
    const weights = parameter.probabilities ?? (Array.isArray(values) ? values.map(() => 1) : []);
    if (!Array.isArray(values) || values.length === 0) wrong(`${place}.values`, `${place}.values must be a list`);
    else if (!Array.isArray(weights) || weights.length !== values.length || !weights.every((one) => Number(one) >= 0))
      wrong(`${place}.probabilities`, `${place}.probabilities must have one number for each value`);
    else return { values: values as JsonValue[], weights: weights.map(Number) };
    return undefined;
  }
  const whole = Number.isInteger(parameter.min) && Number.isInteger(parameter.max);
  const name = String(parameter.distribution ?? (whole ? "int_uniform" : "uniform"));
  const make = Object.hasOwn(QUANTILES, name) ? QUANTILES[name] : undefined;
  if (!make) {
    wrong(`${place}.distribution`, `${place}: ${name} is not one of ${Object.keys(QUANTILES).join(", ")}`);
    return undefined;
  }
  const { min, max, mu = 0, sigma = 1, q = 1 } = parameter;
  const number = (value: unknown) => typeof value === "number" && Number.isFinite(value);
  if (!name.endsWith("normal") && !(number(min) && number(max) && Number(min) < Number(max)))
    wrong(place, `${place} needs numbers min < max, or value, or values`);
  else if (name.endsWith("_values") && Number(min) <= 0) wrong(`${place}.min`, `${place}.min must be above 0`);
  else if (!number(mu) || !number(sigma) || Number(sigma) <= 0) wrong(place, `${place} needs a sigma above 0`);
  else if (!number(q) || Number(q) <= 0) wrong(`${place}.q`, `${place}.q must be above 0`);
  else if (name === "int_uniform" && Number(max) - Number(min) < 10_000) {
    const values = Array.from({ length: Number(max) - Number(min) + 1 }, (_, at) => Number(min) + at);
    return { values, weights: values.map(() => 1) };
  } else {
    const limits = { min: Number(min), max: Number(max), mu: Number(mu), sigma: Number(sigma), q: Number(q) };
    return { quantile: make(limits) };
  }
  return undefined;
}
