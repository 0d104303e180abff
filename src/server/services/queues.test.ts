import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import { type ControlPlane, createControlPlane } from "../testing/control-plane.ts";

describe.each(databases)("queues on $name", ({ open }) => {
  let store: TestDatabase;
  let plane: ControlPlane;
  beforeAll(async () => {
    store = await open();
    plane = await createControlPlane(store.database);
  });
  afterAll(async () => {
    await plane?.close();
    await store?.close();
  });

  const upsert = (queueName: string, config: object, more: object = {}) =>
    plane.services.queues.upsert(plane.admin, {
      entityName: "admin",
      queueName,
      resourceType: "sagemaker",
      resourceConfig: JSON.stringify(config),
      ...more,
    });
  const push = (queueName: string, more: object = {}, spec: object = {}) =>
    plane.services.items.push(plane.admin, {
      queue: { entityName: "admin", name: queueName },
      runSpec: JSON.stringify({ entity: "admin", project: "p", docker: { docker_image: "image:1" }, ...spec }),
      ...more,
    });

  test("a wrong config is refused when it is saved, and nothing is kept", async () => {
    const { config } = await plane.queue();
    const { RoleArn, ...noRole } = config;
    await expect(upsert("bad", noRole)).rejects.toMatchObject({ code: "RESOURCE_CONFIG_INVALID" });
    await expect(upsert("bad", { ...config, RoleArm: RoleArn })).rejects.toMatchObject({
      problems: [
        expect.objectContaining({ path: expect.stringContaining("RoleArm"), hint: expect.stringContaining("RoleArn") }),
      ],
    });
    expect(await plane.services.queues.get(plane.admin, "admin", "bad")).toBeUndefined();
  });

  test("each change is a version; a queue that exists is not made again; of several at once one is made", async () => {
    const { config } = await plane.queue();
    const first = await upsert("versions", config, { configText: "# mine\n" });
    expect(first).toMatchObject({ version: 1, configText: "# mine\n" });
    const changed = await upsert("versions", { ...config, StoppingCondition: { MaxRuntimeInSeconds: 60 } });
    expect(changed).toMatchObject({
      id: first.id,
      version: 2,
      config: { StoppingCondition: { MaxRuntimeInSeconds: 60 } },
    });
    const versions = await plane.services.queues.versions(plane.admin, first.id);
    expect(versions.map((version) => [version.version, version.configText])).toEqual([
      [2, null],
      [1, "# mine\n"],
    ]);
    await expect(upsert("versions", config, { createOnly: true })).rejects.toMatchObject({ code: "QUEUE_EXISTS" });
    const made = await Promise.allSettled([1, 2, 3].map(() => upsert("contested", config, { createOnly: true })));
    expect(made.filter((result) => result.status === "fulfilled")).toHaveLength(1);
  });

  test("a queue's owner has the project by which the wandb agent asks for queues", async () => {
    const { config } = await plane.queue();
    await upsert("for-wandb", config);
    const project = await plane.services.projects.get(plane.admin, "admin", "model-registry");
    expect(project?.name).toBe("model-registry");
  });

  test("template values are filled in and checked at the push", async () => {
    const { config } = await plane.queue();
    const places = { ...config, ResourceConfig: { InstanceType: "{{itype}}", InstanceCount: 1, VolumeSizeInGB: 10 } };
    const schema = { type: "string", enum: ["ml.m5.large", "ml.g5.xlarge"], default: "ml.m5.large" };
    await upsert("templates", places, { templateVariables: JSON.stringify({ itype: { schema } }) });
    const instance = async (values?: object) =>
      (await push("templates", values ? { templateVariableValues: JSON.stringify(values) } : {})).runSpec.resource_args
        ?.sagemaker?.ResourceConfig;
    expect(await instance()).toMatchObject({ InstanceType: "ml.m5.large" });
    expect(await instance({ itype: "ml.g5.xlarge" })).toMatchObject({ InstanceType: "ml.g5.xlarge" });
    await expect(instance({ itype: "ml.p5.48xlarge" })).rejects.toMatchObject({ code: "TEMPLATE_VALUES_INVALID" });
    await expect(push("templates", { templateVariableValues: "{" })).rejects.toMatchObject({ code: "INPUT_INVALID" });
  });

  test("a push that can't be is refused with the nearest name, and leaves nothing", async () => {
    await plane.queue("default");
    await expect(push("defualt")).rejects.toMatchObject({
      code: "QUEUE_NOT_FOUND",
      hint: expect.stringContaining("default"),
    });
    await expect(push("default", { priority: 7 })).rejects.toMatchObject({ code: "INPUT_INVALID" });
    await expect(push("default", {}, { entity: "admim" })).rejects.toMatchObject({ code: "ENTITY_NOT_FOUND" });
    const digest = `sha256:${"0".repeat(64)}`;
    const code = { digest, size: 1, entry_point: ["python3", "train.py"] };
    await expect(push("default", {}, { docker: {}, code })).rejects.toMatchObject({ code: "CODE_MISSING" });
    const { runId } = await push("default", {}, { run_id: "mine" });
    expect(runId).toBe("mine");
    await expect(push("default", {}, { run_id: "mine" })).rejects.toMatchObject({ code: "RUN_ID_TAKEN" });
    const queue = await plane.services.queues.get(plane.admin, "admin", "default");
    const counts = await plane.services.queues.counts(plane.admin, [queue?.id ?? ""]);
    expect(counts.get(queue?.id ?? "")).toMatchObject({ pending: 1, leased: 0, oldestPendingAt: plane.clock.now() });
  });

  test("of pushes at once that name one run that is no item's, one gets it", async () => {
    await plane.queue("rush");
    await plane.services.runs.upsert(plane.admin, { entityName: "admin", projectName: "digits", name: "waiting" });
    const spec = { run_id: "waiting", project: "digits" };
    const tries = await Promise.allSettled(Array.from({ length: 5 }, () => push("rush", {}, spec)));
    const taken = tries.flatMap((one) => (one.status === "fulfilled" ? [one.value.id] : []));
    expect(taken).toHaveLength(1);
    for (const one of tries) if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "RUN_ID_TAKEN" });
    const run = await plane.services.runs.get(plane.admin, {
      entityName: "admin",
      projectName: "digits",
      name: "waiting",
    });
    expect(run?.itemId).toBe(taken[0]);
  });

  test("a queue is not deleted under an agent's hands; what waits on it ends, and its name is free again", async () => {
    const queue = await plane.queue("doomed");
    const agent = await plane.agent([queue]);
    const held = await plane.push(queue);
    const [lease] = await plane.lease(agent);
    const waits = await plane.push(queue);
    const remove = () => plane.services.queues.delete(plane.admin, [queue.id]);
    await expect(remove()).rejects.toMatchObject({ code: "QUEUE_BUSY" });
    expect(await plane.item(waits.id)).toMatchObject({ state: "PENDING" });
    if (!lease) throw new Error("nothing was leased");
    const { id: itemId, attempt, fencingToken } = lease.item;
    const end = { lease: { itemId, attempt, fencingToken }, state: "FAILED", cause: "build" } as const;
    await plane.services.items.settle(plane.admin, end);
    await remove();
    expect(await plane.item(waits.id)).toMatchObject({ state: "STOPPED", cause: "deleted" });
    expect(await plane.item(held.id)).toMatchObject({ state: "FAILED", queueName: "doomed" });
    expect((await plane.queue("doomed")).id).not.toBe(queue.id);
  });
});
