import { lstat, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { type Header, pack } from "tar-stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { linkStaysInside } from "./links.ts";
import { unpackArchive } from "./unpack.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "unpack-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function archive(entries: readonly (Partial<Header> & { name: string; data?: string })[]): Promise<string> {
  const tar = pack();
  for (const { data, ...header } of entries) tar.entry(header, data ?? "");
  tar.finalize();
  const path = join(folder, "archive.tar.gz");
  await writeFile(path, gzipSync(await buffer(tar as unknown as AsyncIterable<Buffer>)));
  return path;
}

describe("unpackArchive", () => {
  it.each<[string, (Partial<Header> & { name: string; data?: string })[], string]>([
    ["a path that leads out", [{ name: "../evil", data: "x" }], "leads out"],
    ["a path that leads out from inside", [{ name: "a/../../evil", data: "x" }], "leads out"],
    ["an absolute path", [{ name: "/evil", data: "x" }], "absolute"],
    ["a link that leads out", [{ name: "l", type: "symlink", linkname: "../evil" }], "link that leads out"],
    ["an absolute link", [{ name: "l", type: "symlink", linkname: "/etc" }], "link that leads out"],
    [
      "a link that leads out through another",
      [
        { name: "a/b/up", type: "symlink", linkname: "../.." },
        { name: "l", type: "symlink", linkname: "a/b/up/../evil" },
      ],
      "link that leads out",
    ],
    [
      "a file below a link",
      [
        { name: "l", type: "symlink", linkname: "other" },
        { name: "l/evil", data: "x" },
      ],
      "below a file or a link",
    ],
    [
      "a link in the place of a directory",
      [
        { name: "d/file", data: "x" },
        { name: "d", type: "symlink", linkname: "e" },
      ],
      "there twice",
    ],
    ["a hard link", [{ name: "h", type: "link", linkname: "/etc/passwd" }], "is a link"],
    ["a device", [{ name: "d", type: "character-device" }], "is a character-device"],
  ])("refuses %s", async (_, entries, problem) => {
    const out = join(folder, "out");
    await expect(unpackArchive(await archive(entries), out)).rejects.toMatchObject({
      code: "ARCHIVE_UNSAFE",
      message: expect.stringContaining(problem),
    });
    expect(await readdir(folder)).not.toContain("evil");
  });

  it("stops at the limits, whatever the compressed size", async () => {
    const bomb = await archive([{ name: "zeros", data: "\0".repeat(5_000_000) }]);
    await expect(unpackArchive(bomb, join(folder, "out"), { limitBytes: 1_000_000 })).rejects.toMatchObject({
      code: "ARCHIVE_TOO_LARGE",
    });
    const many = await archive(Array.from({ length: 50 }, (_, n) => ({ name: `f${n}`, data: "x" })));
    await expect(unpackArchive(many, join(folder, "out2"), { limitEntries: 20 })).rejects.toMatchObject({
      code: "ARCHIVE_TOO_LARGE",
    });
  });

  it("tells a damaged archive", async () => {
    const good = await readFile(await archive([{ name: "a", data: "x".repeat(10_000) }]));
    for (const bad of [good.subarray(0, good.length - 12), Buffer.from("not an archive"), gzipSync("x".repeat(600))]) {
      await writeFile(join(folder, "bad"), bad);
      await expect(unpackArchive(join(folder, "bad"), join(folder, "out"))).rejects.toMatchObject({
        code: "ARCHIVE_CORRUPT",
      });
      await rm(join(folder, "out"), { recursive: true, force: true });
    }
  });

  it("drops special mode bits and owners", async () => {
    await unpackArchive(await archive([{ name: "s", mode: 0o6755, uid: 1234, data: "x" }]), join(folder, "out"));
    const stats = await lstat(join(folder, "out", "s"));
    expect(stats.mode & 0o7000).toBe(0);
    expect(stats.mode & 0o111).not.toBe(0);
    expect(stats.uid).toBe(process.getuid?.());
  });
});

describe("linkStaysInside", () => {
  it("never lets a chain of accepted links leave the tree", () => {
    const segment = fc.constantFrom("a", "b", "..", ".");
    const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/"));
    const link = fc.tuple(fc.array(fc.constantFrom("a", "b"), { maxLength: 3 }), fc.constantFrom("p", "q"));
    fc.assert(
      fc.property(fc.array(fc.tuple(link, path), { maxLength: 5 }), path, (links, wanted) => {
        const targets = new Map<string, string>();
        for (const [[directories, name], target] of links) {
          const at = [...directories, name].join("/");
          if (linkStaysInside(at, target)) targets.set(at, target);
        }
        targets.set("start", linkStaysInside("start", wanted) ? wanted : "a");
        // Follow the links as a kernel does; the depth must never fall below the root's.
        let here: string[] = [];
        const rest = ["start", "p", "q"];
        for (let steps = 0; rest.length > 0 && steps < 200; steps += 1) {
          const next = rest.shift() as string;
          if (next === "." || next === "") continue;
          if (next === "..") {
            expect(here.length).toBeGreaterThan(0);
            here = here.slice(0, -1);
            continue;
          }
          const target = targets.get([...here, next].join("/"));
          if (target === undefined) here = [...here, next];
          else rest.unshift(...target.split("/"));
        }
      }),
    );
  });
});
