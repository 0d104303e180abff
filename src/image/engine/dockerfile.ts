/** One instruction of a Dockerfile, its continued lines joined. */
export interface Instruction {
  /** In capitals: `RUN`. */
  readonly keyword: string;
  /** What follows, on one line. */
  readonly rest: string;
  /** Of its first line, counted from 1. */
  readonly line: number;
}

/**
 * The instructions of a Dockerfile, as far as telling where each stands and which images it names
 * (https://docs.docker.com/reference/dockerfile/#format). Never fails: the engine is the judge of a Dockerfile.
 */
export function readDockerfile(text: string): Instruction[] {
  const lines = text.split(/\r?\n/);
  const joint = /^#\s*escape\s*=\s*`/im.test(lines.slice(0, 5).join("\n")) ? "`" : "\\";
  const found: Instruction[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    if (/^\s*(#|$)/.test(lines[at]!)) continue;
    const line = at + 1;
    let joined = lines[at]!.trim();
    while (joined.endsWith(joint) && at + 1 < lines.length) {
      at += 1;
      // Comments and empty lines between continued ones are no part of them.
      if (/^\s*(#|$)/.test(lines[at]!)) continue;
      joined = `${joined.slice(0, -1).trimEnd()} ${lines[at]!.trim()}`;
    }
    const [, keyword = "", rest = ""] = /^(\S+)\s*(.*)$/s.exec(joined) ?? [];
    found.push({ keyword: keyword.toUpperCase(), rest: joined.endsWith(joint) ? rest.slice(0, -1) : rest, line });
    if (!/^(RUN|COPY|ADD)$/i.test(keyword)) continue;
    for (const [, dash, , word] of rest.matchAll(/<<(-?)(["']?)(\w+)\2/g)) {
      const isEnd = (one: string) => (dash ? one.replace(/^\t+/, "") : one) === word;
      while (at + 1 < lines.length && !isEnd(lines[at + 1]!)) at += 1;
      at += 1;
    }
  }
  return found;
}

/** The images that a Dockerfile builds on or copies from, as they are written, its ARG defaults filled in; stages are none. */
export function imagesOf(instructions: readonly Instruction[]): string[] {
  const values = new Map<string, string>();
  const stages = new Set<string>();
  const images = new Set<string>();
  const fill = (text: string) =>
    text.replace(/\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))/g, (_, braced: string, otherwise: string, bare: string) => {
      return values.get(braced ?? bare) ?? otherwise ?? "";
    });
  const add = (written: string) => {
    const image = fill(written);
    if (image !== "" && image !== "scratch" && !stages.has(image.toLowerCase()) && !/^\d+$/.test(image))
      images.add(image);
  };
  let beforeFirst = true;
  for (const { keyword, rest } of instructions) {
    if (keyword === "ARG" && beforeFirst) {
      for (const word of rest.split(/\s+/)) {
        const [, name, doubled, single, bare] = /^(\w+)=(?:"(.*)"|'(.*)'|(.*))$/.exec(word) ?? [];
        if (name !== undefined) values.set(name, doubled ?? single ?? bare ?? "");
      }
    } else if (keyword === "FROM") {
      beforeFirst = false;
      const [image = "", as, name] = rest.split(/\s+/).filter((word) => !word.startsWith("--"));
      add(image);
      if (as?.toUpperCase() === "AS" && name !== undefined) stages.add(name.toLowerCase());
    } else if (keyword === "COPY" || keyword === "RUN") {
      const [flags = ""] = /^(?:--\S+\s+)*/.exec(rest) ?? [];
      for (const [, image = ""] of flags.matchAll(/(?:--|,)from=([^\s,]+)/g)) add(image);
    }
  }
  return [...images];
}

/** The line of the instruction that a builder calls by this text (`RUN make`), or by its place (`Step 3/7`). */
export function lineOfStep(
  instructions: readonly Instruction[],
  step: { readonly text: string } | { readonly number: number },
): number | undefined {
  if ("number" in step) return instructions[step.number - 1]?.line;
  const plain = (text: string) => text.replace(/\s+/g, " ").trim();
  const wanted = plain(step.text);
  const named = (one: Instruction) => plain(`${one.keyword} ${one.rest}`);
  const exact = instructions.find((one) => named(one) === wanted);
  if (exact !== undefined) return exact.line;
  // Variables are filled in, in some builders: the only instruction of its kind that begins alike.
  const alike = instructions.filter(
    (one) => wanted.startsWith(`${one.keyword} `) && named(one).slice(0, 12) === wanted.slice(0, 12),
  );
  return alike.length === 1 ? alike[0]!.line : undefined;
}
