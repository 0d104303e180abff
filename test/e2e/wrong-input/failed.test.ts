import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateTrainingJobCommand, SageMakerClient } from "@aws-sdk/client-sagemaker";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { environmentOf, type Started, slipway, slipwayUp } from "../../support/slipway.ts";

/** Mistakes that show only when the job is carried out: the item says what happened, and what to do. */

let dataDir: string;
let up: Started;
let env: Record<string, string>;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "slipway-failed-"));
  // No engine: whatever this machine may have, these tests mean a machine without.
  up = await slipwayUp(dataDir, [], { env: { DOCKER_HOST: `unix://${dataDir}/no-engine.sock` } });
  env = await environmentOf(dataDir);
});

afterAll(async () => {
  await up?.end();
});

interface ShownItem {
  readonly state: string;
  readonly cause: string;
  readonly runId: string;
  readonly explanation: { readonly summary: string; readonly next: string | null };
  readonly error: { readonly code: string | null } | null;
  readonly training: { readonly exitCode: number | null } | null;
}

/** Launches and gives the exit code of `launch --follow` with the item as it ended. */
async function launch(args: readonly string[]): Promise<{ code: number | null; item: ShownItem }> {
  const { code, stdout, stderr } = await slipway(dataDir, ["launch", ...args, "--follow", "--json"]);
  const last = stdout.trimEnd().split("\n").at(-1) ?? "";
  expect(stderr).toBe("");
  return { code, item: JSON.parse(last) as ShownItem };
}

