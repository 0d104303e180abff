import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WandbRelease } from "../../support/python-peers.ts";
import { startWandbWorld, type WandbWorld, WORLDS } from "../../support/wandb-world.ts";

/** Run queues and their items through the unmodified client's public API. */

const CONFIG = {
  RoleArn: "arn:aws:iam::123456789012:role/SlipwaySageMakerExecution",
  OutputDataConfig: { S3OutputPath: "s3://slipway-123456789012-us-east-1/output" },
  ResourceConfig: { InstanceType: "{{instance}}", InstanceCount: 1, VolumeSizeInGB: "{{disk}}" },
  StoppingCondition: { MaxRuntimeInSeconds: 600 },
};
const VARIABLES = {
  instance: { schema: { type: "string", enum: ["ml.m5.large", "ml.m5.xlarge"], default: "ml.m5.large" } },
  disk: { schema: { type: "integer", minimum: 1, maximum: 50, default: 10 } },
};

/** A Python expression of the value. */
const py = (value: unknown) => `json.loads(${JSON.stringify(JSON.stringify(value))})`;

const PRELUDE = `
import json, wandb
from wandb.sdk.launch import launch_add
api = wandb.Api()
def attempt(what):
  try:
    return what()
  except BaseException as e:
    return type(e).__name__ + ": " + str(e)
def queue(name):
  q = wandb.Api().run_queue("admin", name)
  return {"access": q.access, "mode": q.prioritization_mode, "type": q.type, "config": q.default_resource_config,
    "variables": {v["name"]: json.loads(v["schema"]) for v in q.template_variables}, "items": [i.id for i in q.items]}
`;

