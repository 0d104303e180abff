import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { GetAuthorizationTokenCommand } from "@aws-sdk/client-ecr";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type DockerEngine, startDockerEngine } from "../../support/docker.ts";
import { PATIENCE_MS } from "../../support/patience.ts";
import { type Started, slipway, slipwayUp, startSlipway } from "../../support/slipway.ts";
import { awsVariables, openWorld, type World } from "../../support/world.ts";

/** Code that an agent with builder docker makes images of, trained in a real Docker engine with images of the local ECR. */

const QUEUE = "docker";
let dataDir: string;
let engine: DockerEngine;
let up: Started;
let agent: Started;
let world: World;
let base: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "slipway-docker-builder-"));
  engine = await startDockerEngine();
  await engine.makeBaseImage("plain:1");
  up = await slipwayUp(dataDir, [], { env: { DOCKER_HOST: engine.host } });
  world = await openWorld(dataDir);
  const built = await world.repository("built");
  base = `${await world.repository("base")}:1`;
  await pushBase();
  await world.queue(QUEUE);
  const agentDir = join(dataDir, "agent");
  await mkdir(agentDir);
  const config = join(agentDir, "launch-config.yaml");
  const builder = `{type: docker, base: "${base}", network: none, secrets: {TOKEN: {env: BUILD_TOKEN}}}`;
  await writeFile(config, `registry: {type: ecr, uri: ${built}}\nbuilder: ${builder}\n`);
  agent = startSlipway(agentDir, ["launch-agent", "-q", QUEUE, "-c", config, "--data", agentDir], {
    env: {
      ...awsVariables(world.aws),
      DOCKER_HOST: engine.host,
      BUILD_TOKEN: "s3same-open",
      WANDB_BASE_URL: world.client.baseUrl,
      WANDB_API_KEY: await apiKey(),
    },
  });
});

afterAll(async () => {
  await agent?.end();
  await up?.end();
  await engine?.close();
  await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
});

async function apiKey(): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  return (JSON.parse(await readFile(join(dataDir, "credentials.json"), "utf8")) as { apiKey: string }).apiKey;
}

/** The base image lies in the local ECR alone: no name of it is left in the engine. */
async function pushBase(): Promise<void> {
  const token = (await world.ecr.send(new GetAuthorizationTokenCommand({}))).authorizationData![0]!;
  const registry = new URL(token.proxyEndpoint!).host;
  const password = Buffer.from(token.authorizationToken!, "base64").toString().replace("AWS:", "");
  await engine.docker(["login", "-u", "AWS", "--password-stdin", registry], password);
  await engine.docker(["tag", "plain:1", `${registry}/base:1`]);
  await engine.docker(["push", "-q", `${registry}/base:1`]);
  await engine.docker(["rmi", "-f", `${registry}/base:1`, "plain:1"]);
}

interface Shown {
  readonly id: string;
  readonly state: string;
  readonly cause: string;
  readonly error: { readonly code: string | null } | null;
  readonly explanation: { readonly summary: string };
}

let made = 0;

async function code(files: Readonly<Record<string, string>>): Promise<string> {
  made += 1;
  const directory = join(dataDir, "code", String(made));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
  return directory;
}

async function launch(...what: readonly string[]): Promise<{ item: Shown; lines: string[] }> {
  const args = ["launch", ...what, "-q", QUEUE, "--follow", "--json"];
  const { stdout, stderr } = await slipway(dataDir, args);
  expect(stderr).toBe("");
  const item = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as Shown;
  return { item, lines: await world.lines(item.id) };
}

const completed = { state: "FINISHED", cause: "completed" };

