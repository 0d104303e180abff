import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { createTimeLimit } from "../time-limit.ts";
import type { FinalMetric } from "./job-store.ts";

/** Collects the metrics of a job from its log lines. */
export interface MetricReader {
  /** Takes a line, which is searched soon; the promise, where there is one, asks the giver to wait until the search has caught up. */
  read(line: string, at: number): Promise<void> | undefined;
  /** Resolves when every line taken so far has been searched. */
  settled(): Promise<void>;
  /** The last value of each metric that has been seen, in the order of their definitions. */
  finals(): FinalMetric[];
}

/** Characters of a line that are searched: an expression that begins with `.*` takes time that grows with the square of the line. */
const SEARCHED_CHARACTERS = 8192;
/** Lines are gathered for so many milliseconds before they are searched: a turn costs 0.2 ms of its own. */
const GATHER_MS = 10;
/** After so many milliseconds a search lets others have a turn, between two lines... */
const TURN_MS = 10;
/** ...and after so many it is interrupted in the middle of one. */
const LONGEST_TURN_MS = 50;
/** An expression that was interrupted so many times is searched no more. */
const GIVE_UP_AFTER = 5;
/** Lines that wait for their search before the giver is asked to wait. */
const LONGEST_QUEUE = 20_000;

/**
 * MetricDefinitions as SageMaker applies them: each regular expression is searched in every log line, its first group is the value,
 * the last match in time counts. SageMaker's expressions are written for Python; named groups and leading flags are translated,
 * `\A` and `\Z` too. What JavaScript cannot read (possessive quantifiers, conditional groups, `(?#...)`) finds nothing, an expression that
 * runs away is given up; either is handed to `onUnusable`.
 */
export function createMetricReader(
  definitions: readonly { readonly Name: string; readonly Regex: string }[],
  onUnusable: (name: string, reason: string) => void = () => {},
): MetricReader {
  const readers: { readonly name: string; readonly expression: RegExp; timeouts: number }[] = [];
  for (const { Name: name, Regex: regex } of definitions) {
    try {
      readers.push({ name, expression: translate(regex), timeouts: 0 });
    } catch (error) {
      onUnusable(name, String(error));
    }
  }
  const last = new Map<string, FinalMetric>();
  const limited = createTimeLimit();
  let queue: { readonly line: string; readonly at: number }[] = [];
  // Where the search stands, so that it goes on there after an interruption.
  let line = 0;
  let reader = 0;
  let since = 0;
  let search: Promise<void> | undefined;

  const searchQueue = () => {
    const began = performance.now();
    since = began;
    for (; line < queue.length; line++, reader = 0) {
      if (since - began > TURN_MS) return;
      for (; reader < readers.length; reader++) {
        const { name, expression, timeouts } = readers[reader]!;
        if (timeouts >= GIVE_UP_AFTER) continue;
        since = performance.now();
        const { line: text, at } = queue[line]!;
        for (const match of text.matchAll(expression)) {
          const value = parseNumber(match[1] ?? match[0]);
          const before = last.get(name);
          if (value !== undefined && (before === undefined || at >= before.at)) last.set(name, { name, value, at });
        }
      }
    }
  };

  const searchInTurns = async () => {
    await sleep(GATHER_MS);
    for (;;) {
      await nextTurn();
      if (limited(LONGEST_TURN_MS, searchQueue)) {
        if (line === queue.length) break;
        continue;
      }
      const slow = readers[reader];
      // One that began late in the turn is searched again in the next.
      if (slow === undefined || performance.now() - since < LONGEST_TURN_MS / 2) continue;
      reader++;
      slow.timeouts++;
      if (slow.timeouts === GIVE_UP_AFTER) onUnusable(slow.name, "it takes too long; it is searched no more");
    }
    queue = [];
    line = 0;
    search = undefined;
  };

  return {
    read(text, at) {
      if (readers.length === 0) return undefined;
      queue.push({ line: text.slice(0, SEARCHED_CHARACTERS), at });
      search ??= searchInTurns();
      return queue.length > LONGEST_QUEUE ? search : undefined;
    },
    settled: async () => search,
    finals: () => {
      const names = new Set(readers.map(({ name }) => name));
      return [...names].flatMap((name) => last.get(name) ?? []);
    },
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
