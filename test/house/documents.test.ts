import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(join(root, file), "utf8");

describe("the documents", () => {
  it("name files of the way of one job that exist", () => {
    const named = [...read("ARCHITECTURE.md").matchAll(/`((?:src|test)\/[\w./-]+\.ts|schema\.graphql)`/g)].map(
      (match) => match[1] as string,
    );
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  it.each([
    "README.md",
    "CONTRIBUTING.md",
    "docs/guide/aws-access.md",
    "docs/guide/first-queue.md",
    "docs/guide/images.md",
    "docs/guide/jobs.md",
    "docs/guide/local-aws.md",
    "docs/guide/sweeps.md",
    "docs/guide/wandb-client.md",
  ])("%s links to files that exist", (file) => {
    const links = [...read(file).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1] as string);
    expect(links.filter((link) => !existsSync(resolve(join(root, dirname(file)), link)))).toEqual([]);
  });

  it("name only scripts that package.json has", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const named = ["README.md", "CONTRIBUTING.md"].flatMap((file) => [
      ...read(file).matchAll(/npm (?:run )?([a-z]+)/g),
    ]);
    const known = new Set([...Object.keys(scripts), "ci"]);
    expect(named.map((match) => match[1] as string).filter((script) => script !== "run" && !known.has(script))).toEqual(
      [],
    );
  });
});
