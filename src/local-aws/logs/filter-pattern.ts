import { AwsError } from "../service.ts";
import { createTimeLimit } from "../time-limit.ts";

/** A regular expression that takes longer for the messages that are tried at once is refused. */
const MAX_MATCH_MS = 500;

/**
 * Compiles a filter pattern of terms as CloudWatch Logs reads them: all terms must occur, of `?term`s at least one, `-term`s never;
 * `"quoted terms"` may hold blanks, `%regex%` is a regular expression. Case counts. JSON and column patterns are refused. The function
 * tells of each message whether it matches; it throws InvalidParameterException when an expression runs away.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
 */
export function compileFilterPattern(pattern: string): (messages: readonly string[]) => boolean[] {
  const text = pattern.trim();
  if (text === "") return (messages) => messages.map(() => true);
  if (text.startsWith("{") || text.startsWith("[")) throw invalid("JSON and column patterns are not supported here");
  const all: Test[] = [];
  const any: Test[] = [];
  const none: Test[] = [];
  let limit: ReturnType<typeof createTimeLimit> | undefined;
  const term = /([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]+)%|([^\s"%]+))(?:\s+|$)/gy;
  let position = 0;
  while (position < text.length) {
    term.lastIndex = position;
    const match = term.exec(text);
    if (match === null) throw invalid("Invalid character(s) in term");
    const list = match[1] === "?" ? any : match[1] === "-" ? none : all;
    list.push(test(match[2]?.replace(/\\(.)/g, "$1") ?? match[4], match[3]));
    if (match[3] !== undefined) limit ??= createTimeLimit();
    position = term.lastIndex;
  }
  const matches = (message: string) =>
    all.every((found) => found(message)) &&
    (any.length === 0 || any.some((found) => found(message))) &&
    !none.some((found) => found(message));
  return (messages) => {
    let results: boolean[] = [];
    const match = () => {
      results = messages.map(matches);
    };
    if (limit === undefined) match();
    else if (!limit(MAX_MATCH_MS, match)) throw invalid("The regular expression takes too long");
    return results;
  };
}

type Test = (message: string) => boolean;

function test(words: string | undefined, expression: string | undefined): Test {
  if (words !== undefined) return (message) => message.includes(words);
  try {
    const compiled = new RegExp(expression!);
    return (message) => compiled.test(message);
  } catch {
    throw invalid("Invalid regular expression");
  }
}

function invalid(reason: string): AwsError {
  return new AwsError("InvalidParameterException", `Invalid filter pattern: ${reason}`);
}
