import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DockerEngine, startDockerEngine } from "../../../test/support/docker.ts";
import { type DockerRegistry, startDockerRegistry } from "../../../test/support/docker-registry.ts";
import { type OldEngine, startOldEngine } from "../../../test/support/old-engine.ts";
import { type PackageIndex, startPackageIndex } from "../../../test/support/package-index.ts";
import { systemClock } from "../../core/clock.ts";
import type { BuildProgress, BuildRequest, DockerBuilderSettings } from "./builder.ts";
import { createDockerBuilder } from "./docker.ts";
import { buildImage as buildLayers } from "./layer.ts";

const platform = process.arch === "arm64" ? "linux/arm64" : "linux/amd64";
let folder: string;
let engine: DockerEngine;
let registry: DockerRegistry;
let index: PackageIndex;
let base: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "builder-docker-"));
  [engine, registry, index] = await Promise.all([startDockerEngine(), startDockerRegistry(), startPackageIndex()]);
  await engine.makeBaseImage("plain:1");
  // With pip, as the official Python images have it.
  const pip = (
    await promisify(execFile)("/usr/bin/python3", ["-c", "import pip; print(pip.__path__[0])"])
  ).stdout.trim();
  await cp(pip, join(folder, "context/pip"), { recursive: true });
  await writeFile(join(folder, "context/Dockerfile"), `FROM plain:1\nCOPY pip ${pip}\nENV PYTHONPATH=/before\n`);
  base = `${registry.host}/base:pip`;
  await engine.docker(["build", "-q", "-t", base, join(folder, "context")]);
  await engine.docker(["push", "-q", base]);
}, 120_000);

afterAll(async () => {
  await Promise.all([engine?.close(), registry?.close(), index?.close()]);
  await rm(folder, { recursive: true, force: true });
}, 60_000);

let made = 0;

/** A directory of code and a build of it; `logged` has the lines for people. */
async function build(
  files: Readonly<Record<string, string>>,
  over: Partial<BuildRequest> & { readonly docker?: Partial<DockerBuilderSettings>; readonly repository?: string } = {},
) {
  made += 1;
  const directory = join(folder, `code-${made}`);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
  const logged: BuildProgress[] = [];
  const { docker, repository = "code", ...request } = over;
  const complete: BuildRequest = {
    source: { directory },
    entryPoint: ["python3", "main.py"],
    platform,
    target: {
      endpoint: registry.endpoint,
      repository,
      credentials: async () => undefined,
      publicName: `${registry.host}/${repository}`,
    },
    onProgress: (event) => logged.push(event),
    ...request,
  };
  const dependencies = {
    cacheDir: join(folder, "cache"),
    fetch,
    clock: systemClock,
    docker: { engine: { host: engine.host }, network: "host" as const, ...docker },
  };
  return {
    logged,
    lines: () => logged.map(({ message }) => message),
    run: () => createDockerBuilder(dependencies).build(complete),
    layers: () => buildLayers({ ...dependencies, ...complete }),
  };
}

const run = (image: string, ...args: string[]) => engine.docker(["run", "--rm", "--network", "none", image, ...args]);

describe("code without a Dockerfile", () => {
  const code = () => ({
    "main.py": "import os, sys, greeting; greeting.main(); print(os.getcwd(), sys.argv[1:], os.environ['PYTHONPATH'])",
    "requirements.txt": `--no-index\n--find-links ${index.url}\ngreeting\n`,
  });

  it("becomes the image that the layer builder makes, under the same tag", { timeout: 120_000 }, async () => {
    const first = await build(code(), { base, requirements: "requirements.txt" });
    const built = await first.run();
    expect(built.cached).toBe(false);
    const says = "hello from a package\n/opt/slipway/code ['train'] /opt/slipway/deps:/before\n";
    expect(await run(built.imageUri, "train")).toBe(says);
    expect(first.lines()).toContainEqual(expect.stringMatching(/^\[.*\] RUN .*"pip","install"/));
    expect(first.lines()).toContainEqual(expect.stringContaining("Successfully installed greeting-1.0"));

    const again = await build(code(), { base, requirements: "requirements.txt" });
    expect(await again.layers()).toMatchObject({ imageUri: built.imageUri, digest: built.digest, cached: true });
    expect(await again.run()).toMatchObject({ imageUri: built.imageUri, digest: built.digest, cached: true });

    const elsewhere = await build(code(), { base, requirements: "requirements.txt", repository: "layers" });
    const layered = await elsewhere.layers();
    expect(layered.cached).toBe(false);
    expect(layered.imageUri.split(":").at(-1)).toBe(built.imageUri.split(":").at(-1));
    expect(await run(layered.imageUri, "train")).toBe(says);
  });

  it("is built on an image that only the engine has, and leaves the packages alone if only the code changes", async () => {
    await engine.docker(["tag", base, "only-here:1"]);
    await engine.docker(["build", "-q", "-t", "only-here:1", "-"], "FROM plain:1\nENV A=1\n");
    const { imageUri } = await (
      await build({ "main.py": "print('on ' + __import__('os').environ['A'])" }, { base: "only-here:1" })
    ).run();
    expect(await run(imageUri)).toBe("on 1\n");
  });

  it("is refused on the base host", async () => {
    await expect((await build({ "main.py": "1" }, { base: "host" })).run()).rejects.toMatchObject({
      code: "BUILDER_NEEDS_IMAGE_BASE",
    });
  });
});

