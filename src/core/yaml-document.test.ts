import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readYaml } from "./yaml-document.ts";

const text = `# settings
a: 1
list:
  - x: 1
  - x: 2
base: &base { region: us-east-1 }
other:
  <<: *base
  y: 3
same: *base
`;

describe("readYaml", () => {
  const document = readYaml(text);

  it("reads anchors and merges", () => {
    expect(document.problems).toEqual([]);
    expect(document.value).toMatchObject({ other: { region: "us-east-1", y: 3 }, same: { region: "us-east-1" } });
  });

  it.each<[(string | number)[], string | undefined, number, number]>([
    [["a"], undefined, 2, 4],
    [[], "list", 3, 1],
    [["list", 1, "x"], undefined, 5, 8],
    [["list", 1], "x", 5, 5],
    [["base", "region"], undefined, 6, 23],
    [["same", "region"], undefined, 6, 23],
    [["other", "y"], undefined, 9, 6],
    [["other", "nowhere"], undefined, 8, 3],
    [["nowhere", "deep"], undefined, 2, 1],
  ])("%j %s stands at %i:%i", (path, key, line, column) =>
    expect(document.positionOf(path, key)).toEqual({ line, column }),
  );

  it("reads JSON, with places", () => {
    const json = readYaml('{\n  "a": {"b": [1, 2]}\n}');
    expect(json.value).toEqual({ a: { b: [1, 2] } });
    expect(json.positionOf(["a", "b", 1])).toEqual({ line: 2, column: 18 });
  });

  it("stops aliases that multiply", () => {
    const bomb = [
      "a0: &a0 [x, x, x, x, x, x, x, x, x, x]",
      ...Array.from({ length: 8 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(", ")}]`),
    ].join("\n");
    expect(readYaml(bomb).problems).toHaveLength(1);
  });

  it("never throws", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("a", ":", " ", "\n", "-", "[", "{", "&", "*", "<", "\t", '"', "#", "!") }),
        (any) => {
          const read = readYaml(any);
          for (const problem of read.problems) expect(problem.line).toBeGreaterThan(0);
          expect(read.positionOf(["a", 0, "b"]).line).toBeGreaterThan(0);
        },
      ),
      { numRuns: 500 },
    );
  });
});
