import { describe, expect, it } from "vitest";
import { pipArguments, wasSkipped } from "./install-packages.ts";
import { imagePython } from "./python-target.ts";

describe("wasSkipped", () => {
  // Lines of pip 23.2's log.
  const log = [
    "2026-11-25T01:39:06,279   Skipping link: No sources permitted for pyspark: https://files.example/c3/pyspark-4.2.0.tar.gz#sha256=ab (from https://pypi.org/simple/pyspark/) (requires-python:>=3.10)",
    "2026-11-25T01:39:08,718   Skipping link: none of the wheel's tags (cp26-cp26m-manylinux1_x86_64) are compatible (run pip debug --verbose to show compatible tags): https://files.example/ac/my_lib-1.10-cp26-cp26m-manylinux1_x86_64.whl (from https://pypi.org/simple/my-lib/)",
    "2026-11-25T01:39:06,280 Skipping link: wrong project name (not pyspark): file:///opt/wheels/torch-2.13.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl",
  ].join("\n");

  it.each([
    ["pyspark", true],
    ["pyspark==4.2.0", true],
    ["pyspark>=4", true],
    ["pyspark==4.2", true],
    ["pyspark==5.0.0", false],
    ["My.Lib==1.10", true],
    ["my-lib[extra]==1.10", true],
    ["my-lib==1.1", false],
    ["my", false],
    ["torch==2.13.0", false],
  ])("%s: %s", (wanted, skipped) => {
    expect(wasSkipped(log, wanted)).toBe(skipped);
  });
});

describe("pipArguments", () => {
  const at = { into: "/into", requirements: "requirements.txt" };

  it("asks for wheels of the image's Python and C library, never for sources", () => {
    const target = imagePython("3.11", { os: "linux", architecture: "amd64" }, { kind: "glibc", minor: 17 });
    const args = pipArguments({ ...at, target });
    expect(args).toContain("--only-binary=:all:");
    expect(args.slice(args.indexOf("--python-version"), args.indexOf("--python-version") + 2)).toEqual([
      "--python-version",
      "3.11",
    ]);
    expect(args.filter((arg) => arg.startsWith("manylinux")).slice(0, 2)).toEqual([
      "manylinux_2_17_x86_64",
      "manylinux2014_x86_64",
    ]);
    expect(args.at(-1)).toBe("requirements.txt");
  });

  it("knows the tags of Alpine and of ARM", () => {
    const musl = imagePython("3.12", { os: "linux", architecture: "arm64" }, { kind: "musl" });
    expect(musl.tags).toEqual(["musllinux_1_2_aarch64", "musllinux_1_1_aarch64", "linux_aarch64"]);
    expect(musl.uvPlatform).toBe("aarch64-unknown-linux-musl");
    const glibc = imagePython("3.12", { os: "linux", architecture: "arm64" }, { kind: "glibc", minor: 28 });
    expect(glibc.tags.at(0)).toBe("manylinux_2_28_aarch64");
    expect(glibc.tags.at(-3)).toBe("manylinux_2_17_aarch64");
    expect(glibc.uvPlatform).toBe("aarch64-manylinux_2_28");
  });
});
