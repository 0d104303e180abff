import { SlipwayError } from "../errors/slipway-error.ts";
import type { JsonValue } from "../json.ts";

type Arguments = Readonly<Record<string, { readonly value: JsonValue }>>;

/** How a sweep's values can be written in `command`; `${NAME}` stands for all of them. */
const FORMS: Readonly<Record<string, (args: Arguments) => string[]>> = {
  args: (args) => entries(args).map(([name, value]) => `--${name}=${pythonText(value)}`),
  args_no_equals: (args) => entries(args).flatMap(([name, value]) => [`--${name}`, pythonText(value)]),
  args_no_hyphens: (args) => entries(args).map(([name, value]) => `${name}=${pythonText(value)}`),
  args_append_hydra: (args) => entries(args).map(([name, value]) => `+${name}=${pythonText(value)}`),
  args_override_hydra: (args) => entries(args).map(([name, value]) => `++${name}=${pythonText(value)}`),
  args_no_boolean_flags: (args) =>
    entries(args).flatMap(([name, value]) => {
      if (typeof value === "boolean") return value ? [`--${name}`] : [];
      return [`--${name}=${pythonText(value)}`];
    }),
  args_json: (args) => [JSON.stringify(Object.fromEntries(entries(args)))],
};

const FIXED: Readonly<Record<string, string>> = { env: "/usr/bin/env", interpreter: "python" };

/** The command of one run: words before the sweep's values, and the words that follow. Both empty: the job's own command stays. */
export interface SweepCommandWords {
  readonly entryPoint: readonly string[];
  readonly args: readonly string[];
}

/**
 * Fills `command` of a sweep's config in for one run. A word that names something unknown stays as it is; INPUT_INVALID for
 * `${envvar:NAME}`, which is a variable of the host of a `wandb launch-agent`.
 */
export function fillCommand(
  command: readonly string[] | null,
  program: string | null,
  args: Arguments,
): SweepCommandWords {
  if (command === null) return { entryPoint: [], args: [] };
  const entryPoint: string[] = [];
  const values: string[] = [];
  let behind = false;
  for (const word of command) {
    const [, variable] = /\$\{envvar:([A-Z0-9_]*)\}/.exec(word) ?? [];
    if (variable !== undefined) {
      const problem = `\${envvar:${variable}} can't be filled in: the server schedules this sweep and reads no variable of a host`;
      throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "command" });
    }
    const name = /^\$\{([a-z_]+)\}$/.exec(word)?.[1];
    const form = name !== undefined && Object.hasOwn(FORMS, name) ? FORMS[name] : undefined;
    behind ||= form !== undefined;
    if (form) values.push(...form(args));
    else if (behind) values.push(word);
    else if (name === "program") entryPoint.push(program ?? word);
    else entryPoint.push((name !== undefined && Object.hasOwn(FIXED, name) ? FIXED[name] : undefined) ?? word);
  }
  return { entryPoint, args: values };
}

const entries = (args: Arguments) => Object.entries(args).map(([name, { value }]) => [name, value] as const);

/** A value as Python's str() writes it, which is what training code that is run by the wandb client gets. */
export function pythonText(value: JsonValue): string {
  return typeof value === "string" ? value : pythonRepr(value);
}

/** As Python's repr(): texts in quotes, single ones where it can. */
function pythonRepr(value: JsonValue): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return pythonNumber(value);
  if (typeof value === "string") {
    const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
    const escaped = value
      .replaceAll("\\", "\\\\")
      .replaceAll("\n", "\\n")
      .replaceAll("\r", "\\r")
      .replaceAll("\t", "\\t");
    return `${quote}${quote === "'" ? escaped.replaceAll("'", "\\'") : escaped}${quote}`;
  }
  if (Array.isArray(value)) return `[${value.map(pythonRepr).join(", ")}]`;
  return `{${Object.entries(value)
    .map(([key, item]) => `${pythonRepr(key)}: ${pythonRepr(item)}`)
    .join(", ")}}`;
}

/** Python goes over to exponents at 1e-5 and 1e16, JavaScript at 1e-7 and 1e21; its exponents have two digits at least. */
function pythonNumber(value: number): string {
  const size = Math.abs(value);
  if (value === 0 || (size >= 1e-4 && size < 1e16) || (Number.isInteger(value) && size < 1e21)) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}
