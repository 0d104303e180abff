import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startDockerEngine } from "../../../test/support/docker.ts";
import { startDockerRegistry } from "../../../test/support/docker-registry.ts";
import { startPackageIndex } from "../../../test/support/package-index.ts";
import { systemClock } from "../../core/clock.ts";
import { buildImage } from "./layer.ts";

it("makes an image on a real base that a Docker engine pulls and runs", { timeout: 120_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "layer-docker-"));
  const [engine, registry, index] = await Promise.all([
    startDockerEngine(),
    startDockerRegistry(),
    startPackageIndex(),
  ]);
  try {
    const base = `${registry.host}/base:python`;
    await engine.makeBaseImage(base);
    await engine.docker(["push", base]);
    const code = join(folder, "code");
    await mkdir(code);
    await writeFile(
      join(code, "main.py"),
      "import os, sys, greeting; greeting.main(); print(os.getcwd(), sys.argv[1:])",
    );
    await writeFile(join(code, "requirements.txt"), `--no-index\n--find-links ${index.url}\ngreeting\n`);
    const { imageUri } = await buildImage({
      source: { directory: code },
      entryPoint: ["python3", "main.py"],
      requirements: "requirements.txt",
      base, // its Python version stands nowhere but in its layers
      platform: process.arch === "arm64" ? "linux/arm64" : "linux/amd64",
      target: {
        endpoint: registry.endpoint,
        repository: "code",
        credentials: async () => undefined,
        publicName: `${registry.host}/code`,
      },
      cacheDir: join(folder, "cache"),
      fetch,
      clock: systemClock,
    });
    const run = ["run", "--rm", "--network", "none"];
    expect(await engine.docker([...run, imageUri, "train"])).toBe(
      "hello from a package\n/opt/slipway/code ['train']\n",
    );
    expect(await engine.docker([...run, "--entrypoint", "python3", imageUri, "/opt/slipway/deps/bin/greet"])).toBe(
      "hello from a package\n",
    );
  } finally {
    await Promise.all([engine.close(), registry.close(), index.close()]);
    await rm(folder, { recursive: true, force: true });
  }
});