describe.each(WORLDS)("run queues on $database", ({ database, releases }) => {
  let world: WandbWorld;
  beforeAll(async () => {
    world = await startWandbWorld({ database });
  });
  afterAll(() => world?.close());

  async function python<T>(release: WandbRelease, source: string): Promise<{ value: T; stderr: string }> {
    const client = await world.client(release);
    const { code, stdout, stderr } = await client.python(`${PRELUDE}\n${source}`);
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    return { value: JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as T, stderr };
  }

  describe.each(releases)("wandb %s", (release) => {
    const name = `gpu-${release.replaceAll(".", "-")}`;

    test("a queue is made once, read, changed by upsert with links, and deleted", async () => {
      const { value, stderr } = await python<Record<string, unknown>>(
        release,
        `
def make():
  return api.create_run_queue(name="${name}", type="sagemaker", entity="admin", prioritization_mode="V0", config=${py(CONFIG)}, template_variables=${py(VARIABLES)})
made = make()
first = queue("${name}")
again = attempt(make)
wrong = attempt(lambda: api.create_run_queue(name="wrong", type="sagemaker", entity="admin", config={**${py(CONFIG)}, "RoleArm": "x"}))
changed = {**${py(CONFIG)}, "StoppingCondition": {"MaxRuntimeInSeconds": 1200}}
upserted = api.upsert_run_queue(name="${name}", resource_config=changed, resource_type="sagemaker", entity="admin",
  template_variables=${py(VARIABLES)}, external_links={"Grafana": "https://grafana.example.com/d/1"}, prioritization_mode="DISABLED")
second = queue("${name}")
links = upserted.prioritization_mode and upserted.external_links
new = api.upsert_run_queue(name="${name}-new", resource_config={**${py(CONFIG)}, "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}}, resource_type="sagemaker", entity="admin")
third = queue("${name}-new")
new.delete()
deleted = attempt(lambda: queue("${name}-new"))
print(json.dumps({"first": first, "again": again, "wrong": wrong, "second": second, "links": links, "third": third, "deleted": deleted}))`,
      );
      const schemas = Object.fromEntries(Object.entries(VARIABLES).map(([key, { schema }]) => [key, schema]));
      const first = { access: "PROJECT", mode: "V0", type: "sagemaker", config: CONFIG, variables: schemas, items: [] };
      expect(value).toMatchObject({
        first,
        again: expect.stringMatching(`admin has a queue ${name} already`),
        wrong: expect.stringContaining("RoleArm"),
        second: { ...first, mode: "DISABLED", config: { ...CONFIG, StoppingCondition: { MaxRuntimeInSeconds: 1200 } } },
        links: { links: [{ label: "Grafana", url: "https://grafana.example.com/d/1" }] },
        third: { mode: "DISABLED", variables: {} },
        deleted: expect.stringMatching(/Error/),
      });
      expect(stderr).not.toContain("resource config validation");
    });

    test("queued runs: their state and place, and what deleting them does", async () => {
      const { value } = await python<Record<string, unknown>>(
        release,
        `
def push(**more):
  return launch_add(docker_image="busybox:1", project="digits", entity="admin", queue_name="${name}", **more)
one = push(name="first", priority=2, template_variables={"instance": "ml.m5.xlarge", "disk": 20})
two = push(priority=0, config={"overrides": {"run_config": {"lr": 0.1}}})
refused = [attempt(lambda: push(template_variables={"instance": "ml.p5.huge"})), attempt(lambda: push(template_variables={"disk": 51})),
  attempt(lambda: push(template_variables={"dsik": 5}))]
listed = queue("${name}")["items"]
states = [one.state, two.state]
same = wandb.Api().queued_run("admin", "digits", "${name}", one.id, project_queue="model-registry").state
two.delete()
gone = two.state
print(json.dumps({"ids": [one.id, two.id], "listed": listed, "states": states, "same": same, "gone": gone, "refused": refused}))`,
      );
      const { ids, listed } = value as { ids: string[]; listed: string[] };
      expect(listed.sort()).toEqual([...ids].sort());
      expect(value).toMatchObject({ states: ["pending", "pending"], same: "pending", gone: "stopped" });
      const refused = value.refused as string[];
      expect(refused[0]).toMatch(/instance|ml.p5.huge/);
      expect(refused[1]).toMatch(/disk|51/);
      expect(refused[2]).toMatch(/dsik/);

      const { runQueueItem } = await world.graphql<{ runQueueItem: Record<string, unknown> }>(
        `query I($id: ID!) { runQueueItem(id: $id) { name priority author state runSpec } }`,
        { id: ids[0] },
      );
      expect(runQueueItem).toMatchObject({
        name: "first",
        priority: 2,
        author: "admin",
        runSpec: {
          resource: "sagemaker",
          resource_args: { sagemaker: { ResourceConfig: { InstanceType: "ml.m5.xlarge", VolumeSizeInGB: 20 } } },
        },
      });
    });

    test("queues of other resources are for agents that know them; the client's own default queue has no config", async () => {
      const agentApi =
        release === "0.23.0"
          ? "from wandb.sdk.internal.internal_api import Api as AgentApi"
          : "from wandb.sdk.launch.api import LaunchApi as AgentApi";
      const { value } = await python<Record<string, unknown>>(
        release,
        `
${agentApi}
agent_api = AgentApi()
name = "${name}-k8s"
api.create_run_queue(name=name, type="kubernetes", entity="admin", config={"spec": {"gpus": "{{gpus}}"}, "namespace": "ml"},
  template_variables={"gpus": {"schema": {"type": "integer", "minimum": 1, "default": 1}}})
api.upsert_run_queue(name=name, resource_type="kubernetes", entity="admin", resource_config={"spec": {"gpus": "{{gpus}}"}, "namespace": "jobs"},
  template_variables={"gpus": {"schema": {"type": "integer", "minimum": 1, "default": 1}}})
launch_add(docker_image="busybox:1", project="digits", entity="admin", queue_name=name, template_variables={"gpus": 3})
spec = agent_api.pop_from_run_queue(name, "admin", "model-registry")["runSpec"]
wrong = attempt(lambda: launch_add(docker_image="busybox:1", project="digits", entity="admin", queue_name=name, resource="sagemaker"))
launch_add(docker_image="busybox:1", project="digits", entity="admin", queue_name="default")
plain = agent_api.pop_from_run_queue("default", "admin", "model-registry")["runSpec"]
print(json.dumps({"queue": queue(name), "spec": spec, "wrong": wrong, "plain": [plain["resource"], plain["resource_args"]]}))`,
      );
      expect(value).toMatchObject({
        queue: { type: "kubernetes", config: { namespace: "jobs" } },
        spec: { resource: "kubernetes", resource_args: { kubernetes: { spec: { gpus: 3 }, namespace: "jobs" } } },
        wrong: expect.stringContaining("The queue runs its items on kubernetes, not on sagemaker"),
        plain: ["local-container", { "local-container": {} }],
      });
    });
  });
});
