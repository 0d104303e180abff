import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GitServer, startGitServer } from "../../support/git-server.ts";
import type { WandbRelease } from "../../support/python-peers.ts";
import { startWandbWorld, type WandbWorld, WORLDS } from "../../support/wandb-world.ts";

/** `wandb job create|list|describe`: what a job's artifact holds, and when it is another version. */

/** The client's own command line, one command after the other in one process, then versions of jobs read back, the code of a code job too. */
const SESSION = `
import contextlib, io, json, os, sys, wandb
from wandb.cli.cli import cli
said = []
for command in COMMANDS:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        cli.main(["job", *command], standalone_mode=False)
    said.append(out.getvalue())
api, found = wandb.Api(), []
def code_of(info):
    id = info["source"]["artifact"].split("/")[-1]
    return api._artifact_from_id(id) if hasattr(api, "_artifact_from_id") else wandb.Artifact._from_id(id, api.client)
for name in NAMES:
    job = api.artifact(name, type="job")
    folder = job.download()
    files = {entry: open(os.path.join(folder, entry)).read() for entry in job.manifest.entries}
    info, code = json.loads(files["wandb-job.json"]), None
    if info["source_type"] == "artifact":
        source = code_of(info)
        code = {"name": source.name, "type": source.type, "files": sorted(source.manifest.entries)}
    found.append({"version": job.version, "aliases": sorted(job.aliases), "description": job.description, "metadata": job.metadata,
      "job": info, "requirements": files["requirements.frozen.txt"], "files": sorted(files), "code": code})
print(json.dumps({"said": said, "jobs": found}))
`;

interface Job {
  readonly version: string;
  readonly job: { readonly source: { readonly artifact?: string } };
}

/** Commands about one kind of job, the versions to read after all of them, and what must have come of it. */
interface Subject {
  readonly title: string;
  readonly commands: readonly (readonly string[])[];
  readonly names: readonly string[];
  check(of: { readonly said: readonly string[]; readonly jobs: readonly Job[] }): void;
}

const projectOf = (release: WandbRelease) => `made-${release.replaceAll(".", "-")}`;
const NONE = { wb_type: "typedDict", params: { type_map: {} } };

