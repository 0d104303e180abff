import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CreateRepositoryCommand, ECRClient } from "@aws-sdk/client-ecr";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GitServer, startGitServer } from "../../support/git-server.ts";
import { pythonPeers } from "../../support/python-peers.ts";
import type { Started } from "../../support/slipway.ts";
import { pushTrainingImage } from "../../support/training-image.ts";
import { localAwsOf, makeTrainingQueue } from "../../support/training-queue.ts";
import { CROSSED_WORLDS, startWandbWorld, type WandbWorld } from "../../support/wandb-world.ts";
import { awsVariables } from "../../support/world.ts";

/** Jobs that the client makes and launches, trained on SageMaker of the local AWS by `slipway launch-agent`. */

const TRAIN = `
import wandb
with wandb.init(config={"lr": 0.5, "source": "none"}) as run:
    run.summary["from"] = SOURCE
    run.log({"loss": run.config["lr"] / 2})
`;
const codeOf = (source: string) => TRAIN.replace("SOURCE", JSON.stringify(source));

describe.each(CROSSED_WORLDS)("jobs that train, on $database", ({ database, releases }) => {
  let world: WandbWorld;
  let git: GitServer;
  let image: string;
  let agent: Started;

  beforeAll(async () => {
    git = await startGitServer();
    world = await startWandbWorld({ database, localAws: true });
    const local = localAwsOf(world);
    const aws = local.environment;
    image = await pushTrainingImage(local, "image-job", { "train.py": codeOf("image") });
    await new ECRClient(local.client).send(new CreateRepositoryCommand({ repositoryName: "built" }));
    await mkdir(join(world.dataDir, "code"));
    await writeFile(join(world.dataDir, "code", "train.py"), codeOf("code"));
    await git.commit("train.git", { "train.py": codeOf("git") });
    await makeTrainingQueue(world, "train");
    const config = join(world.dataDir, "launch-config.yaml");
    const registry = `registry: {type: ecr, uri: ${aws.ecrRegistry}/built}`;
    await writeFile(config, `${registry}\nbuilder: {type: layer, base: host}\n`);
    agent = world.start(["launch-agent", "-q", "train", "-c", config, "--data", join(world.dataDir, "agent")], {
      env: {
        ...awsVariables(aws),
        WANDB_BASE_URL: world.url,
        WANDB_API_KEY: world.apiKey,
        GIT_SSL_CAINFO: git.env.GIT_SSL_CAINFO ?? "",
      },
    });
  });
  afterAll(async () => {
    await agent?.end("SIGTERM");
    await world?.close();
    await git?.close();
  });

  test.each(releases)(
    "wandb %s: of an image, of code and of git, by launch and by call",
    async (release) => {
      const { python } = await pythonPeers(release);
      const project = `train-${release.replaceAll(".", "-")}`;
      const client = await world.client(release, { env: git.env });
      const { code, stdout, stderr } = await client.python(`
import json, wandb
from wandb.sdk.launch import launch_add
from wandb.sdk.launch.create_job import create_job
target = dict(project="${project}", entity="admin")
run = ["${python}", "train.py"]
api = wandb.Api()
made = [
  create_job("${image}", "image", name="of-image", **target),
  create_job("${world.dataDir}/code", "code", name="of-code", entrypoint=" ".join(run), runtime="3.11", **target),
  create_job("${git.url}/train.git", "git", name="of-git", entrypoint=" ".join(run), runtime="3.11", **target),
]
pushed = {
  "image": launch_add(job="admin/${project}/of-image:latest", queue_name="train", entry_point=run, **target),
  "code": launch_add(job="admin/${project}/of-code:v0", queue_name="train", config={"overrides": {"run_config": {"lr": 0.25}}}, **target),
  "git": launch_add(job="admin/${project}/of-git:latest", queue_name="train", **target),
  "called": api.job("admin/${project}/of-code:latest").call(config={}, queue="train", resource="sagemaker", project_queue="model-registry", **target),
}
seen = {}
for name, queued in pushed.items():
    run = queued.wait_until_finished()
    seen[name] = {"state": run.state, "item": queued.state, "from": run.summary.get("from"), "loss": run.summary.get("loss"), "used": [job.name for job in run.used_artifacts()]}
print(json.dumps(seen))`);
      expect(code, `${stdout}\n${stderr}\n${agent.output()}`).toBe(0);
      const seen = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
      const of = (source: string, loss: number) => ({
        state: "finished",
        from: source,
        loss,
        used: [`of-${source}:v0`],
      });
      expect(seen, agent.output()).toMatchObject({
        image: of("image", 0.25),
        code: of("code", 0.125),
        git: of("git", 0.25),
        called: of("code", 0.25),
      });
    },
    180_000,
  );
});
