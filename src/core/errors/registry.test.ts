import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ERRORS, type ErrorEntry } from "./registry.ts";
import { SlipwayError } from "./slipway-error.ts";

/** Every area's file beside the registry. */
const AREAS: readonly Readonly<Record<string, ErrorEntry>>[] = await Promise.all(
  readdirSync(import.meta.dirname)
    .filter((file) => !file.startsWith("registry.") && !file.startsWith("slipway-error."))
    .map(async (file) => Object.values(await import(join(import.meta.dirname, file)))[0] as Record<string, ErrorEntry>),
);
const entries = Object.entries(ERRORS) as [keyof typeof ERRORS, ErrorEntry][];
const root = join(import.meta.dirname, "../../..");

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "errors" || entry.name === "node_modules" ? [] : sources(path);
    return /\.tsx?$/.test(entry.name) && !entry.name.includes(".test.") ? [readFileSync(path, "utf8")] : [];
  });
}

describe("the error registry", () => {
  it("has each code once", () => {
    const codes = AREAS.flatMap((area) => Object.keys(area));
    expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
    expect(codes.sort()).toEqual(entries.map(([code]) => code).sort());
  });

  it.each(entries)("%s is whole", (code, entry) => {
    expect(code).toMatch(/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/);
    expect([1, 2, 3, 4]).toContain(entry.exit);
    expect(entry.status).toBeGreaterThanOrEqual(400);
    expect(entry.status).toBeLessThan(600);
    expect(entry.message).not.toMatch(/\.$/);
    expect(entry.hint).toMatch(/[.:)]$|\w$/);
    expect(entry.hint).not.toBe("");
  });

  it("has no code that nothing uses", () => {
    const text = sources(join(root, "src")).join("\n");
    expect(entries.map(([code]) => code).filter((code) => !new RegExp(`\\b${code}\\b`).test(text))).toEqual([]);
  });

  it("is documented", () => {
    const page = readFileSync(join(root, "docs/reference/errors.md"), "utf8");
    expect(entries.map(([code]) => code).filter((code) => !page.includes(`| \`${code}\` |`))).toEqual([]);
  });
});

describe("SlipwayError", () => {
  it("fills the places of message and hint, and keeps what is not given", () => {
    const error = new SlipwayError("TRAINING_JOB_NAME_TAKEN", {
      values: { name: "abc" },
      where: "TrainingJobName",
      cause: new Error("x"),
    });
    expect(error.message).toContain("abc");
    expect(error.hint).toContain("${run_id}");
    expect(error).toMatchObject({
      code: "TRAINING_JOB_NAME_TAKEN",
      status: 409,
      exitCode: 1,
      where: "TrainingJobName",
      problems: [],
    });
    expect(new SlipwayError("TRAINING_JOB_NAME_TAKEN").message).toContain("{name}");
  });
});
