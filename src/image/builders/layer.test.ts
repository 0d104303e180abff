import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type DockerRegistry, startDockerRegistry } from "../../../test/support/docker-registry.ts";
import { type PackageIndex, startPackageIndex } from "../../../test/support/package-index.ts";
import { systemClock } from "../../core/clock.ts";
import { sha256 } from "../digest.ts";
import { composeImage, emptyBase, MEDIA_TYPES } from "../oci.ts";
import { packDirectory } from "../pack.ts";
import { createRegistry, type Registry } from "../registry.ts";
import { type BuilderDependencies, type BuildRequest, createBuilder } from "./builder.ts";
import { buildImage } from "./layer.ts";

const run = promisify(execFile);
/** The machine's own: the base `host` knows no other. */
const PLATFORM = process.arch === "arm64" ? "linux/arm64" : "linux/amd64";

let folder: string;
let server: DockerRegistry;
let index: PackageIndex;
let registry: Registry;
let code: string;
let repository: string;
let turn = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "layer-test-"));
  server = await startDockerRegistry();
  index = await startPackageIndex();
  registry = createRegistry({
    endpoint: server.endpoint,
    credentials: async () => undefined,
    fetch,
    clock: systemClock,
  });
});
afterAll(async () => {
  await server?.close();
  await index?.close();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  turn += 1;
  code = join(folder, `code-${turn}`);
  repository = `repository-${turn}`;
  index.asked.length = 0;
  await write({
    "main.py": "import greeting; greeting.main()",
    "requirements.txt": `--no-index\n--find-links ${index.url}\ngreeting==1.0\n`,
  });
});

async function write(files: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(code, path)), { recursive: true });
    await writeFile(join(code, path), content);
  }
}

const dependencies = (cache: string): BuilderDependencies => ({
  cacheDir: join(folder, `${cache}-${turn}`),
  fetch,
  clock: systemClock,
});

function request(changes: Partial<BuildRequest> = {}): BuildRequest {
  return {
    source: { directory: code },
    entryPoint: ["python3", "main.py"],
    requirements: "requirements.txt",
    base: "host",
    platform: PLATFORM,
    target: {
      endpoint: server.endpoint,
      repository,
      credentials: async () => undefined,
      publicName: `${server.host}/${repository}`,
    },
    ...changes,
  };
}

const build = (changes: Partial<BuildRequest> = {}, cache = "cache") =>
  buildImage({ ...dependencies(cache), ...request(changes) });

interface Copied {
  readonly config: { config: Record<string, unknown>; rootfs: { diff_ids: string[] } };
  readonly layers: { digest: string; paths: string[] }[];
}

/** Copies the image with skopeo, which checks every digest and diff id, and reads what arrived. */
async function copy(imageUri: string): Promise<Copied> {
  const to = await mkdtemp(join(folder, "copied-"));
  await run("skopeo", ["copy", "--src-tls-verify=false", `docker://${imageUri}`, `oci:${to}:x`]);
  const read = async (digest: string) => readFile(join(to, "blobs", "sha256", digest.slice(7)));
  const top = JSON.parse(await readFile(join(to, "index.json"), "utf8"));
  const manifest = JSON.parse((await read(top.manifests[0].digest)).toString());
  const layers: Copied["layers"] = [];
  for (const { digest } of manifest.layers) {
    const { stdout } = await run("tar", ["-tzf", join(to, "blobs", "sha256", digest.slice(7))]);
    layers.push({ digest, paths: stdout.trimEnd().split("\n") });
  }
  return { config: JSON.parse((await read(manifest.config.digest)).toString()), layers };
}

