/** A piece of a pattern: text taken as it is, any run of characters, or any one character. */
export type PatternPart = string | typeof ANY_RUN | typeof ANY_ONE;
export const ANY_RUN = Symbol("*");
export const ANY_ONE = Symbol("?");

/** Reads the wildcards `*` and `?` of a text without variables. */
export function patternOf(text: string): PatternPart[] {
  return text
    .split(/([*?])/)
    .filter((part) => part !== "")
    .map((part) => (part === "*" ? ANY_RUN : part === "?" ? ANY_ONE : part));
}

/** Whether a text matches a pattern as a whole. Takes time in proportion to both lengths: a regular expression's could grow without end. */
export function matchesPattern(pattern: readonly PatternPart[], text: string): boolean {
  const tokens: PatternPart[] = pattern.flatMap((part): PatternPart[] =>
    typeof part === "string" ? part.split("") : [part],
  );
  let at = 0;
  let star = -1;
  let resume = 0;
  let position = 0;
  while (position < text.length) {
    if (tokens[at] === ANY_RUN) {
      star = at++;
      resume = position;
    } else if (at < tokens.length && (tokens[at] === ANY_ONE || tokens[at] === text[position])) {
      at++;
      position++;
    } else if (star >= 0) {
      // The last run takes one character more.
      at = star + 1;
      position = ++resume;
    } else return false;
  }
  while (tokens[at] === ANY_RUN) at++;
  return at === tokens.length;
}

/** Whether an action's name (`s3:GetObject`) matches a pattern of a policy (`S3:Get*`): without regard to case. */
export function matchesAction(pattern: string, action: string): boolean {
  return matchesPattern(patternOf(pattern.toLowerCase()), action.toLowerCase());
}
