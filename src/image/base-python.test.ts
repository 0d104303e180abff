import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { describe, expect, it } from "vitest";
import { libcIn, listLayer, pythonIn } from "./base-python.ts";
import { DEFAULT_LIBC } from "./python-target.ts";

describe("pythonIn", () => {
  it.each([
    [["usr/local/bin/python3.11"], "3.11"],
    [["usr/bin/python3", "usr/bin/python3.9"], "3.9"],
    [["opt/conda/bin/python3.12"], "3.12"],
    [["usr/bin/python3", "usr/lib/python3.11/os.py"], "3.11"],
    [["usr/lib/python3/dist-packages/os.py", "home/me/bin/python3.8", "usr/bin/python3.11-config"], undefined],
  ])("%j: %s", (paths, version) => {
    expect(pythonIn(paths)).toBe(version);
  });
});

describe("libcIn", () => {
  it("tells Alpine, an old glibc by its file name, a new one by its library, and else takes the default", () => {
    expect(libcIn(["etc/os-release", "lib/ld-musl-x86_64.so.1"])).toEqual({ kind: "musl" });
    expect(libcIn(["lib/x86_64-linux-gnu/libc-2.31.so"])).toEqual({ kind: "glibc", minor: 31 });
    expect(libcIn(["usr/lib64/libc.so.6"])).toEqual({ kind: "glibc", minor: 34 });
    expect(libcIn(["bin/sh"])).toEqual(DEFAULT_LIBC);
  });
});

describe("listLayer", () => {
  it("reads a layer by its media type", async () => {
    const folder = await mkdtemp(join(tmpdir(), "base-python-"));
    try {
      const archive = pack();
      archive.entry({ name: "./usr/bin/python3.12" }, Buffer.alloc(300_000, "x"));
      archive.entry({ name: "lib/libc.so.6", type: "link", linkname: "lib/libc-2.31.so" });
      archive.entry({ name: "lib/libc-2.31.so" }, "x");
      archive.finalize();
      const plain = await buffer(archive);
      const zstd = execFileSync("zstd", ["-q", "-c"], { input: plain });
      const oci = "application/vnd.oci.image.layer.v1.tar";
      const forms: [string, Buffer][] = [
        [oci, plain],
        [`${oci}+gzip`, gzipSync(plain)],
        [`${oci}+zstd`, zstd],
        ["application/vnd.docker.image.rootfs.diff.tar.gzip", gzipSync(plain)],
      ];
      for (const [mediaType, content] of forms) {
        const file = join(folder, "layer");
        await writeFile(file, content);
        expect(await listLayer(file, { mediaType }), mediaType).toEqual([
          "usr/bin/python3.12",
          "lib/libc-2.31.so",
          "lib/libc.so.6",
        ]);
      }
      expect(await listLayer(join(folder, "layer"), { mediaType: "application/x-other" })).toEqual([]);
      await writeFile(join(folder, "cut"), zstd.subarray(0, 40));
      await expect(listLayer(join(folder, "cut"), { mediaType: `${oci}+zstd` })).rejects.toThrow();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