describe("code with a Dockerfile", () => {
  it("is built in stages, without what the ignore files name", async () => {
    const { imageUri } = await (
      await build(
        {
          "docker/train.Dockerfile": [
            "ARG BASE=plain:1",
            "FROM ${BASE} AS tools",
            "RUN echo made > /made",
            "FROM plain:1",
            "COPY --from=tools /made /made",
            "COPY . /work",
            "WORKDIR /work",
            'ENTRYPOINT ["sh", "-c", "cat /made; ls -A"]',
          ].join("\n"),
          ".dockerignore": "**/*.bin\n!keep.bin\nsecret\n",
          ".wandbignore": "notes/\n",
          "main.py": "1",
          "a.bin": "1",
          "keep.bin": "1",
          "secret/key": "1",
          "notes/n.txt": "1",
        },
        { dockerfile: "docker/train.Dockerfile" },
      )
    ).run();
    expect((await run(imageUri)).split("\n").filter(Boolean)).toEqual([
      "made",
      ".dockerignore",
      ".wandbignore",
      "docker",
      "keep.bin",
      "main.py",
    ]);
  });

  it("takes Dockerfile.wandb beside the script, and that directory as its context; the layer builder refuses it", async () => {
    const files = {
      "jobs/train.py": "print('trained')",
      "jobs/Dockerfile.wandb": "FROM plain:1\nWORKDIR /job\nCOPY train.py .\n",
      "other.py": "1",
    };
    const one = await build(files, { entryPoint: ["python3", "jobs/train.py"] });
    const built = await one.run();
    expect(built.entryPoint).toEqual(["python3", "train.py"]);
    expect(await run(built.imageUri, ...built.entryPoint!)).toBe("trained\n");
    expect(await one.run()).toMatchObject({ cached: true, digest: built.digest, entryPoint: built.entryPoint });
    await expect(
      (await build(files, { entryPoint: ["python3", "jobs/train.py"], base })).layers(),
    ).rejects.toMatchObject({
      code: "JOB_NEEDS_DOCKERFILE",
      message: expect.stringContaining("jobs/Dockerfile.wandb"),
    });
  });

  it("gives secrets to a step, and they stay in no layer", async () => {
    const dockerfile = [
      "FROM plain:1",
      "RUN --mount=type=secret,id=TOKEN cat /run/secrets/TOKEN | cat > /dev/null && ls /run/secrets > /saw",
      'ENTRYPOINT ["sh", "-c", "cat /saw; ls -A /run/secrets 2>/dev/null"]',
    ].join("\n");
    const one = await build(
      { Dockerfile: dockerfile },
      { dockerfile: "Dockerfile", docker: { secrets: async () => new Map([["TOKEN", Buffer.from("s3same-open")]]) } },
    );
    const { imageUri } = await one.run();
    expect(await run(imageUri)).toBe("TOKEN\n");
    const archive = join(folder, "secret.tar");
    await engine.docker(["save", "-o", archive, imageUri]);
    const found = await promisify(execFile)("grep", ["-c", "s3same-open", archive]).catch(
      (error: { code: number }) => error,
    );
    expect(found).toMatchObject({ code: 1 });
  });

  it("says which step failed, at which line, and what it wrote last", async () => {
    const lines = [
      "# a comment",
      "FROM plain:1",
      "RUN echo fine \\",
      "  && echo still fine",
      "RUN echo going wrong; \\",
      "  exit 3",
    ];
    const one = await build({ Dockerfile: lines.join("\n") }, { dockerfile: "Dockerfile" });
    await expect(one.run()).rejects.toMatchObject({
      code: "BUILD_STEP_FAILED",
      where: "Dockerfile:5",
      message:
        "Dockerfile line 5: the step RUN echo going wrong;   exit 3 failed: exit code 3; its last lines:\ngoing wrong",
    });
  });

  it("names what is no instruction, a base that does not exist, and a Dockerfile that is not there", async () => {
    const failing = async (text: string) => (await build({ Dockerfile: text }, { dockerfile: "Dockerfile" })).run();
    await expect(failing("FROM plain:1\nRUNN true\n")).rejects.toMatchObject({
      code: "BUILD_STEP_FAILED",
      message: expect.stringMatching(/^Dockerfile line 2: the step RUNN true failed: unknown instruction/i),
    });
    await expect(failing(`FROM ${registry.host}/no/such:1\n`)).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
      message: `The image ${registry.host}/no/such:1 does not exist`,
    });
    await expect((await build({ "a.py": "1" }, { dockerfile: "Dockerfile" })).run()).rejects.toMatchObject({
      code: "DOCKERFILE_NOT_FOUND",
    });
  });

  it("ends the build in the engine when it is stopped", async () => {
    const stop = new AbortController();
    const files = { Dockerfile: "FROM plain:1\nRUN sleep 613 & wait\n" };
    const running = (await build(files, { dockerfile: "Dockerfile", signal: stop.signal })).run();
    const sleeps = () =>
      promisify(execFile)("pgrep", ["-f", "^sleep 613"]).then(
        () => true,
        () => false,
      );
    await expect.poll(sleeps, { timeout: 20_000 }).toBe(true);
    stop.abort(new Error("stopped by somebody"));
    await expect(running).rejects.toThrow("stopped by somebody");
    await expect.poll(sleeps, { timeout: 20_000 }).toBe(false);
  });
});

