import { SlipwayError } from "../core/errors/slipway-error.ts";

/**
 * Splits a command into words as a POSIX shell would quote them ('...', "...", backslash), and does nothing else that a
 * shell does: no variables, no globs, no pipes. @throws USAGE for an open quote or no word at all
 */
export function splitWords(text: string, where: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let place = 0; place < text.length; place++) {
    const letter = text[place] as string;
    if (letter === "\\" && quote !== "'" && place + 1 < text.length) {
      word = (word ?? "") + text[++place];
    } else if (quote !== "") {
      if (letter === quote) quote = "";
      else word = (word ?? "") + letter;
    } else if (letter === "'" || letter === '"') {
      quote = letter;
      word ??= "";
    } else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + letter;
    }
  }
  if (quote !== "")
    throw new SlipwayError("USAGE", { values: { problem: `a quote (${quote}) is not closed in: ${text}` }, where });
  if (word !== undefined) words.push(word);
  if (words.length === 0) throw new SlipwayError("USAGE", { values: { problem: `${where} is empty` }, where });
  return words;
}
