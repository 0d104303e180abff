/** Texts longer than this never reach a pattern. */
export const PATTERN_TEXT_MAX = 512;
/** Repeats without a near end that a pattern may have one after the other: time grows with the text's length to this power. */
const OPEN_REPEATS_MAX = 3;
/** A repeat up to this count is near enough to an end. */
const NEAR = 16;

const compiled = new Map<string, RegExp>();

/** The expression, in Unicode mode as JSON Schema wants it; undefined if it is none. */
export function compilePattern(pattern: string): RegExp | undefined {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  try {
    const made = new RegExp(pattern, "u");
    if (compiled.size > 1000) compiled.clear();
    compiled.set(pattern, made);
    return made;
  } catch {
    return undefined;
  }
}

/**
 * Why a pattern that one person writes and another's values are tried with could keep the server busy for very long, or undefined. JavaScript's
 * expressions go back and try again: a repeated group that itself repeats or branches takes time that doubles with each character.
 */
export function slowPattern(pattern: string): string | undefined {
  const groups = [{ risky: false }];
  let openRepeats = 0;
  let inClass = false;
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at];
    if (char === "\\") {
      if (!inClass && /[1-9k]/.test(pattern[at + 1] ?? "")) return "refers back to a group";
      at++;
    } else if (inClass) inClass = char !== "]";
    else if (char === "[") inClass = true;
    else if (char === "(") groups.push({ risky: false });
    else if (char === "|") groups.at(-1)!.risky = true;
    else if (char === ")") {
      const closed = groups.length > 1 ? groups.pop()! : groups[0]!;
      if (closed.risky && isOpenRepeat(pattern, at + 1)) return "repeats a group that itself repeats or branches";
      if (closed.risky) groups.at(-1)!.risky = true;
    } else if (isOpenRepeat(pattern, at)) {
      groups.at(-1)!.risky = true;
      openRepeats++;
    }
  }
  return openRepeats > OPEN_REPEATS_MAX ? `has more than ${OPEN_REPEATS_MAX} repeats without an end` : undefined;
}

function isOpenRepeat(pattern: string, at: number): boolean {
  if (pattern[at] === "*" || pattern[at] === "+") return true;
  const counted = /^\{(\d+)(,(\d*))?\}/.exec(pattern.slice(at));
  if (counted === null) return false;
  return counted[2] === undefined ? Number(counted[1]) > NEAR : counted[3] === "" || Number(counted[3]) > NEAR;
}
