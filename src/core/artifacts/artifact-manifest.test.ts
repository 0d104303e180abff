import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { digestText, type ManifestFile, manifestText } from "./artifact-manifest.ts";

const md5 = (text: string, as: "hex" | "base64") => createHash("md5").update(text).digest(as);
const file = (path: string, content: string): ManifestFile => ({
  path,
  size: Buffer.byteLength(content),
  md5: md5(content, "base64"),
});

// The digests are those that `Artifact.digest` of wandb 0.31.0 gave for these files.
test.each<[string, string, ManifestFile[]]>([
  ["no file", "64e7c61456b10382e2f3b571ac24b659", []],
  ["one file", "34388011832163fc55b5184b839addce", [file("train.py", "print('hi')\n")]],
  [
    "paths that code points and UTF-16 units order differently, and an empty file",
    "8577fb228b855fb615559418d3973763",
    [
      file("b.txt", "b"),
      file("a/é.txt", ""),
      file("a.txt", "a"),
      file("\u{1F600}.txt", "x"),
      file("\uFF21.txt", "y"),
      file("A.txt", "z"),
    ],
  ],
])("the digest of %s is the wandb client's", (_name, digest, files) => {
  expect(md5(digestText(files), "hex")).toBe(digest);
});

test("paths are in the order of their UTF-8 bytes, whatever order the files come in", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1 }), { maxLength: 12 }), (paths) => {
      const lines = digestText(paths.map((path) => ({ path, size: 0, md5: "" })));
      const sorted = paths.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(lines).toBe(`wandb-artifact-manifest-v1\n${sorted.map((path) => `${path}:\n`).join("")}`);
    }),
  );
});

test("the manifest names each file's digest and size", () => {
  expect(JSON.parse(manifestText([file("train.py", "print('hi')\n")]))).toEqual({
    version: 1,
    storagePolicy: "wandb-storage-policy-v1",
    storagePolicyConfig: { storageLayout: "V2" },
    contents: { "train.py": { digest: "WH3nZSkoTQ2vjrArFLEHEg==", size: 12 } },
  });
});
