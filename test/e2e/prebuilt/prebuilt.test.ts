import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { CreateRepositoryCommand, ECRClient, GetAuthorizationTokenCommand } from "@aws-sdk/client-ecr";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type DockerEngine, startDockerEngine } from "../../support/docker.ts";
import { environmentOf, type Started, slipway, slipwayUp } from "../../support/slipway.ts";

/** Prebuilt images, from `slipway launch -d` to the model, in a real Docker engine. */

const TRAIN = `
import json, os, sys
hyperparameters = json.load(open("/opt/ml/input/config/hyperparameters.json"))
print("training as", os.uname().nodename, sys.argv[1:], flush=True)
open("/opt/ml/model/weights", "w").write("w")
sys.exit(int(os.environ.get("EXIT", "0")))
`;

let dataDir: string;
let engine: DockerEngine;
let up: Started;
let env: Record<string, string>;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "slipway-prebuilt-"));
  engine = await startDockerEngine();
  await engine.makeBaseImage("base:test");
  await engine.docker(["build", "-t", "only-in-engine:1", "-"], dockerfile());
  up = await slipwayUp(dataDir, [], { env: { DOCKER_HOST: engine.host } });
  env = await environmentOf(dataDir);
});

afterAll(async () => {
  await up?.end();
  await engine?.close();
  await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
});

function dockerfile(): string {
  const script = Buffer.from(TRAIN).toString("base64");
  return [
    "FROM base:test",
    `ENTRYPOINT ["python3", "-c", "import base64, sys; exec(base64.b64decode('${script}'))"]`,
  ].join("\n");
}

/** Pushes an image of the engine to the local ECR and takes it away from the engine. Gives its ECR name. */
async function pushAndForget(local: string, repository: string): Promise<string> {
  const ecr = new ECRClient({
    endpoint: env.AWS_ENDPOINT_URL!,
    region: env.AWS_REGION!,
    credentials: { accessKeyId: env.AWS_ACCESS_KEY_ID!, secretAccessKey: env.AWS_SECRET_ACCESS_KEY! },
  });
  await ecr.send(new CreateRepositoryCommand({ repositoryName: repository }));
  const token = (await ecr.send(new GetAuthorizationTokenCommand({}))).authorizationData![0]!;
  const registry = new URL(token.proxyEndpoint!).host;
  const password = Buffer.from(token.authorizationToken!, "base64").toString().replace("AWS:", "");
  await engine.docker(["login", "-u", "AWS", "--password-stdin", registry], password);
  await engine.docker(["tag", local, `${registry}/${repository}:1`]);
  await engine.docker(["push", "-q", `${registry}/${repository}:1`]);
  await engine.docker(["rmi", "-f", `${registry}/${repository}:1`, local]);
  return `${env.SLIPWAY_ECR_REGISTRY}/${repository}:1`;
}

interface ShownItem {
  readonly state: string;
  readonly cause: string;
  readonly explanation: { readonly summary: string; readonly next: string | null };
  readonly training: { readonly name: string; readonly exitCode: number | null } | null;
}

async function launch(image: string, more: readonly string[] = []): Promise<{ code: number | null; item: ShownItem }> {
  const args = ["launch", "-d", image, "--follow", "--json", ...more];
  const { code, stdout, stderr } = await slipway(dataDir, args);
  expect(stderr).toBe("");
  return { code, item: JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as ShownItem };
}

it("runs an image that only the engine has, and follows it to its end", async () => {
  const { code, stdout } = await slipway(dataDir, ["launch", "-d", "only-in-engine:1", "--follow"]);
  expect(stdout).toContain("training as algo-1 ['train']");
  expect(code).toBe(0);
});

it("runs an image of the local ECR that the engine must pull", async () => {
  const image = await pushAndForget("only-in-engine:1", "prebuilt");
  const { code, item } = await launch(image);
  expect(code).toBe(0);
  expect(item).toMatchObject({ state: "FINISHED", cause: "completed" });
  expect(await engine.docker(["ps", "-aq"])).toBe("");

  const failed = await launch(image, ["-R", JSON.stringify({ Environment: { EXIT: "5" } })]);
  expect(failed.code).toBe(5);
  expect(failed.item).toMatchObject({ state: "FAILED", cause: "code_failed", training: { exitCode: 5 } });
});

it("an image that is nowhere fails the job and says so", async () => {
  const unknown = await launch("no-such-image:1");
  expect(unknown.code).not.toBe(0);
  expect(unknown.item.state).toBe("FAILED");
  expect(unknown.item.explanation.summary).toContain("no-such-image:1");
  const inEcr = await launch(`${env.SLIPWAY_ECR_REGISTRY}/prebuilt:2`);
  expect(inEcr.item.state).toBe("FAILED");
  expect(inEcr.item.explanation.summary).toContain("prebuilt:2");
});

it("leaves nothing behind", async () => {
  const run = promisify(execFile);
  await up.end();
  expect(await engine.docker(["ps", "-aq"])).toBe("");
  const { stdout } = await run("ps", ["-eo", "args"]);
  expect(stdout.split("\n").filter((line) => line.includes(dataDir))).toEqual([]);
});