async function code(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(dataDir, "code-"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

const says = (item: ShownItem) => `${item.explanation.summary}\n${item.explanation.next}`;

describe("a job that cannot be carried out says why", () => {
  it("training code that exits 3: its own exit code comes back", async () => {
    const { code: exit, item } = await launch([await code({ "train.py": "import sys\nprint('bye')\nsys.exit(3)\n" })]);
    expect(exit).toBe(3);
    expect(item).toMatchObject({ state: "FAILED", cause: "code_failed", training: { exitCode: 3 } });
    expect(says(item)).toMatch(/exit code 3: bye\n.*log/);
  });

  it("training code that raises: the exception and its line", async () => {
    const text = "def load(path):\n    raise ValueError(f'no such column in {path}')\n\nload('a.csv')\n";
    const { code: exit, item } = await launch([await code({ "train.py": text })]);
    expect(exit).toBe(1);
    expect(item.explanation.summary).toContain("ValueError: no such column in a.csv (train.py line 2)");
  });

  it("training code that tells its failure in /opt/ml/output/failure", async () => {
    const text = "import sys\nopen('/opt/ml/output/failure', 'w').write('the label column is empty')\nsys.exit(1)\n";
    const { item } = await launch([await code({ "train.py": text })]);
    expect(item.explanation.summary).toContain("the label column is empty");
  });

  it("a package that does not exist", async () => {
    const folder = await code({ "train.py": "print(1)\n", "requirements.txt": "slipway-no-such-package==9.9\n" });
    const { code: exit, item } = await launch([folder]);
    expect(exit).toBe(1);
    expect(item).toMatchObject({ state: "FAILED", cause: "build", error: { code: "PACKAGE_NOT_FOUND" } });
    expect(says(item)).toContain("slipway-no-such-package");
  });

  it("an execution role that does not exist", async () => {
    const role = "arn:aws:iam::123456789012:role/NoSuchRole";
    const { item } = await launch([await code({ "train.py": "print(1)\n" }), "-R", JSON.stringify({ RoleArn: role })]);
    expect(item).toMatchObject({ state: "FAILED", cause: expect.stringMatching(/^(validation|access_denied)$/) });
    expect(says(item)).toContain(role);
  });

  it("an output bucket that does not exist", async () => {
    const output = JSON.stringify({ OutputDataConfig: { S3OutputPath: "s3://no-such-bucket-here/out" } });
    const { item } = await launch([await code({ "train.py": "print(1)\n" }), "-R", output]);
    expect(item).toMatchObject({ state: "FAILED", cause: "validation" });
    expect(says(item)).toContain("no-such-bucket-here");
  });

  it("an image that is not in its repository", async () => {
    const image = `${env.SLIPWAY_ECR_REGISTRY}/slipway-jobs:no-such-tag`;
    const { item } = await launch(["-d", image]);
    expect(item).toMatchObject({ state: "FAILED", error: { code: "IMAGE_NOT_FOUND" } });
    expect(says(item)).toContain("no-such-tag");
  });

  it("an image of an engine that is not there", async () => {
    const { item } = await launch(["-d", "local/some-image:v1"]);
    expect(item).toMatchObject({ state: "FAILED", cause: "validation" });
    expect(says(item)).toContain("local/some-image:v1");
  });

  it("a training job's name that is taken by a job of somebody else", async () => {
    const sagemaker = new SageMakerClient({
      endpoint: env.AWS_ENDPOINT_URL as string,
      region: env.AWS_REGION as string,
      credentials: {
        accessKeyId: env.AWS_ACCESS_KEY_ID as string,
        secretAccessKey: env.AWS_SECRET_ACCESS_KEY as string,
      },
    });
    const folder = await code({ "train.py": "print(1)\n" });
    const { item: first } = await launch([folder]);
    const { stdout } = await slipway(dataDir, ["item", "show", first.runId, "--json"]);
    const { request } = (JSON.parse(stdout) as { training: { request: Record<string, unknown> } }).training;
    const { Environment: _, ...others } = request;
    await sagemaker.send(new CreateTrainingJobCommand({ ...others, TrainingJobName: "taken-run-1" } as never));
    sagemaker.destroy();
    const body = {
      RoleArn: env.SLIPWAY_ROLE_ARN,
      TrainingJobName: "taken-${run_id}",
      ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 2 },
      OutputDataConfig: { S3OutputPath: `s3://${env.SLIPWAY_BUCKET}/out` },
      StoppingCondition: { MaxRuntimeInSeconds: 60 },
    };
    await mkdir(join(dataDir, "queues"), { recursive: true });
    const file = join(dataDir, "queues/named.json");
    await writeFile(file, JSON.stringify(body));
    expect((await slipway(dataDir, ["queue", "update", "default", "-f", file])).code).toBe(0);
    const { item } = await launchAs("run-1", folder);
    expect(item).toMatchObject({ state: "FAILED", cause: "name_conflict", error: { code: "TRAINING_JOB_NAME_TAKEN" } });
    expect(says(item)).toContain("taken-run-1");
  });
});

/** A push that names its run id, as the wandb client may: `--config {"run_id": ...}` is no option of ours, so over the API. */
async function launchAs(runId: string, folder: string): Promise<{ item: ShownItem }> {
  const { item: before } = await launch([folder]);
  const shown = JSON.parse((await slipway(dataDir, ["item", "show", before.runId, "--json"])).stdout) as {
    runSpec: Record<string, unknown>;
    entityName: string;
  };
  const { run_id: _, resource_args: __, ...spec } = shown.runSpec;
  const query = `mutation Push($input: PushToRunQueueByNameInput!) { pushToRunQueueByName(input: $input) { runQueueItemId } }`;
  const input = {
    entityName: shown.entityName,
    projectName: "model-registry",
    queueName: "default",
    runSpec: JSON.stringify({ ...spec, run_id: runId }),
  };
  const response = await fetch(`${env.WANDB_BASE_URL}/graphql`, {
    method: "POST",
    headers: { authorization: `Bearer ${env.WANDB_API_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ query, variables: { input } }),
  });
  const answer = (await response.json()) as { data: { pushToRunQueueByName: { runQueueItemId: string } } };
  await slipway(dataDir, ["logs", runId, "-f"]);
  const { stdout } = await slipway(dataDir, [
    "item",
    "show",
    answer.data.pushToRunQueueByName.runQueueItemId,
    "--json",
  ]);
  return { item: JSON.parse(stdout) as ShownItem };
}
