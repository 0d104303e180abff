import { AwsError } from "../service.ts";

/**
 * Compiles a filter pattern of terms as CloudWatch Logs reads them: all terms must occur, of `?term`s at least one, `-term`s never;
 * `"quoted terms"` may hold blanks, `%regex%` is a regular expression. Case counts. JSON and column patterns are refused.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
 */
export function compileFilterPattern(pattern: string): (message: string) => boolean {
  const text = pattern.trim();
  if (text === "") return () => true;
  if (text.startsWith("{") || text.startsWith("[")) throw invalid("JSON and column patterns are not supported here");
  const all: Test[] = [];
  const any: Test[] = [];
  const none: Test[] = [];
  const term = /([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]+)%|([^\s"%]+))(?:\s+|$)/gy;
  let position = 0;
  while (position < text.length) {
    term.lastIndex = position;
    const match = term.exec(text);
    if (match === null) throw invalid("Invalid character(s) in term");
    const list = match[1] === "?" ? any : match[1] === "-" ? none : all;
    list.push(test(match[2]?.replace(/\\(.)/g, "$1") ?? match[4], match[3]));
    position = term.lastIndex;
  }
  return (message) =>
    all.every((matches) => matches(message)) &&
    (any.length === 0 || any.some((matches) => matches(message))) &&
    !none.some((matches) => matches(message));
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
