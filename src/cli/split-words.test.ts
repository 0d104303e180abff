import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitWords } from "./split-words.ts";

describe("splitWords", () => {
  it.each([
    ["python3 train.py", ["python3", "train.py"]],
    [`python3 "my script.py" --x='a b' ""`, ["python3", "my script.py", "--x=a b", ""]],
    [String.raw`a\ b "c\"d" 'e\f'`, ["a b", 'c"d', String.raw`e\f`]],
    ["echo $HOME | cat * ; rm", ["echo", "$HOME", "|", "cat", "*", ";", "rm"]],
  ])("%s", (text, words) => expect(splitWords(text, "--entry-point")).toEqual(words));

  it("gives back whatever was quoted", () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), (words) => {
        const text = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
        expect(splitWords(text, "x")).toEqual(words);
      }),
    );
  });

  it("refuses an open quote and an empty command", () => {
    expect(() => splitWords("python3 'train.py", "--entry-point")).toThrow(/not closed/);
    expect(() => splitWords("  ", "--entry-point")).toThrow(/empty/);
  });
});
