import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import type { Problem } from "./errors/slipway-error.ts";

/** A YAML (or JSON) text and the place of everything in it. */
export interface YamlDocument {
  /** The document as plain values; undefined if it could not be read. */
  readonly value: unknown;
  /** Syntax errors, duplicate keys, tabs. */
  readonly problems: readonly Problem[];
  /**
   * Where the value at `path` stands, counted from 1; the nearest place around it if it is not in the text. With `key` it is the
   * place of that key inside the object at `path`.
   */
  positionOf(path: readonly PropertyKey[], key?: string): { readonly line: number; readonly column: number };
}

/** What the parser calls its errors, for people. */
const SYNTAX: Readonly<Record<string, { message: string; hint: string }>> = {
  TAB_AS_INDENT: { message: "A tab cannot indent YAML", hint: "Indent with spaces." },
  DUPLICATE_KEY: { message: "The key is written twice", hint: "Keep one of them." },
  BAD_INDENT: { message: "The indentation does not fit", hint: "Give all keys of a block the same indentation." },
  MULTIPLE_DOCS: {
    message: "The file holds more than one YAML document",
    hint: "Remove everything from the second --- on.",
  },
};

/** Reads YAML 1.2, of which JSON is a part, with `<<` merges as PyYAML takes them. Never throws. */
export function readYaml(text: string): YamlDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, merge: true });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const problems: Problem[] = document.errors.map((error) => {
    // An open bracket is reported as an indentation too; the parser's own sentence is the better one then.
    const known = error.message.startsWith("Flow") ? undefined : SYNTAX[error.code];
    const message = known?.message ?? firstSentence(error.message);
    return { path: "", message, ...(known ? { hint: known.hint } : {}), ...place(error.pos[0]) };
  });
  let value: unknown;
  if (problems.length === 0) {
    try {
      value = document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      problems.push({
        path: "",
        message: firstSentence(error instanceof Error ? error.message : String(error)),
        line: 1,
        column: 1,
      });
    }
  }
  return {
    value,
    problems,
    positionOf(path, key) {
      let node: Node | null = document.contents;
      let offset = node?.range?.[0] ?? 0;
      const steps = key === undefined ? path : [...path, key];
      for (const [index, step] of steps.entries()) {
        if (isAlias(node)) node = node.resolve(document) ?? null;
        if (isMap(node)) {
          const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
          if (pair === undefined) break;
          const keyOffset = isScalar(pair.key) ? pair.key.range?.[0] : undefined;
          node = pair.value as Node | null;
          const asKey = key !== undefined && index === steps.length - 1;
          offset = (asKey ? keyOffset : (node?.range?.[0] ?? keyOffset)) ?? offset;
        } else if (isSeq(node)) {
          node = (node.items[Number(step)] as Node | undefined) ?? null;
          offset = node?.range?.[0] ?? offset;
        } else break;
      }
      return place(offset);
    },
  };
}

function firstSentence(text: string): string {
  return text.split("\n")[0]!.replace(/[.:]+$/, "");
}
