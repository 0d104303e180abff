import type { FinalMetric } from "./job-store.ts";

/** Collects the metrics of a job from its log lines. */
export interface MetricReader {
  read(line: string, at: number): void;
  /** The last value of each metric that has been seen, in the order of their definitions. */
  finals(): FinalMetric[];
}

/**
 * MetricDefinitions as SageMaker applies them: each regular expression is searched in every log line, its first group is the value,
 * the last match in time counts. SageMaker's expressions are written for Python; named groups and leading flags are translated,
 * `\A` and `\Z` too. What JavaScript cannot read (possessive quantifiers, conditional groups, `(?#...)`) finds nothing and is handed to `onUnreadable`.
 */
export function createMetricReader(
  definitions: readonly { readonly Name: string; readonly Regex: string }[],
  onUnreadable: (name: string, reason: string) => void = () => {},
): MetricReader {
  const readers: { name: string; expression: RegExp }[] = [];
  for (const { Name: name, Regex: regex } of definitions) {
    try {
      readers.push({ name, expression: translate(regex) });
    } catch (error) {
      onUnreadable(name, String(error));
    }
  }
  const last = new Map<string, FinalMetric>();
  return {
    read(line, at) {
      for (const { name, expression } of readers) {
        for (const match of line.matchAll(expression)) {
          const value = parseNumber(match[1] ?? match[0]);
          const before = last.get(name);
          if (value !== undefined && (before === undefined || at >= before.at)) last.set(name, { name, value, at });
        }
      }
    },
    finals: () => readers.flatMap(({ name }) => last.get(name) ?? []),
  };
}

function translate(regex: string): RegExp {
  let flags = "g";
  let source = regex;
  const leading = /^\(\?([aiLmsux]+)\)/.exec(source);
  if (leading !== null) {
    source = source.slice(leading[0].length);
    for (const flag of leading[1]!) if ("ims".includes(flag)) flags += flag;
  }
  source = source
    .replace(/\(\?P</g, "(?<")
    .replace(/\(\?P=(\w+)\)/g, "\\k<$1>")
    .replace(/\\A/g, "^")
    .replace(/\\Z/g, "$");
  return new RegExp(source, flags);
}

function parseNumber(text: string): number | undefined {
  const trimmed = text.trim();
  // A group such as ([0-9\.]+) also takes the full stop of a sentence.
  const value = trimmed === "" ? Number.NaN : Number(trimmed.replace(/\.$/, ""));
  return Number.isFinite(value) ? value : undefined;
}
