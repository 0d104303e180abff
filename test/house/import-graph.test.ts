import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const source = resolve(import.meta.dirname, "../../src");

/** Which parts a part may import; itself always. ARCHITECTURE.md draws the same picture. */
const mayImport: Record<string, readonly string[]> = {
  core: [],
  store: ["core"],
  server: ["core", "store"],
  client: ["core"],
  containers: [],
  image: ["core", "containers"],
  sagemaker: ["core"],
  agent: ["core", "client", "image", "sagemaker"],
  "local-aws": ["core", "containers"],
  cli: ["core", "store", "server", "client", "image", "sagemaker", "agent", "local-aws"],
};

/** Of core, the local AWS may use only this: it must not share the control plane's ideas, or it would share its mistakes. How policies are
 * evaluated is compared with an independent simulator (core/iam/oracle.test.ts). */
const coreOfLocalAws = /^(errors\/|clock\.ts$|json\.ts$|sagemaker-model\/|iam\/)/;

/** Parts that run in a browser too. */
const withoutNode = ["core", "client"];

interface Import {
  readonly file: string;
  readonly from: string;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, "utf8");
  const places = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\b[^;"']*?from\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)|(?:^|\n)import\s+["']([^"']+)["']/g,
  );
  return [...places].map((place) => ({ file: relative(source, file), from: place[1] ?? place[2] ?? place[3] ?? "" }));
}

const partOf = (path: string) => path.split("/")[0] ?? "";
const isTest = (path: string) => path.endsWith(".test.ts") || path.includes("/testing/");
const all = sourceFiles(source).flatMap(importsOf);
const own = all
  .filter((one) => one.from.startsWith("."))
  .map((one) => ({ ...one, to: relative(source, resolve(source, dirname(one.file), one.from)) }));

describe("the borders between the parts", () => {
  it("sees imports at all", () => expect(own.length).toBeGreaterThan(50));

  it("knows every folder of src/", () => {
    expect([...new Set(all.map((one) => partOf(one.file)))].filter((part) => !(part in mayImport))).toEqual([]);
  });

  it("lets a part import only what ARCHITECTURE.md allows", () => {
    const crossings = own.filter(({ file, to }) => {
      if (isTest(file)) return false;
      const [from, into] = [partOf(file), partOf(to)];
      return from !== into && !mayImport[from]?.includes(into);
    });
    expect(crossings.map(({ file, to }) => `${file} -> ${to}`)).toEqual([]);
  });

  it("lets the local AWS use only errors, clock, JSON types, IAM policies and the service model of core", () => {
    const crossings = own.filter(
      ({ file, to }) =>
        partOf(file) === "local-aws" &&
        !isTest(file) &&
        partOf(to) === "core" &&
        !coreOfLocalAws.test(to.slice("core/".length)),
    );
    expect(crossings.map(({ file, to }) => `${file} -> ${to}`)).toEqual([]);
  });

  it.each(withoutNode)("keeps node:* out of src/%s", (part) => {
    const crossings = all.filter(
      (one) => partOf(one.file) === part && !isTest(one.file) && one.from.startsWith("node:"),
    );
    expect(crossings.map(({ file, from }) => `${file} -> ${from}`)).toEqual([]);
  });

  it("reads process.env in config.ts files only", () => {
    const readers = sourceFiles(source)
      .filter((file) => !isTest(file) && !file.endsWith("/config.ts"))
      .filter((file) => /\bprocess\.env\b/.test(readFileSync(file, "utf8")));
    expect(readers.map((file) => relative(source, file))).toEqual([]);
  });
});
