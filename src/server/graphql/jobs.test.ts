import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import { logArtifact } from "../testing/log-artifact.ts";
import { createTestApp, type TestApp } from "../testing/test-app.ts";

/** What a push that names a job is checked for. */

const NO_TYPES = { wb_type: "typedDict", params: { type_map: {} } };
const SCHEMA = { type: "object", properties: { lr: { type: "number", maximum: 1 } } };

function jobFile(source_type: string, source: unknown, input_types: unknown = NO_TYPES): Record<string, string> {
  const job = { _version: "v0", source_type, source, input_types, output_types: NO_TYPES, runtime: "3.11" };
  return { "wandb-job.json": JSON.stringify(job), "requirements.frozen.txt": "" };
}

describe.each(databases)("jobs at push on $name", ({ open }) => {
  let database: TestDatabase;
  let app: TestApp;
  const job = (name: string, files: Record<string, string>, metadata?: unknown) =>
    logArtifact(app, { project: "jobs", type: "job", name, files, metadata });

  beforeAll(async () => {
    database = await open();
    app = await createTestApp(database.database);
    await app.data(
      `mutation { upsertBucket(input: { name: "r", modelName: "jobs", entityName: "admin" }) { inserted } }`,
    );
    const { upsertRunQueue } = await app.data<{ upsertRunQueue: { success: boolean } }>(
      `mutation Q($input: UpsertRunQueueInput!) { upsertRunQueue(input: $input) { success } }`,
      {
        input: {
          entityName: "admin",
          projectName: "model-registry",
          queueName: "q",
          resourceType: "sagemaker",
          resourceConfig: JSON.stringify({
            RoleArn: "arn:aws:iam::123456789012:role/SageMaker",
            OutputDataConfig: { S3OutputPath: "s3://models/out" },
            ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 10 },
            StoppingCondition: { MaxRuntimeInSeconds: 3600 },
          }),
        },
      },
    );
    expect(upsertRunQueue.success).toBe(true);
    await job("train", jobFile("image", { image: "host/train:1" }), { input_schemas: { "@wandb.config": SCHEMA } });
  });
  afterAll(async () => {
    await app?.close();
    await database?.close();
  });

  async function push(spec: object) {
    const answer = await app.graphql<{
      pushToRunQueueByName: {
        runQueueItem: { runSpec: { job: string }; timeline: { detail: { warnings?: { path: string }[] } }[] };
      };
    }>(
      `mutation Push($input: PushToRunQueueByNameInput!) { pushToRunQueueByName(input: $input) {
         runQueueItem { runSpec timeline(first: 1) { detail } } } }`,
      {
        input: {
          entityName: "admin",
          projectName: "model-registry",
          queueName: "q",
          runSpec: JSON.stringify({ entity: "admin", project: "jobs", ...spec }),
        },
      },
    );
    return { error: answer.errors?.[0], item: answer.data?.pushToRunQueueByName?.runQueueItem };
  }

  test("a job is found by every way to write it, and the item keeps its very version", async () => {
    for (const name of ["train", "train:latest", "train:v0", "jobs/train", "admin/jobs/train:latest"]) {
      const { item, error } = await push({ job: name });
      expect(error).toBeUndefined();
      expect(item?.runSpec.job).toBe("admin/jobs/train:v0");
    }
  });

  test("a job that is not there is refused, with the one that was meant", async () => {
    const wrong = await push({ job: "admin/jobs/trian:latest" });
    expect(wrong.error).toMatchObject({
      extensions: { code: "JOB_NOT_FOUND", where: "job", hint: "Did you mean train?" },
    });
    expect((await push({ job: "train:v7" })).error?.extensions?.hint).toBe("train has no version v7.");
    expect((await push({ job: "nobody/jobs/train" })).error?.extensions).toMatchObject({ code: "JOB_NOT_FOUND" });
    expect((await push({ job: "admin/none/train" })).error?.extensions?.hint).toContain("no project none");
  });

  test("an artifact of another type is no job, and one without a proper job file can't be run", async () => {
    await logArtifact(app, { project: "jobs", type: "dataset", name: "data", files: jobFile("image", { image: "i" }) });
    expect((await push({ job: "data" })).error?.extensions?.code).toBe("JOB_NOT_FOUND");
    await job("empty", { "other.txt": "x" });
    expect((await push({ job: "empty" })).error?.extensions?.code).toBe("JOB_INVALID");
    await job("broken", jobFile("repo", { git: { remote: "file:///x", commit: "main" }, entrypoint: ["a"] }));
    const { error } = await push({ job: "broken" });
    expect(error?.extensions).toMatchObject({ code: "JOB_INVALID", where: "source.git.remote" });
  });

  test("values outside the job's schema are refused with their place; what is inside is taken", async () => {
    const config = (lr: unknown) => ({ job: "train", overrides: { run_config: { lr } } });
    const { error } = await push(config(2));
    expect(error?.message).toContain("admin/jobs/train:v0");
    expect(error?.extensions).toMatchObject({ code: "JOB_INPUTS_INVALID", where: "overrides.run_config.lr" });
    expect((await push(config(0.5))).error).toBeUndefined();
  });

  test("the types that the job's run had are a warning", async () => {
    const types = { wb_type: "typedDict", params: { type_map: { epochs: { wb_type: "number" } } } };
    await job("typed", jobFile("image", { image: "host/typed:1" }, types));
    const { item, error } = await push({ job: "typed", overrides: { run_config: { epochs: "three" } } });
    expect(error).toBeUndefined();
    expect(item?.timeline[0]?.detail.warnings).toEqual([
      expect.objectContaining({ path: "overrides.run_config.epochs" }),
    ]);
  });

  test("a job whose code was deleted is refused", async () => {
    const code = await logArtifact(app, { project: "jobs", type: "code", name: "source", files: { "t.py": "1" } });
    const source = { artifact: `wandb-artifact://_id/${code}`, entrypoint: ["python", "t.py"], notebook: false };
    await job("coded", jobFile("artifact", source));
    expect((await push({ job: "coded" })).error).toBeUndefined();
    await app.data(
      `mutation D($id: ID!) { deleteArtifact(input: { artifactID: $id, deleteAliases: true }) { artifact { id } } }`,
      { id: code },
    );
    expect((await push({ job: "coded" })).error?.extensions?.code).toBe("JOB_CODE_NOT_FOUND");
  });

  test("a job's key completes the job that its item names, while it is partial, and no other", async () => {
    const partial = (name: string) => job(name, jobFile("image", { image: `host/${name}:1` }), { _partial: true });
    const [own, other] = [await partial("own"), await partial("other")];
    const { accounts, agents, items, queues } = app.services;
    const admin = await accounts.authenticate(app.adminKey);
    if (!admin) throw new Error("the admin is unknown");
    await push({ job: "own" });
    const queue = await queues.get(admin, "admin", "q");
    if (!queue) throw new Error("there is no queue");
    const agent = await agents.create(admin, { entityName: "admin", queueIds: [queue.id], hostname: "h" });
    const { leases } = await items.lease(admin, { launchAgentId: agent.id, max: 100, waitSeconds: 0 });
    const lease = leases.find(({ runSpec }) => runSpec.job === "admin/jobs/own:v0");
    const key = (lease?.runSpec as { _wandb_api_key?: string } | undefined)?._wandb_api_key ?? "";
    expect(key).not.toBe("");
    const complete = async (id: string) => {
      const metadata = JSON.stringify({ input_types: { "@wandb.config": NO_TYPES } });
      const answer = await app.graphql<{ updateArtifact: { artifact: { metadata: string } } }>(
        `mutation U($input: UpdateArtifactInput!) { updateArtifact(input: $input) { artifact { metadata } } }`,
        { input: { artifactID: id, metadata } },
        key,
      );
      return answer.errors?.[0]?.extensions.code ?? "done";
    };
    const read = async (id: string) =>
      (
        await app.graphql<{ artifact: { id: string } | null }>(
          `query A($id: ID!) { artifact(id: $id) { id } }`,
          { id },
          key,
        )
      ).data?.artifact?.id ?? null;
    expect([await read(own), await read(other)]).toEqual([own, null]);
    expect(await complete(other)).toBe("ARTIFACT_NOT_FOUND");
    expect(await complete(own)).toBe("done");
    // It is not partial any more.
    expect(await complete(own)).toBe("ARTIFACT_NOT_FOUND");
  });
});