describe("on the base host", () => {
  it("makes an image of a package layer and a code layer, all below /opt/slipway", async () => {
    const built = await build();
    expect(built).toMatchObject({ cached: false, digest: await registry.headManifest(repository, tagOf(built)) });
    expect(built.imageUri).toMatch(new RegExp(`^${server.host}/${repository}:slipway-[0-9a-f]{20}$`));
    const { config, layers } = await copy(built.imageUri);
    expect(config.config).toMatchObject({
      Env: ["PYTHONPATH=/opt/slipway/deps"],
      WorkingDir: "/opt/slipway/code",
      Entrypoint: ["python3", "main.py"],
      Labels: { "io.slipway.base": "host" },
    });
    for (const path of layers.flatMap((layer) => layer.paths)) expect(path).toMatch(/^opt\/slipway\//);
    expect(layers[0]?.paths).toContain("opt/slipway/deps/greeting/__init__.py");
    expect(layers[0]?.paths.join()).not.toMatch(/__pycache__|\.lock/);
    expect(layers[1]?.paths).toContain("opt/slipway/code/main.py");
  });

  it("builds nothing when nothing changed, whether the code comes as a directory or as an archive", async () => {
    const first = await build();
    index.asked.length = 0;
    const steps: string[] = [];
    const packed = await packDirectory(code);
    const second = await build({ source: { archive: packed.archive }, onProgress: ({ step }) => steps.push(step) });
    await packed.remove();
    expect(second).toMatchObject({ imageUri: first.imageUri, digest: first.digest, cached: true });
    expect(steps.at(-1)).toBe("unchanged");
    expect(index.asked).toEqual([]);
  });

  it("takes the packages from the cache when only the code changed, on another machine from the registry", async () => {
    const first = await copy((await build()).imageUri);
    index.asked.length = 0;
    await write({ "main.py": "print('changed')" });
    const changed = await build();
    expect(changed.cached).toBe(false);
    await write({ "main.py": "print('changed again')" });
    const elsewhere = await build({}, "another-machine");
    expect(elsewhere.cached).toBe(false);
    for (const { imageUri } of [changed, elsewhere]) {
      const { layers } = await copy(imageUri);
      expect(layers[0]?.digest).toBe(first.layers[0]?.digest);
      expect(layers[1]?.digest).not.toBe(first.layers[1]?.digest);
    }
    expect(index.asked).toEqual([]);
  });

  it("gives the same layers on every machine, and builds packages once for builds at the same time", async () => {
    const [a, b] = await Promise.all([build(), build({ entryPoint: ["python3", "-u", "main.py"] })]);
    expect(a?.imageUri).not.toBe(b?.imageUri);
    expect(index.asked.filter((path) => path.endsWith(".whl"))).toHaveLength(1);
    const first = await copy(a?.imageUri ?? "");
    repository = `${repository}-other`;
    const second = await copy((await build({}, "another-machine")).imageUri);
    expect(second.layers.map((layer) => layer.digest)).toEqual(first.layers.map((layer) => layer.digest));
    expect(index.asked.filter((path) => path.endsWith(".whl"))).toHaveLength(2);
  });

  it("never runs the job's own files while it resolves packages", async () => {
    await write({
      "pip.py": "open('ran', 'w')",
      "runpy.py": "open('ran', 'w')",
      "sitecustomize.py": "open('ran', 'w')",
    });
    await build();
    await expect(readFile(join(code, "ran"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it.each<[string, string, object]>([
    ["a package that no index has", "nosuchthing==1", { code: "PACKAGE_NOT_FOUND", where: "requirements.txt" }],
    ["a version that does not exist", "greeting==9", { code: "PACKAGE_NOT_FOUND", hint: "The index has 1.0." }],
    ["a line that is no requirement", "what is this", { code: "DEPENDENCIES_FAILED", exitCode: 1 }],
    ["an include that is not there", "-r more.txt", { code: "REQUIREMENTS_NOT_FOUND", where: "requirements.txt" }],
    ["an include from outside", "-c ../../etc/c.txt", { code: "REQUIREMENTS_LEAVE_DIRECTORY" }],
  ])("names %s", async (_, line, error) => {
    await write({ "requirements.txt": `--no-index\n--find-links ${index.url}\n${line}\n` });
    await expect(build()).rejects.toMatchObject(error);
  });

  it("shows the end of pip's own words", async () => {
    await write({ "requirements.txt": "what is this\n" });
    await expect(build()).rejects.toMatchObject({ message: expect.stringContaining("what is this") });
  });

  it("names a requirements file that is missing and a Python that is not there", async () => {
    await expect(build({ requirements: "other.txt" })).rejects.toMatchObject({
      code: "REQUIREMENTS_NOT_FOUND",
      message: expect.stringContaining("other.txt"),
    });
    const without = { ...dependencies("cache"), python: "/nowhere/python3" };
    await expect(buildImage({ ...without, ...request() })).rejects.toMatchObject({ code: "PYTHON_INSTALLER_MISSING" });
  });

  it("stops when it is told to", async () => {
    const stop = new AbortController();
    const building = build({
      signal: stop.signal,
      onProgress: ({ step }) => {
        if (step === "dependencies") stop.abort(new Error("stopped by a person"));
      },
    });
    await expect(building).rejects.toThrow("stopped by a person");
  });
});

describe("on a base image", () => {
  const python = { pythonVersion: "3.11", platform: "linux/amd64" };

  /** A base of one layer that holds `content`, pushed for a platform. */
  async function pushBase(name: string, architecture: "amd64" | "arm64", env: Record<string, string> = {}) {
    const root = await mkdtemp(join(folder, "base-"));
    await mkdir(join(root, "etc"));
    await writeFile(join(root, "etc", "which"), `${name} ${architecture}`);
    const { stdout: tar } = await run("tar", ["-C", root, "-cf", "-", "etc"], { encoding: "buffer" });
    await writeFile(join(root, "layer.tar"), tar);
    await run("gzip", ["-n", join(root, "layer.tar")]);
    const layer = await readFile(join(root, "layer.tar.gz"));
    await registry.uploadBlob(name, { digest: sha256(layer), size: layer.length, content: { data: layer } });
    const image = composeImage(
      emptyBase({ os: "linux", architecture }),
      [{ digest: sha256(layer), diffId: sha256(tar), size: layer.length, createdBy: "base" }],
      { env: { PATH: "/usr/bin", ...env }, labels: { kept: "yes" }, workingDir: "/", entryPoint: [] },
    );
    const config = { digest: sha256(image.config), size: image.config.length };
    await registry.uploadBlob(name, { ...config, content: { data: image.config } });
    const { mediaType, body } = image.manifest(config);
    const digest = await registry.putManifest(name, architecture, mediaType, body);
    return { mediaType, digest, size: body.length, platform: { os: "linux", architecture } };
  }

  it("takes the variant of the platform from an index, keeps the base's layers and settings, and mounts its blobs", async () => {
    const manifests = [await pushBase("base", "amd64"), await pushBase("base", "arm64")];
    const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.oci.index, manifests }));
    await registry.putManifest("base", "multi", MEDIA_TYPES.oci.index, body);
    const image = `${server.host}/base:multi`;
    const built = await build({ ...python, base: image, platform: "linux/arm64" });
    const { config, layers } = await copyFor("arm64", built.imageUri);
    expect(layers).toHaveLength(3);
    expect(config).toMatchObject({
      architecture: "arm64",
      config: {
        Env: ["PYTHONPATH=/opt/slipway/deps", "PATH=/opt/slipway/deps/bin:/usr/bin"],
        Labels: { kept: "yes", "io.slipway.base": image, "io.slipway.python": "3.11" },
      },
    });
    expect(layers[1]?.paths).toContain("opt/slipway/deps/bin/greet");
    const other = { ...python, base: `${server.host}/base:amd64`, platform: "linux/arm64" };
    await expect(build(other)).rejects.toMatchObject({
      code: "IMAGE_PLATFORM_MISSING",
      message: expect.stringContaining("it has linux/amd64"),
    });
  });

  async function copyFor(architecture: string, imageUri: string): Promise<Copied> {
    if (architecture === "amd64" || process.arch === "arm64") return copy(imageUri);
    const manifest = JSON.parse((await registry.getManifest(repository, tagOf({ imageUri })))?.body.toString() ?? "");
    const config = JSON.parse((await registry.readBlob(repository, manifest.config.digest)).toString());
    const layers: Copied["layers"] = [];
    for (const { digest } of manifest.layers) {
      const path = join(folder, `layer-${digest.slice(7)}`);
      await registry.downloadBlob(repository, digest, path);
      layers.push({ digest, paths: (await run("tar", ["-tzf", path])).stdout.trimEnd().split("\n") });
    }
    return { config, layers };
  }

  it("copies the layers of a base from another registry", async () => {
    const far = await startDockerRegistry();
    try {
      await pushBase("near", "amd64", { PYTHON_VERSION: "3.10.9" });
      const at = (host: string, name: string) => `docker://${host}/${name}:amd64`;
      const options = ["--src-tls-verify=false", "--dest-tls-verify=false"];
      await run("skopeo", ["copy", ...options, at(server.host, "near"), at(far.host, "base")]);
      const built = await build({ base: `${far.host}/base:amd64`, platform: "linux/amd64" });
      const { layers, config } = await copy(built.imageUri);
      expect(layers).toHaveLength(3);
      expect(layers[0]?.paths).toContain("etc/which");
      expect(config.config.Labels).toMatchObject({ "io.slipway.python": "3.10" });
    } finally {
      await far.close();
    }
  });

  it.each([
    ["a wheel for another machine only", "maconly==2.0"],
    ["no wheel at all", "sourceonly"],
  ])("names a package with %s", async (_, line) => {
    await pushBase("plain", "amd64");
    await write({ "requirements.txt": `--no-index\n--find-links ${index.url}\n${line}\n` });
    await expect(build({ ...python, base: `${server.host}/plain:amd64` })).rejects.toMatchObject({
      code: "PACKAGE_HAS_NO_WHEEL",
      message: `${line} has no wheel for linux/amd64, Python 3.11`,
    });
  });

  it("names what is missing: the image, its Python, a wrong reference, an unknown platform", async () => {
    await pushBase("plain", "amd64");
    const base = `${server.host}/plain:amd64`;
    await expect(build({ base: `${server.host}/none:1` })).rejects.toMatchObject({ code: "IMAGE_NOT_FOUND" });
    await expect(build({ base, platform: "linux/amd64" })).rejects.toMatchObject({ code: "BASE_PYTHON_UNKNOWN" });
    await expect(build({ base: "Not An Image" })).rejects.toMatchObject({ code: "IMAGE_REFERENCE_INVALID" });
    await expect(build({ platform: "windows/amd64" })).rejects.toMatchObject({ code: "PLATFORM_INVALID" });
  });
});

describe("createBuilder", () => {
  it("refuses code where only prebuilt images run, and names the builders that are not there", async () => {
    const noop = await createBuilder("noop", dependencies("cache"));
    await expect(noop.build(request())).rejects.toMatchObject({ code: "BUILDER_REFUSES_CODE", exitCode: 2 });
    await expect(createBuilder("kaniko", dependencies("cache"))).rejects.toMatchObject({
      code: "BUILDER_NOT_AVAILABLE",
      message: expect.stringContaining("kaniko"),
      hint: expect.stringContaining("docker"),
    });
  });
});

function tagOf({ imageUri }: { imageUri: string }): string {
  return imageUri.slice(imageUri.lastIndexOf(":") + 1);
}
