import { mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { type Header, pack } from "tar-stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { unpackLayers } from "./unpack.ts";

let folder: string;
let root: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "unpack-test-"));
  root = path.join(folder, "rootfs");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

type Entry = Partial<Header> & { readonly name: string; readonly content?: string };

const file = (name: string, content = name, more: Partial<Header> = {}): Entry => ({ name, content, ...more });
const directory = (name: string, more: Partial<Header> = {}): Entry => ({ name, type: "directory", ...more });
const link = (name: string, linkname: string): Entry => ({ name, type: "symlink", linkname });

async function layer(entries: readonly Entry[], compress = true): Promise<{ path: string }> {
  const archive = pack();
  for (const { content, ...header } of entries) archive.entry(header, content ?? "");
  archive.finalize();
  const tar = await buffer(archive);
  const target = path.join(folder, `layer-${(await readdir(folder)).length}`);
  await writeFile(target, compress ? gzipSync(tar) : tar);
  return { path: target };
}

/** Every path under the root with its content, directories with a slash. */
async function tree(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const full = path.join(entry.parentPath, entry.name);
    const name = path.relative(root, full);
    if (entry.isDirectory()) found[`${name}/`] = "";
    else if (entry.isSymbolicLink()) found[name] = `-> ${await readlink(full)}`;
    else found[name] = await readFile(full, "utf8");
  }
  return found;
}

test("layers lie over each other, gzipped or not; a file takes a directory's place and the other way round", async () => {
  await unpackLayers(
    [
      await layer([file("./etc/name", "lower"), file("a/deep/file"), file("b")]),
      await layer(
        [file("etc/name", "upper"), file("a", "now a file"), directory("b"), file("b/now", "a directory")],
        false,
      ),
    ],
    root,
  );
  expect(await tree()).toEqual({
    "etc/": "",
    "etc/name": "upper",
    a: "now a file",
    "b/": "",
    "b/now": "a directory",
  });
});

test("whiteouts take lower layers' files away, opaque ones a directory's whole lower content", async () => {
  await unpackLayers(
    [
      await layer([file("keep"), file("gone"), file("tree/one"), file("opaque/old"), file("opaque/sub/old")]),
      await layer([
        file(".wh.gone", ""),
        file(".wh.tree", ""),
        // The specification lets the marker come after the layer's own files.
        file("opaque/new"),
        file("opaque/sub/new"),
        file("opaque/.wh..wh..opq", ""),
        file(".wh.never-there", ""),
      ]),
    ],
    root,
  );
  expect(await tree()).toEqual({
    keep: "keep",
    "opaque/": "",
    "opaque/new": "opaque/new",
    "opaque/sub/": "",
    "opaque/sub/new": "opaque/sub/new",
  });
});

test("a hard link is the same file, also across layers", async () => {
  await unpackLayers(
    [
      await layer([file("bin/tool"), { name: "bin/same", type: "link", linkname: "bin/tool" }]),
      await layer([{ name: "usr/other", type: "link", linkname: "/bin/tool" }]),
    ],
    root,
  );
  const inodes = await Promise.all(["bin/tool", "bin/same", "usr/other"].map((name) => stat(path.join(root, name))));
  expect(new Set(inodes.map(({ ino }) => ino)).size).toBe(1);
});

test("no entry gets out of the root: dots, absolute names, links to outside, links on the way", async () => {
  await writeFile(path.join(folder, "outside"), "untouched");
  await unpackLayers(
    [
      await layer([
        file("../../outside", "dots"),
        file("/absolute", "inside"),
        link("away", "../../.."),
        file("away/through-link", "inside"),
        link("slash", "/"),
        file("slash/through-root", "inside"),
        link("replaced", path.join(folder, "outside")),
        file("replaced", "a file of its own"),
        link("round", "round"),
      ]),
      await layer([file("away/.wh.through-link", "")]),
    ],
    root,
  );
  expect(await readFile(path.join(folder, "outside"), "utf8")).toBe("untouched");
  expect(await tree()).toEqual({
    outside: "dots",
    absolute: "inside",
    away: "-> ../../..",
    slash: "-> /",
    "through-root": "inside",
    replaced: "a file of its own",
    round: "-> round",
  });
});

test("a whiteout of the directory itself and a path through a file or a ring of links are refused", async () => {
  const refused = async (entries: readonly Entry[]) => {
    await rm(root, { recursive: true, force: true });
    return unpackLayers([await layer(entries)], root);
  };
  await expect(refused([file("a/.wh...", "")])).rejects.toThrow("Whiteout of '..'");
  await expect(refused([file("a"), file("a/b/c")])).rejects.toThrow("leads through a file");
  await expect(refused([link("round", "round"), file("round/a")])).rejects.toThrow("Too many symbolic links");
});

test("modes and times are the entries' own; a read-only directory takes its files first", async () => {
  const mtime = new Date("2020-01-02T03:04:05Z");
  await unpackLayers(
    [
      await layer([
        directory("ro", { mode: 0o555, mtime }),
        file("ro/tool", "x", { mode: 0o4755, mtime }),
        directory("ro/sub", { mode: 0o700 }),
      ]),
      await layer([file("ro/later", "y", { mode: 0o600 })]),
    ],
    root,
  );
  const of = async (name: string) => stat(path.join(root, name));
  expect((await of("ro")).mode & 0o7777).toBe(0o555);
  expect((await of("ro")).mtime).toEqual(mtime);
  expect((await of("ro/tool")).mode & 0o7777).toBe(0o4755);
  expect((await of("ro/later")).mode & 0o7777).toBe(0o600);
});

test("a damaged layer is an error, not half a file system", async () => {
  const good = await layer([file("a", "x".repeat(100_000))]);
  const cut = path.join(folder, "cut");
  await writeFile(cut, (await readFile(good.path)).subarray(0, 80));
  await expect(unpackLayers([{ path: cut }], root)).rejects.toThrow();
});
