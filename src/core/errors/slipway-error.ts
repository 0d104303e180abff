import { ERRORS, type ErrorCode } from "./registry.ts";

/** One thing that is wrong in a document a person wrote: where, what rule, and what would be right. */
export interface Problem {
  /** JSON path (`ResourceConfig.InstanceType`) or `file:line:column`. */
  readonly path: string;
  /** What is wrong, as a sentence without a full stop. */
  readonly message: string;
  /** The nearest valid name or value, or what to do. */
  readonly hint?: string;
  readonly line?: number;
  readonly column?: number;
}

export interface SlipwayErrorDetails {
  /** Fills the `{name}` places of the registry's message and hint. */
  readonly values?: Readonly<Record<string, string | number>>;
  /** Replaces the registry's message: the error was raised elsewhere, with its places already filled in. */
  readonly message?: string;
  /** Where the mistake is: a JSON path, `file:line:column`, a URL. */
  readonly where?: string;
  /** Replaces the registry's hint. */
  readonly hint?: string;
  readonly problems?: readonly Problem[];
  readonly cause?: unknown;
}

/** The only error type whose message is meant for people. Anything else that reaches an edge is reported as INTERNAL. */
export class SlipwayError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly exitCode: number;
  readonly where: string | undefined;
  readonly hint: string;
  readonly problems: readonly Problem[];

  constructor(code: ErrorCode, details: SlipwayErrorDetails = {}) {
    const entry = ERRORS[code];
    super(
      details.message ?? fill(entry.message, details.values),
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.name = "SlipwayError";
    this.code = code;
    this.status = entry.status;
    this.exitCode = entry.exit;
    this.where = details.where;
    this.hint = fill(details.hint ?? entry.hint, details.values);
    this.problems = details.problems ?? [];
  }
}

function fill(template: string, values: Readonly<Record<string, string | number>> = {}): string {
  return template.replace(/\{(\w+)\}/g, (place, name: string) => (name in values ? String(values[name]) : place));
}
