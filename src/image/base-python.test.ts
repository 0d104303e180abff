import { describe, expect, it } from "vitest";
import { libcIn, pythonIn } from "./base-python.ts";
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