it("trains code without a Dockerfile, and builds it once", async () => {
  const directory = await code({ "train.py": "import os, sys; print('trained in', os.getcwd(), sys.argv[1:])" });
  const first = await launch(directory);
  expect(first.item).toMatchObject(completed);
  expect(first.lines).toContain("algo-1 trained in /opt/slipway/code []");
  expect(first.lines).toContainEqual(expect.stringMatching(/^build \[.*\] FROM /));
  const phases = (await world.timeline(first.item.id)).map(({ phase }) => phase);
  expect(phases).toEqual(expect.arrayContaining(["planning", "building", "pushing", "submitting"]));

  const second = await launch(directory);
  expect(second.item).toMatchObject(completed);
  expect(second.lines).toContainEqual(
    expect.stringMatching(/^build The image slipway-\w+ is in the registry already$/),
  );
  expect(second.lines).not.toContainEqual(expect.stringMatching(/^build \[/));
});

it("trains what the code's own Dockerfile makes: stages, a secret, a base of ECR, its own entry point", async () => {
  const directory = await code({
    "docker/gpu.Dockerfile": [
      `FROM ${base} AS tools`,
      'RUN --mount=type=secret,id=TOKEN test "$(cat /run/secrets/TOKEN)" = s3same-open && echo tooled > /tool',
      `FROM ${base}`,
      "COPY --from=tools /tool /tool",
      "COPY train.py /job/",
      "WORKDIR /job",
      'ENTRYPOINT ["python3", "train.py"]',
    ].join("\n"),
    "train.py": "import os, sys; print('trained with', open('/tool').read().strip(), 'in', os.getcwd(), sys.argv[1:])",
  });
  const { item, lines } = await launch(directory, "--dockerfile", "docker/gpu.Dockerfile");
  expect(item).toMatchObject(completed);
  expect(lines).toContain("algo-1 trained with tooled in /job ['train']");
});

it("trains what Dockerfile.wandb beside the script makes", async () => {
  const files = {
    "jobs/Dockerfile.wandb": `FROM ${base}\nWORKDIR /here\nCOPY . .\n`,
    "jobs/train.py": "import os; print('trained in', os.getcwd(), sorted(os.listdir('.')))",
    "notes.txt": "no part of it",
  };
  const directory = await code(files);
  const { item, lines } = await launch(directory, "-E", "python3 jobs/train.py");
  expect(item).toMatchObject(completed);
  expect(lines).toContain("algo-1 trained in /here ['Dockerfile.wandb', 'train.py']");
});

it("trains a job that names its Dockerfile", async () => {
  const directory = await code({
    "job.Dockerfile": `FROM ${base}\nWORKDIR /of-job\nCOPY . .\n`,
    "train.py": "import os; print('trained in', os.getcwd())",
  });
  const job = ["--name", "built", "-E", "python3 train.py", "-D", "job.Dockerfile", "-p", "test"];
  expect(await slipway(dataDir, ["job", "create", "code", directory, ...job])).toMatchObject({ code: 0, stderr: "" });
  const { item, lines } = await launch("-j", "built", "-p", "test");
  expect(item).toMatchObject(completed);
  expect(lines).toContain("algo-1 trained in /of-job");
});

it("tells the step that failed, and its line", async () => {
  const directory = await code({ Dockerfile: `FROM ${base}\n\nRUN echo no compiler; exit 7\n` });
  const { item, lines } = await launch(directory, "-D", "Dockerfile");
  expect(item).toMatchObject({ state: "FAILED", cause: "build", error: { code: "BUILD_STEP_FAILED" } });
  expect(item.explanation.summary).toContain(
    "Dockerfile line 3: the step RUN echo no compiler; exit 7 failed: exit code 7",
  );
  expect(lines).toContain("build no compiler");
});

it("ends a build that is stopped", async () => {
  const directory = await code({ Dockerfile: `FROM ${base}\nRUN echo building; sleep 619\n` });
  const { stdout } = await slipway(dataDir, ["launch", directory, "-q", QUEUE, "-D", "Dockerfile", "--json"]);
  const { id, runId } = JSON.parse(stdout) as { id: string; runId: string };
  await expect.poll(() => world.lines(id), { timeout: PATIENCE_MS }).toContain("build building");
  expect((await slipway(dataDir, ["item", "stop", runId])).code).toBe(0);
  expect(await world.settled(id)).toMatchObject({ state: "STOPPED", cause: "stopped" });
});
