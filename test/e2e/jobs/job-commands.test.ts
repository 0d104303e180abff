import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GitServer, startGitServer } from "../../support/git-server.ts";
import { startWandbWorld, type WandbWorld } from "../../support/wandb-world.ts";

/** Jobs made by the command line are the wandb client's own: it lists, describes, downloads and launches them, and makes the same. */

const PROJECT = "train";
const SCHEMA = `
type: object
properties:
  lr: {type: number, exclusiveMinimum: 0, maximum: 1, required: true, description: learning rate}
  optimizer: {type: string, enum: [adam, sgd], default: adam}
`;

let world: WandbWorld;
let host: GitServer;
let folder: string;
let commit: string;

async function files(contents: Readonly<Record<string, string>>): Promise<string> {
  const directory = await mkdtemp(join(folder, "code-"));
  for (const [path, text] of Object.entries(contents)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), text);
  }
  return directory;
}

/** `slipway ARGS --json` that has to succeed. */
async function slipway<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await world.slipway([...args, "--json"], {
    env: { WANDB_PROJECT: PROJECT, GIT_SSL_CAINFO: host.env.GIT_SSL_CAINFO ?? "" },
  });
  expect(code, `${stdout}\n${stderr}`).toBe(0);
  return JSON.parse(stdout) as T;
}

interface Created {
  readonly job: string;
  readonly id: string;
  readonly created: boolean;
  readonly digest: string;
  readonly versionIndex: number;
  readonly aliases: readonly string[];
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-job-commands-"));
  [world, host] = await Promise.all([startWandbWorld({ database: "sqlite" }), startGitServer()]);
  commit = await host.commit("train.git", { "train.py": "print('from git')\n" });
});
afterAll(async () => {
  await world?.close();
  await host?.close();
  await rm(folder, { recursive: true, force: true });
});

