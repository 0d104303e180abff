import { createHash, randomUUID } from "node:crypto";
import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type WrittenVersion, writeArtifact } from "../../../src/client/artifact-writer.ts";
import { PlainUpsertRunDocument, PushDocument } from "../../../src/client/generated/operations.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { type GitServer, startGitServer } from "../../support/git-server.ts";
import { type Started, slipwayUp } from "../../support/slipway.ts";
import { type Item, openWorld, type World } from "../../support/world.ts";

/** What the agent makes of job artifacts of every kind, as they lie on the server. */

const NO_TYPES = { wb_type: "typedDict", params: { type_map: {} } };

let dataDir: string;
let up: Started;
let host: GitServer;
let world: World;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "slipway-job-artifacts-"));
  host = await startGitServer();
  const { GIT_SSL_CAINFO = "" } = host.env;
  up = await slipwayUp(dataDir, [], { env: { DOCKER_HOST: `unix://${dataDir}/no-engine.sock`, GIT_SSL_CAINFO } });
  world = await openWorld(dataDir);
  // A run brings its project.
  await world.client.request(PlainUpsertRunDocument, { entity: world.entity, project: "jobs", run: "first" });
});

afterAll(async () => {
  await up?.end();
  await host?.close();
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

const md5 = (text: string) => createHash("md5").update(text).digest();

function log(type: string, name: string, files: Readonly<Record<string, string>>): Promise<WrittenVersion> {
  const deps = {
    request: world.client.request,
    fetch: globalThis.fetch,
    clock: systemClock,
    random: Math.random,
    md5,
    newId: randomUUID,
  };
  return writeArtifact(deps, {
    entity: world.entity,
    project: "jobs",
    type,
    name,
    aliases: ["latest"],
    files: Object.entries(files).map(([path, text]) => ({
      path,
      size: Buffer.byteLength(text),
      md5: md5(text).toString("base64"),
      content: async () => new Blob([text]),
    })),
  });
}

function logJob(name: string, source_type: string, source: object, more: Readonly<Record<string, string>> = {}) {
  const file = { _version: "v0", source_type, source, input_types: NO_TYPES, output_types: NO_TYPES, runtime: "3.11" };
  return log("job", name, { "wandb-job.json": JSON.stringify(file), "requirements.frozen.txt": "", ...more });
}

async function codeJob(name: string, files: Readonly<Record<string, string>>, source: object = {}) {
  const { id } = await log("code", `source-${name}`, files);
  const artifact = `wandb-artifact://_id/${id}`;
  return logJob(name, "artifact", { artifact, entrypoint: ["python3", "train.py"], notebook: false, ...source });
}

async function run(job: string, overrides: object = {}): Promise<{ item: Item; lines: string[] }> {
  const runSpec = JSON.stringify({ entity: world.entity, project: "jobs", job, docker: {}, git: {}, overrides });
  const input = { entityName: world.entity, projectName: "model-registry", queueName: "default", runSpec };
  const { pushToRunQueueByName } = await world.client.request(PushDocument, { input });
  if (!pushToRunQueueByName) throw new Error("there is no queue");
  const item = await world.settled(pushToRunQueueByName.runQueueItemId);
  return { item, lines: await world.lines(item.id) };
}

describe("a job of code", () => {
  it("runs every file of its artifact, ignored ones too, with its entry point and the item's arguments", async () => {
    await codeJob("code", {
      "train.py": "import sys; print('read', open('data/kept.txt').read(), sys.argv[1:])\n",
      ".gitignore": "data/\n",
      "data/kept.txt": "what git ignores",
    });
    const { item, lines } = await run("code", { args: ["--lr", "a b"] });
    expect(lines.join("\n")).toContain("read what git ignores ['--lr', 'a b']");
    expect(item).toMatchObject({ state: "FINISHED" });
    expect(item.runSpec).toMatchObject({ job: `${world.entity}/jobs/code:v0` });

    const own = await run("code:v0", { entry_point: ["python3", "-c", "print('the item decides')"] });
    expect(own.lines.join("\n")).toContain("the item decides");
  });

  it("builds the directory that its build context names, and a notebook as the script it is", async () => {
    const cells = [
      { cell_type: "code", source: ["!pip install nothing\n", "import os\n"] },
      { cell_type: "code", source: "print('notebook in', os.path.basename(os.getcwd()), sorted(os.listdir('.')))" },
    ];
    await codeJob(
      "notebook",
      { "sub/nb.ipynb": JSON.stringify({ nbformat: 4, cells }), "beside.txt": "x" },
      { entrypoint: ["python3", "nb.ipynb"], notebook: true, build_context: "sub" },
    );
    const { item, lines } = await run("notebook");
    expect(lines.join("\n")).toContain("['nb.ipynb', 'nb.py']");
    expect(item.state).toBe("FINISHED");
  });

  it("fails with its reason if it needs a Dockerfile, or a file that the server does not keep", async () => {
    await codeJob("docker", { "train.py": "1", Dockerfile: "FROM x" }, { dockerfile: "Dockerfile" });
    expect((await run("docker")).item).toMatchObject({ state: "FAILED", error: { code: "JOB_NEEDS_DOCKERFILE" } });
  });
});

describe("a job of git", () => {
  it("runs its commit with what was changed after it", async () => {
    const commit = await host.commit("job.git", { "train.py": "print('as committed')\n" });
    await host.commit("job.git", { "train.py": "raise SystemExit('the tip')\n" });
    const git = { remote: `${host.url}/job.git`, commit };
    await logJob("git", "repo", { git, entrypoint: ["python3", "train.py"], notebook: false });
    const plain = await run("git");
    expect(plain.lines.join("\n")).toContain("as committed");

    const change = ["--- a/train.py", "+++ b/train.py", "@@ -1 +1 @@", "-print('as committed')"];
    const entrypoint = ["python3", "train.py"];
    const patch = [...change, "+import os; print('as changed', os.environ['WANDB_GIT_COMMIT'])", ""].join("\n");
    await logJob("patched", "repo", { git, entrypoint }, { "diff.patch": patch });
    const patched = await run("patched");
    expect(patched.lines.join("\n")).toContain(`as changed ${commit}`);

    await logJob("misfit", "repo", { git, entrypoint }, { "diff.patch": patch.replace("as committed", "other") });
    expect((await run("misfit")).item).toMatchObject({ state: "FAILED", error: { code: "JOB_PATCH_FAILED" } });
  });

  it("writes nothing through a link of the repository", async () => {
    const outside = `${dataDir}/outside.txt`;
    const commit = await host.commit("links.git", { "train.py": "1\n", "requirements.txt": "# none\n" });
    const git = { remote: `${host.url}/links.git`, commit };
    const patch = [
      "diff --git a/requirements.frozen.txt b/requirements.frozen.txt",
      "new file mode 120000",
      "--- /dev/null",
      "+++ b/requirements.frozen.txt",
      "@@ -0,0 +1 @@",
      `+${outside}`,
      "\\ No newline at end of file",
      "",
    ].join("\n");
    const files = { "diff.patch": patch, "requirements.frozen.txt": "six==1.16.0\n" };
    await logJob("links", "repo", { git, entrypoint: ["python3", "train.py"] }, files);
    expect((await run("links")).item).toMatchObject({ state: "FINISHED" });
    await expect(access(outside)).rejects.toThrow("ENOENT");

    // A link that the agent does not replace is refused when the code is packed.
    const kept = patch.replaceAll("requirements.frozen.txt", "data");
    await logJob("kept-link", "repo", { git, entrypoint: ["python3", "train.py"] }, { "diff.patch": kept });
    const { item } = await run("kept-link");
    expect(item).toMatchObject({ state: "FAILED", error: { code: "CODE_LINK_LEAVES_DIRECTORY" } });
  });
});

describe("a job of an image", () => {
  it("fails with the image's name if it is not there, and says so of the job", async () => {
    const image = `${await world.repository("job-image")}:1`;
    await logJob("image", "image", { image });
    const { item } = await run("image");
    expect(item).toMatchObject({ state: "FAILED", error: { code: "IMAGE_NOT_FOUND" } });
    expect(item.error?.message).toContain(image);
  });
});
