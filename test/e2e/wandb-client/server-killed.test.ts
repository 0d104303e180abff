import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pythonPeers } from "../../support/python-peers.ts";
import { until } from "../../support/slipway.ts";
import { pushTrainingImage } from "../../support/training-image.ts";
import { localAwsOf, makeTrainingQueue } from "../../support/training-queue.ts";
import { CROSSED_WORLDS, startWandbWorld, type WandbWorld } from "../../support/wandb-world.ts";
import { awsVariables } from "../../support/world.ts";

/** The only server is killed while clients write history, send artifacts and train launched jobs: nothing is lost, nothing twice. */

const TRAIN = `import time, wandb
with wandb.init() as run:
    for step in range(80):
        run.log({"step": step})
        time.sleep(0.1)
`;

describe.each(CROSSED_WORLDS)("on $database", ({ database, releases }) => {
  let world: WandbWorld;
  let image: string;
  beforeAll(async () => {
    world = await startWandbWorld({ database, localAws: true });
    image = await pushTrainingImage(localAwsOf(world), "killed", { "train.py": TRAIN });
    await makeTrainingQueue(world, "killed", { WANDB_BASE_URL: world.url });
  });
  afterAll(() => world?.close());

  test.each(releases)(
    "wandb %s: history, artifacts and launched jobs outlive the server's end by SIGKILL",
    async (release) => {
      const project = `killed-${release.replaceAll(".", "-")}`;
      const { python } = await pythonPeers(release);
      const client = await world.client(release);
      const agent = (await world.client(release, { env: awsVariables(localAwsOf(world).environment) })).start([
        ...["launch-agent", "-q", "killed", "-e", "admin", "-j", "2"],
      ]);
      const launched = client.python(`
import json
from wandb.sdk.launch import launch_add
queued = launch_add(docker_image="${image}", project="${project}", entity="admin", queue_name="killed", entry_point=["${python}", "train.py"])
run = queued.wait_until_finished()
print(json.dumps([run.state, [row["step"] for row in run.scan_history()]]))`);
      // Before it takes an artifact, 0.23.0 asks once whether its key is good, and raises when nobody answers just then.
      const written = client.python(`
import os, time, wandb
run = wandb.init(project="${project}", id="long")
def send(artifact):
    while True:
        try:
            return run.log_artifact(artifact)
        except wandb.errors.AuthenticationError as error:
            if "Unable to connect" not in str(error):
                raise
            time.sleep(0.2)
for step in range(200):
    run.log({"loss": step})
    if step % 40 == 0:
        open(f"{step}.bin", "wb").write(step.to_bytes(2, "big") * 1_500_000)
        artifact = wandb.Artifact("weights", "model")
        artifact.add_file(f"{step}.bin")
        send(artifact)
    time.sleep(0.1)
run.finish()`);
      const lines = async (name?: string) => {
        const { project: found } = await world.graphql<{
          project: { runs: { edges: { node: { name: string; historyLineCount: number } }[] } } | null;
        }>(
          `query L($project: String!) { project(name: $project, entityName: "admin") {
           runs { edges { node { name historyLineCount } } } } }`,
          { project },
        );
        const runs = (found?.runs.edges ?? []).map(({ node }) => node);
        return runs.filter((run) => (run.name === "long") === (name === "long")).map((run) => run.historyLineCount);
      };
      try {
        await until("history of the run", async () => ((await lines("long"))[0] ?? 0) > 20 || undefined);
        const before = await lines("long");
        await world.restartServer("SIGKILL");
        expect((await lines("long"))[0]).toBeGreaterThanOrEqual(before[0] ?? 0);
        await until("history of the job", async () => ((await lines())[0] ?? 0) > 0 || undefined);
        await world.restartServer("SIGKILL");

        const wrote = await written;
        expect(wrote.code, wrote.stdout + wrote.stderr).toBe(0);
        const trained = await launched;
        expect(trained.code, `${trained.stdout}\n${trained.stderr}\n${agent.output()}`).toBe(0);
        const [state, steps] = JSON.parse(trained.stdout.trim().split("\n").at(-1) ?? "");
        expect(state).toBe("finished");
        expect(steps).toEqual(Array.from({ length: 80 }, (_, step) => step));
      } finally {
        await agent.stop();
      }
      const read = await client.python(`
import json, wandb
api = wandb.Api()
run = api.run("admin/${project}/long")
sizes = []
for version in sorted(api.artifacts("model", "admin/${project}/weights"), key=lambda one: int(one.version[1:])):
    with open(version.download(root=version.version) + "/" + list(version.manifest.entries)[0], "rb") as file:
        content = file.read()
    sizes.append([version.version, content == int(list(version.manifest.entries)[0][:-4]).to_bytes(2, "big") * 1_500_000])
print(json.dumps([run.state, [row["loss"] for row in run.scan_history()], sizes]))`);
      expect(read.code, read.stdout + read.stderr).toBe(0);
      expect(JSON.parse(read.stdout.trim().split("\n").at(-1) ?? "")).toEqual([
        "finished",
        Array.from({ length: 200 }, (_, step) => step),
        Array.from({ length: 5 }, (_, version) => [`v${version}`, true]),
      ]);
    },
  );
});
