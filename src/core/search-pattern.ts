/*
 * Patterns of filters come in RE2's syntax (https://github.com/google/re2/wiki/Syntax); SQLite's and PostgreSQL's have
 * other words for some of it. What all three mean by the same is taken and written for each; the rest is refused. None of
 * the three backtracks on it, so no pattern takes forever.
 */

/** One pattern, in the words of each database. It looks for a match anywhere in the text. */
export interface SearchPattern {
  readonly sqlite: string;
  readonly postgres: string;
  readonly ignoreCase: boolean;
}

/** What is wrong with a pattern, in a sentence's end. */
export class PatternError extends Error {}

const MAX_LENGTH = 1000;
/** PostgreSQL's own limit (DUPMAX, regguts.h). */
const MAX_REPEAT = 255;
const CLASSES: Readonly<Record<string, string>> = { d: "0-9", w: "A-Za-z0-9_", s: " \t\n\f\r" };
const CONTROLS: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f", v: "\v" };
const SPECIAL = /[\\()*.+?[\]$^{|}]/;

/** Throws PatternError. */
export function parseSearchPattern(source: string): SearchPattern {
  if (source.length > MAX_LENGTH) throw new PatternError(`is longer than ${MAX_LENGTH} characters`);
  if (source.includes("\0")) throw new PatternError("has a zero character");
  const ignoreCase = source.startsWith("(?i)");
  const text = ignoreCase ? source.slice(4) : source;
  let sqlite = "";
  let postgres = "";
  let at = 0;
  let depth = 0;
  /** There is something that a quantifier could repeat. */
  let operand = false;
  const both = (piece: string) => {
    sqlite += piece;
    postgres += piece;
  };
  const literal = (char: string) => {
    const plain = ignoreCase ? char.toLowerCase() : char;
    both(SPECIAL.test(plain) ? `\\${plain}` : plain);
    operand = true;
  };

  while (at < text.length) {
    const char = String.fromCodePoint(text.codePointAt(at) ?? 0);
    const rest = text.slice(at);
    const group = /^\((\?:|\?P?<[A-Za-z_]\w*>)?/.exec(rest);
    const repeat = /^(?:[*+?]|\{(\d{1,4})(,(\d{0,4}))?\})/.exec(rest);
    if (char === "\\") {
      at += takeEscape(text[at + 1]);
    } else if (char === "[") {
      at += takeClass(rest);
    } else if (group) {
      if (text[at + 1] === "?" && !group[1])
        throw new PatternError(`has the group ${rest.slice(0, 3)}, which is not supported`);
      both("(");
      depth++;
      operand = false;
      at += group[0].length;
    } else if (char === ")") {
      if (depth-- === 0) throw new PatternError("closes a group that is not open");
      both(")");
      operand = true;
      at++;
    } else if (repeat) {
      if (!operand) throw new PatternError(`has ${repeat[0]} with nothing before it to repeat`);
      checkRepeat(repeat);
      both(repeat[0]);
      operand = false;
      at += repeat[0].length;
      // Whether as much or as little as possible is matched makes no difference here.
      if (text[at] === "?") at++;
    } else {
      if (char === "^" || char === "$" || char === "|") operand = false;
      else if (char === ".") operand = true;
      if ("^$|.".includes(char)) both(char);
      else literal(char);
      at += char.length;
    }
  }
  if (depth > 0) throw new PatternError("has a group that is not closed");
  return { sqlite, postgres, ignoreCase };

  function takeEscape(char: string | undefined): number {
    if (char === undefined) throw new PatternError("ends with a backslash");
    const simple = CLASSES[char.toLowerCase()];
    if (simple !== undefined) {
      both(char === char.toLowerCase() ? `[${simple}]` : `[^${simple}]`);
      operand = true;
    } else if (char === "b") {
      sqlite += "\\b";
      postgres += "\\y";
      operand = false;
    } else if (char === "A" || char === "z") {
      both(char === "A" ? "^" : "$");
      operand = false;
    } else {
      literal(escaped(char));
    }
    return 2;
  }

  function takeClass(rest: string): number {
    let out = "[";
    let n = 1;
    let dash = false;
    if (rest[n] === "^") {
      out += "^";
      n++;
    }
    for (let first = true; first || rest[n] !== "]"; first = false) {
      const char = rest[n];
      if (char === undefined) throw new PatternError("has a [ that is not closed");
      if (char === "[" && rest[n + 1] === ":")
        throw new PatternError("has a class like [:alpha:], which is not supported");
      if (char === "\\") {
        const named = CLASSES[rest[n + 1] ?? ""];
        const plain = named === undefined ? escaped(rest[n + 1] ?? "") : "";
        n += 2;
        if (plain === "-") dash = true;
        else out += named ?? inClass(plain);
        // Nothing ranges from a class; the sign after one is the sign itself.
        if (named !== undefined && rest[n] === "-" && rest[n + 1] !== "]") {
          dash = true;
          n++;
        }
      } else {
        out += char === "-" ? char : inClass(char);
        n++;
      }
    }
    // At the end of a class the sign for a range is the sign itself, for both databases.
    both(`${ignoreCase ? out.toLowerCase() : out}${dash ? "-" : ""}]`);
    operand = true;
    return n + 1;
  }
}

function escaped(char: string): string {
  const control = CONTROLS[char];
  if (control !== undefined) return control;
  if (/[A-Za-z0-9]/.test(char) || char === "") throw new PatternError(`has \\${char}, which is not supported`);
  return char;
}

const inClass = (char: string) => (/[\\\]^[]/.test(char) ? `\\${char}` : char);

function checkRepeat(repeat: RegExpExecArray): void {
  const [, from, more, to] = repeat;
  if (from === undefined) return;
  const low = Number(from);
  const high = more === undefined ? low : to ? Number(to) : low;
  if (low > high || high > MAX_REPEAT)
    throw new PatternError(`has ${repeat[0]}, which is not between 0 and ${MAX_REPEAT}`);
}