describe.concurrent.each(WORLDS)("jobs made without a run, on $database", ({ database, releases }) => {
  let world: WandbWorld;
  let git: GitServer;
  beforeAll(async () => {
    [world, git] = await Promise.all([startWandbWorld({ database }), startGitServer()]);
  });
  afterAll(async () => {
    await world?.close();
    await git?.close();
  });

  /** Runs `wandb job create ...` (in the project) and other `wandb job` commands, and reads the jobs of these names. */
  async function session(release: WandbRelease, { commands, names }: Pick<Subject, "commands" | "names">) {
    const project = projectOf(release);
    const client = await world.client(release, { env: { ...git.env, WANDB_ENTITY: "admin", WANDB_PROJECT: project } });
    const paths = names.map((name) => `admin/${project}/${name}`);
    const given = `COMMANDS = ${JSON.stringify(commands)}\nNAMES = ${JSON.stringify(paths)}\n`;
    const { code, stdout, stderr } = await client.python(given + SESSION);
    expect(code, stdout + stderr).toBe(0);
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as { said: readonly string[]; jobs: readonly Job[] };
  }

  describe.each(releases)("wandb %s", (release) => {
    const project = projectOf(release);
    const created = (name: string) => expect.stringContaining(`Created job: admin/${project}/${name}`);
    const updated = (name: string) => expect.stringContaining(`Updated job: admin/${project}/${name}`);
    const unchanged = expect.stringContaining("No changes detected for job");

    async function image(): Promise<Subject> {
      return {
        title: "of an image: its tag is an alias, unless it looks like a version",
        commands: [
          ["create", "image", "me/digits:2024", "-n", "digits", "-d", "Learns digits", "-a", "best"],
          ["create", "image", "me/digits:2024", "-n", "digits"],
          ["create", "image", "me/digits:v1", "-n", "digits"],
          ["list"],
          ["describe", `admin/${project}/digits:v0`],
          ["describe", `admin/${project}/nothing:latest`],
        ],
        names: ["digits:best", "digits:2024", "digits:latest", "digits:v1"],
        check({ said, jobs }) {
          expect(said).toEqual([
            created("digits:v0"),
            unchanged,
            updated("digits:v1"),
            expect.stringContaining("digits -- versions (3): "),
            expect.stringContaining("source: {'image': 'me/digits:2024'}"),
            expect.stringContaining("nothing:latest not found"),
          ]);
          expect(said[0]).toContain("with aliases: best, 2024, latest");
          const shared = { metadata: { _partial: true }, requirements: "" };
          const job = (image: string) => ({
            _version: "v0",
            source_type: "image",
            source: { image },
            input_types: NONE,
            output_types: NONE,
            runtime: "",
          });
          expect(jobs).toMatchObject([
            {
              ...shared,
              version: "v0",
              aliases: ["2024", "best"],
              description: "Learns digits",
              job: job("me/digits:2024"),
            },
            { version: "v0" },
            { ...shared, version: "v1", aliases: ["latest"], job: job("me/digits:v1") },
            { version: "v1", job: job("me/digits:v1") },
          ]);
        },
      };
    }

    async function directory(): Promise<Subject> {
      const folders = ["first", "second"].map((name) => join(world.dataDir, `${name}-${project}`));
      for (const [at, folder] of folders.entries()) {
        await mkdir(join(folder, "sub"), { recursive: true });
        await writeFile(join(folder, "requirements.txt"), "wandb\nnumpy==1.26.4\n");
        await writeFile(join(folder, "sub/train.py"), `print(${at})\n`);
      }
      const [first = "", second = ""] = folders;
      const of = ["-n", "trainer", "-E", "python train.py", "-r", "3.10"];
      const built = [...of, "-b", "sub", "-D", "Dockerfile.gpu"];
      return {
        title: "of a directory: the code is an artifact of its own, the same code is the same version",
        commands: [
          ["create", "code", first, ...built],
          ["create", "code", first, ...built],
          ["create", "code", second, ...built],
          ["create", "code", second, ...of, "-B", "python:3.10-slim"],
        ],
        names: ["trainer:v0", "trainer:v1", "trainer:latest"],
        check({ said, jobs }) {
          expect(said).toEqual([created("trainer:v0"), unchanged, updated("trainer:v1"), updated("trainer:v2")]);
          const source = { entrypoint: ["python", "train.py"], notebook: false };
          const files = ["requirements.txt", "sub/train.py"];
          expect(jobs).toMatchObject([
            {
              aliases: [],
              job: {
                source_type: "artifact",
                runtime: "3.10",
                source: { ...source, build_context: "sub", dockerfile: "Dockerfile.gpu" },
              },
              requirements: "wandb\nnumpy==1.26.4",
              files: ["requirements.frozen.txt", "wandb-job.json"],
              code: { name: "code-trainer:v0", type: "code", files },
            },
            { version: "v1", code: { name: "code-trainer:v1" } },
            { version: "v2", aliases: ["latest"], job: { source: { ...source, base_image: "python:3.10-slim" } } },
          ]);
          // Only the way of building has changed.
          expect(jobs[2]?.job.source.artifact).toBe(jobs[1]?.job.source.artifact);
        },
      };
    }

    async function repository(): Promise<Subject> {
      const path = `${project}/code.git`;
      const url = `${git.url}/${path}`;
      const first = await git.commit(path, { "train.py": "print(1)\n", ".python-version": "3.9.7\n" });
      const second = await git.commit(path, { "train.py": "print(2)\n" });
      const args = ["create", "git", url, "-n", "repo", "-E", "python train.py"];
      return {
        title: "of a git repository: the commit is pinned, whatever its branch does afterwards",
        commands: [
          [...args, "-g", first],
          [...args, "-r", "3.11"],
          [...args, "-g", first],
          ["create", "git", `${git.url}/nothing/code.git`, "-n", "missing", "-E", "python train.py"],
        ],
        names: ["repo:v0", "repo:v1"],
        check({ said, jobs }) {
          const failed = expect.stringContaining("Job creation failed");
          expect(said).toEqual([created("repo:v0"), updated("repo:v1"), unchanged, failed]);
          const source = (commit: string) => ({
            source_type: "repo",
            source: { git: { remote: url, commit }, entrypoint: ["python", "train.py"], notebook: false },
          });
          expect(jobs).toMatchObject([
            // The one that was asked for last.
            { version: "v0", aliases: ["latest"], job: { ...source(first), runtime: "3.9" } },
            { version: "v1", aliases: [], job: { ...source(second), runtime: "3.11" } },
          ]);
        },
      };
    }

    async function schema(): Promise<Subject> {
      const bounded = (maximum: number) => ({ type: "object", properties: { lr: { type: "number", maximum } } });
      const files = [1, 2].map((maximum) => join(world.dataDir, `schema-${maximum}-${project}.json`));
      for (const [at, file] of files.entries()) await writeFile(file, JSON.stringify(bounded(at + 1)));
      const [one = "", two = ""] = files;
      const image = ["create", "image", "me/checked:stable", "-n", "checked"];
      return {
        title: "with a schema of its inputs: another schema is another version, none leaves it",
        commands: [[...image, "--schema", one], image, [...image, "--schema", one], [...image, "--schema", two]],
        names: ["checked:v0", "checked:latest"],
        check({ said, jobs }) {
          expect(said).toEqual([created("checked:v0"), unchanged, unchanged, updated("checked:v1")]);
          expect(jobs).toMatchObject([
            { version: "v0", metadata: { input_schemas: { "@wandb.config": bounded(1) } } },
            { version: "v1", metadata: { input_schemas: { "@wandb.config": bounded(2) } } },
          ]);
        },
      };
    }

    // One interpreter for all of them: starting one takes longer than what it does here.
    test("of an image, a directory, a git repository, and with a schema", async () => {
      const subjects = [await image(), await directory(), await repository(), await schema()];
      const { said, jobs } = await session(release, {
        commands: subjects.flatMap(({ commands }) => commands),
        names: subjects.flatMap(({ names }) => names),
      });
      let [saidBefore, jobsBefore] = [0, 0];
      for (const { title, commands, names, check } of subjects) {
        const own = {
          said: said.slice(saidBefore, saidBefore + commands.length),
          jobs: jobs.slice(jobsBefore, jobsBefore + names.length),
        };
        saidBefore += commands.length;
        jobsBefore += names.length;
        try {
          check(own);
        } catch (error) {
          if (error instanceof Error) error.message = `${title}: ${error.message}`;
          throw error;
        }
      }
    });
  });
});