describe("an engine without BuildKit, at tcp://", () => {
  let old: OldEngine;
  beforeAll(async () => {
    old = await startOldEngine(engine.host);
  });
  afterAll(() => old?.close());

  it("builds code without a Dockerfile to the same image", { timeout: 60_000 }, async () => {
    const files = {
      "main.py": "import greeting; greeting.main()",
      "requirements.txt": `--no-index\n--find-links ${index.url}\ngreeting\n`,
    };
    const one = await build(files, { base, requirements: "requirements.txt", docker: { engine: { host: old.host } } });
    const { imageUri } = await one.run();
    expect(await run(imageUri)).toBe("hello from a package\n");
    expect(one.lines()).toContainEqual(expect.stringMatching(/^Step 1\/\d+ : FROM /));
  });

  it("names the step that failed, and refuses a Dockerfile that needs BuildKit", async () => {
    const docker = { engine: { host: old.host } };
    const failing = async (text: string) =>
      (await build({ Dockerfile: text }, { dockerfile: "Dockerfile", docker })).run();
    await expect(failing("FROM plain:1\n\nRUN echo oh; exit 4\n")).rejects.toMatchObject({
      code: "BUILD_STEP_FAILED",
      message: "Dockerfile line 3: the step RUN echo oh; exit 4 failed: exit code 4; its last lines:\noh",
    });
    await expect(failing("FROM plain:1\nRUN --mount=type=secret,id=A true\n")).rejects.toMatchObject({
      code: "BUILD_NEEDS_BUILDKIT",
      where: "Dockerfile:2",
    });
    await expect(failing(`FROM ${registry.host}/no/such:1\n`)).rejects.toMatchObject({ code: "IMAGE_NOT_FOUND" });
  });
});

describe("a registry that asks for a login", () => {
  let guarded: DockerRegistry;
  beforeAll(async () => {
    // AWS, open-sesame
    guarded = await startDockerRegistry({
      htpasswd: "AWS:$2b$04$SsMVCDKhODOyJFA/EdbmbOC2I2yL0Ul8V7/0peSNo.opHOUCffDUK",
    });
  });
  afterAll(() => guarded?.close());

  const target = (password: () => string) => ({
    endpoint: guarded.endpoint,
    repository: "code",
    credentials: async () => ({ username: "AWS", password: password() }),
    publicName: `${guarded.host}/code`,
    findImage: async () => undefined, // asked by other means, as ECR is
  });

  it("is asked with a new login when the one at hand is no good any more, also for the base", async () => {
    const given = ["ran-out", "open-sesame"];
    const one = await build(
      { Dockerfile: "FROM plain:1\nENV FIRST=1\n" },
      { dockerfile: "Dockerfile", target: target(() => given.shift() ?? "open-sesame") },
    );
    const { imageUri, digest } = await one.run();
    expect(given).toEqual([]);
    await engine.docker(["rmi", "-f", imageUri]);
    const next = await build(
      { Dockerfile: `FROM ${guarded.host}/code@${digest}\nENTRYPOINT ["sh", "-c", "echo on $FIRST"]\n` },
      { dockerfile: "Dockerfile", target: target(() => "open-sesame") },
    );
    expect(await run((await next.run()).imageUri)).toBe("on 1\n");
  });

  it("says that it may not be pushed to", async () => {
    const one = await build(
      { Dockerfile: "FROM plain:1\nENV SECOND=1\n" },
      { dockerfile: "Dockerfile", target: target(() => "wrong") },
    );
    await expect(one.run()).rejects.toMatchObject({
      code: "BUILD_PUSH_DENIED",
      message: expect.stringContaining(`${guarded.host}/code:slipway-`),
    });
  });
});

it("says that no engine answers", async () => {
  const one = await build(
    { Dockerfile: "FROM x" },
    { dockerfile: "Dockerfile", docker: { engine: { host: "unix:///no/such.sock" } } },
  );
  await expect(one.run()).rejects.toMatchObject({ code: "BUILD_ENGINE_UNREACHABLE", where: "DOCKER_HOST" });
  const ssh = await build(
    { Dockerfile: "FROM x" },
    { dockerfile: "Dockerfile", docker: { engine: { host: "ssh://a" } } },
  );
  await expect(async () => ssh.run()).rejects.toThrow("only unix://PATH and tcp://HOST:PORT are spoken");
});