describe("jobs of each kind", () => {
  let image: Created;
  let code: Created;
  let git: Created;

  test("are created, and are the same version when nothing has changed", async () => {
    const directory = await files({
      "train.py": "import lib.model\n",
      "lib/model.py": "",
      "requirements.txt": "wandb\nnumpy==1.26.4\n",
      "secret.env": "KEY=1",
      ".gitignore": "*.env\n",
      "wandb/run-1/files/output.log": "an earlier run",
    });
    await symlink("lib/model.py", join(directory, "linked.py"));
    await writeFile(join(folder, "schema.yaml"), SCHEMA);

    const createCode = [
      "job",
      "create",
      "code",
      directory,
      "-n",
      "digits",
      "-E",
      "python train.py --epochs 2",
      "-r",
      "3.11",
    ];
    const first = await slipway<Created>(...createCode, "-d", "trains");
    expect(first).toMatchObject({ job: `admin/${PROJECT}/digits:v0`, created: true, aliases: ["latest"] });
    expect(await slipway(...createCode, "-d", "trains digits")).toMatchObject({ id: first.id, created: false });
    // The same content with other inputs is another version.
    const withSchema = [...createCode, "--schema", join(folder, "schema.yaml"), "-d", "with inputs", "-a", "good"];
    code = await slipway(...withSchema);
    expect(code).toMatchObject({ job: `admin/${PROJECT}/digits:v1`, created: true, aliases: ["good", "latest"] });
    expect(await slipway(...withSchema)).toMatchObject({ id: code.id, created: false });

    await writeFile(join(directory, "train.py"), "import lib.model # changed\n");
    expect(await slipway(...createCode)).toMatchObject({ job: `admin/${PROJECT}/digits:v2`, created: true });

    image = await slipway("job", "create", "image", "registry.example/team/train:1.2");
    expect(image).toMatchObject({
      job: `admin/${PROJECT}/job-registry.example_team_train:v0`,
      aliases: ["1.2", "latest"],
    });

    git = await slipway("job", "create", "git", `${host.url}/train.git`, "-n", "from-git", "-E", "python3 train.py");
    expect(git).toMatchObject({ job: `admin/${PROJECT}/from-git:v0`, created: true });
  });

  test("are listed and described by the wandb client", async () => {
    const client = await world.client("0.31.0");
    const listed = await client.wandb(["job", "list", "-p", PROJECT, "-e", "admin"]);
    expect(listed.code, listed.stderr).toBe(0);
    for (const line of [
      "digits -- versions (",
      "from-git -- versions (1): latest",
      "job-registry.example_team_train --",
    ])
      expect(listed.stderr + listed.stdout).toContain(line);
    const described = await client.wandb(["job", "describe", `admin/${PROJECT}/digits:v1`]);
    expect(described.stderr + described.stdout).toContain("source_type: artifact");
    expect(described.stderr + described.stdout).toContain("'entrypoint': ['python', 'train.py', '--epochs', '2']");
  });

  test("are read by wandb.Api().job with their code, requirements and metadata", async () => {
    const client = await world.client("0.31.0");
    const {
      code: exit,
      stdout,
      stderr,
    } = await client.python(`
import json, os, wandb
from wandb.sdk.launch._project_spec import LaunchProject
api = wandb.Api()
seen = {}
for name in ("digits:good", "from-git:latest", "job-registry.example_team_train:1.2"):
  job = api.job("admin/${PROJECT}/" + name)
  seen[name] = {"info": dict(job._job_info), "metadata": dict(job._job_artifact.metadata), "entry": job._entrypoint,
    "requirements": open(job._requirements_file).read(), "digest": job._job_artifact.digest, "description": job._job_artifact.description}
source = seen["digits:good"]["info"]["source"]["artifact"]
path = job._get_code_artifact(source).download(root="code")
seen["code"] = {os.path.relpath(os.path.join(at, f), path): open(os.path.join(at, f)).read() for at, _, names in os.walk(path) for f in names}
print(json.dumps(seen))`);
    expect(exit, `${stdout}\n${stderr}`).toBe(0);
    const seen = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    expect(seen["digits:good"]).toMatchObject({
      info: { source_type: "artifact", runtime: "3.11", source: { notebook: false } },
      entry: ["python", "train.py", "--epochs", "2"],
      requirements: "wandb\nnumpy==1.26.4",
      digest: code.digest,
      description: "with inputs",
      metadata: {
        input_schemas: { "@wandb.config": { type: "object", properties: { optimizer: { default: "adam" } } } },
      },
    });
    expect(seen["from-git:latest"]).toMatchObject({
      info: { source_type: "repo", source: { git: { remote: `${host.url}/train.git`, commit } } },
      entry: ["python3", "train.py"],
      requirements: "",
      digest: git.digest,
      metadata: { _partial: true },
    });
    expect(seen["job-registry.example_team_train:1.2"]).toMatchObject({
      info: { source_type: "image", source: { image: "registry.example/team/train:1.2" } },
      digest: image.digest,
    });
    expect(seen.code).toEqual({
      ".gitignore": "*.env\n",
      "train.py": "import lib.model\n",
      "lib/model.py": "",
      "linked.py": "",
      "requirements.txt": "wandb\nnumpy==1.26.4\n",
    });
  });

  test("made by the wandb client of the same source are the same version", async () => {
    const client = await world.client("0.31.0");
    const made = await client.wandb([
      ...["job", "create", "-p", PROJECT, "-e", "admin", "image", "registry.example/team/train:1.2"],
    ]);
    expect(made.stderr + made.stdout).toContain("No changes detected");
    const jobs = await slipway<{ name: string; versions: number }[]>("job", "list");
    expect(jobs.find(({ name }) => name.startsWith("job-registry"))).toMatchObject({ versions: 1 });
  });

  test("are listed and shown", async () => {
    const jobs = await slipway<{ name: string }[]>("job", "list");
    expect(jobs).toMatchObject([
      { name: "digits", version: "v2", versions: 3, createdBy: "admin", aliases: ["latest"] },
      { name: "from-git", version: "v0", source: { kind: "code", code: { commit } } },
      { name: "job-registry.example_team_train", source: { kind: "image", image: "registry.example/team/train:1.2" } },
    ]);
    expect(await slipway("job", "show", "digits:good")).toMatchObject({
      job: `admin/${PROJECT}/digits:v1`,
      code: { name: `admin/${PROJECT}/code-digits:v0`, files: 5 },
      inputs: [
        { path: "lr", type: "number", bounds: "> 0, <= 1", required: true },
        { path: "optimizer", type: "one of adam, sgd", default: "adam", required: false },
      ],
      versions: [
        { version: "v2" },
        { version: "v1", aliases: ["good"], createdBy: "admin" },
        { description: "trains digits" },
      ],
      launch: `slipway launch -j admin/${PROJECT}/digits:v1 -q QUEUE -c '{"lr": ...}'`,
    });
    const env = { WANDB_PROJECT: PROJECT };
    const table = await world.slipway(["job", "list"], { env });
    expect(table.stdout).toMatch(/digits +v2 +latest +python train.py --epochs 2 +.* ago +admin/);
    const page = await world.slipway(["job", "show", `${PROJECT}/digits:good`], { env: {} });
    for (const line of [/entry point +python train.py --epochs 2/, /lr +number +> 0, <= 1 +required/, /python +3\.11/])
      expect(page.stdout).toMatch(line);
  });
});

describe("launching a job", () => {
  test("pushes its very version, with values that its schema takes", async () => {
    await world.graphql(`mutation Q($input: UpsertRunQueueInput!) { upsertRunQueue(input: $input) { success } }`, {
      input: {
        entityName: "admin",
        projectName: "model-registry",
        queueName: "jobs",
        resourceType: "sagemaker",
        resourceConfig: JSON.stringify({
          RoleArn: "arn:aws:iam::123456789012:role/SlipwaySageMakerExecution",
          OutputDataConfig: { S3OutputPath: "s3://bucket/output" },
          ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 10 },
          StoppingCondition: { MaxRuntimeInSeconds: 600 },
        }),
      },
    });
    const launch = ["launch", "-q", "jobs", "-j"];
    const pushed = await slipway<{ runSpec: unknown; runId: string }>(
      ...[...launch, "digits:good", "-E", "python other.py", "-c", '{"lr": 0.5}'],
    );
    const { runQueueItem } = await world.graphql<{ runQueueItem: { runSpec: string } }>(
      `query I($id: ID!) { runQueueItem(id: $id) { runSpec } }`,
      { id: (pushed as unknown as { id: string }).id },
    );
    const spec = typeof runQueueItem.runSpec === "string" ? JSON.parse(runQueueItem.runSpec) : runQueueItem.runSpec;
    expect(spec).toMatchObject({
      job: `admin/${PROJECT}/digits:v1`,
      project: PROJECT,
      overrides: { entry_point: ["python", "other.py"], run_config: { lr: 0.5 } },
    });
  });

  test.each<[string, string[], number, RegExp]>([
    ["a value out of bounds", ["-j", "digits:good", "-c", '{"lr": 3}'], 2, /run_config\.lr must be <= 1/],
    ["a name that is near another", ["-j", "digit"], 3, /Did you mean digits\?/],
    ["another source beside it", ["-j", "digits", "-d", "a:1"], 2, /give one thing to run/],
    ["a base image", ["-j", "digits", "--base", "a:1"], 2, /a job has its own base image/],
    ["what is no name", ["-j", "a/b/c/d"], 2, /is not the name of a job/],
  ])("refuses %s", async (_name, args, exit, message) => {
    const env = { WANDB_PROJECT: PROJECT };
    const { code, stderr } = await world.slipway(["launch", "-q", "jobs", ...args], { env });
    expect(stderr).toMatch(message);
    expect(code).toBe(exit);
  });
});

test.each<[string, string[], number, RegExp]>([
  ["a name that artifacts can't have", ["image", "a:1", "-n", "a b"], 2, /did you mean a_b\?/],
  ["another Python", ["git", "https://host/a.git", "-E", "x", "-r", "2.7"], 2, /minor version of Python 3/],
  ["an alias that is a version's number", ["image", "a:1", "-a", "v3"], 2, /--alias v3 is what a version is called/],
  ["a git job without an entry point", ["git", "https://host/a.git"], 2, /needs an entry point/],
  ["another protocol", ["git", "http://host/a.git", "-E", "x"], 2, /must be an https or ssh address/],
  ["a directory that is not there", ["code", "/none"], 3, /There is no directory \/none/],
  [
    "a schema that is none",
    ["image", "a:1", "--schema", "bad.yaml"],
    2,
    /bad\.yaml is not a schema.*\n.*2:\d+ .*lr.*\n?/,
  ],
])("job create refuses %s before anything is made", async (_name, args, exit, message) => {
  await writeFile(join(folder, "bad.yaml"), "type: object\nproperties: {lr: {type: float}}\n");
  const { code, stderr } = await world.slipway(["job", "create", ...args, "-p", "untouched"], { cwd: folder });
  expect(stderr).toMatch(message);
  expect(code).toBe(exit);
  const found = await world.graphql<{ project: object | null }>(
    `{ project(name: "untouched", entityName: "admin") { id } }`,
  );
  expect(found.project).toBeNull();
});

test("job show and list tell what is not there", async () => {
  const near = await world.slipway(["job", "show", "digitz", "-p", PROJECT]);
  expect([near.code, near.stderr]).toEqual([3, expect.stringContaining("Did you mean digits?")]);
  const version = await world.slipway(["job", "show", "digits:v9", "-p", PROJECT]);
  expect(version.stderr).toContain("digits has no version v9");
  const project = await world.slipway(["job", "list", "-p", "nowhere"]);
  expect([project.code, project.stderr]).toEqual([3, expect.stringContaining("nowhere")]);
});
