import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../../test/support/databases.ts";
import { writeLaunchScheduler } from "../../../core/sweeps/launch-scheduler.ts";
import type { QueueRecord } from "../../../store/records.ts";
import { type ControlPlane, createControlPlane, refOf } from "../../testing/control-plane.ts";
import type { Lease } from "../items.ts";
import type { Principal } from "../principal.ts";

const GRID = "method: grid\nimage_uri: registry.example/train:1\nparameters: {x: {values: [1, 2, 3]}}";

describe.each(databases)("sweeps that the server schedules, on $name", ({ open }) => {
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

  /** A sweep on a queue of its own, with an agent that has asked once. */
  async function launched(config = GRID, workers = 2, who: Principal = plane.admin, also: object = {}) {
    const queue = await plane.queue();
    const agent = await plane.agent([queue]);
    const launchScheduler = schedulerOn(queue, workers);
    const at = { entityName: "admin", projectName: "tuning" };
    const sweep = await plane.services.sweeps.upsert(who, { ...at, config, launchScheduler, ...also });
    const lease = (max = 10) => plane.lease(agent, max);
    expect(await lease()).toEqual([]);
    const end = async (one: Lease | undefined, state: "FINISHED" | "FAILED" = "FINISHED") => {
      await plane.services.items.ack(plane.admin, { ...refOf(one), runName: one?.item.runId ?? "" });
      const ref = { lease: refOf(one), state, cause: state === "FINISHED" ? "completed" : "code_failed" } as const;
      await plane.services.items.settle(plane.admin, { ...ref, retry: false });
    };
    return { queue, sweep: sweep.id, scheduler: sweep.schedulerItemId ?? "", lease, end, launchScheduler };
  }
  function schedulerOn(queue: QueueRecord, workers: number): string {
    return writeLaunchScheduler({
      queue: queue.name,
      entity: "admin",
      project: "tuning",
      author: "admin",
      source: { imageUri: "registry.example/train:1" },
      scheduler: { num_workers: workers },
      launch: { priority: 1 },
    });
  }
  async function stateOf(id: string) {
    const { state, handed } = await store.database.kysely
      .selectFrom("sweeps")
      .select(["state", "handed"])
      .where("id", "=", id)
      .executeTakeFirstOrThrow();
    return { state, handed: Number(handed) };
  }
  const configs = (leases: readonly Lease[]) => leases.map(({ runSpec }) => runSpec.overrides?.run_config);

  test("as many runs as workers are on the queue; the next comes when one has ended; then all is finished", async () => {
    const { sweep, scheduler, lease, end } = await launched();
    expect(await plane.item(scheduler)).toMatchObject({ state: "CLAIMED", agentId: null, leaseExpiresAt: null });
    await plane.services.sweep();
    await plane.services.sweep();
    const first = await lease();
    expect(configs(first)).toEqual([{ x: 1 }, { x: 2 }]);
    expect(first[0]?.item).toMatchObject({ priority: 1, author: "admin" });
    expect(first[0]?.runSpec.sweep_id).toBe(sweep);
    await end(first[0], "FAILED");
    await plane.services.sweep();
    const third = await lease();
    expect(configs(third)).toEqual([{ x: 3 }]);
    await end(first[1]);
    await plane.services.sweep();
    expect(await stateOf(sweep)).toEqual({ state: "RUNNING", handed: 3 });
    await end(third[0]);
    await plane.services.sweep();
    expect(await stateOf(sweep)).toEqual({ state: "FINISHED", handed: 3 });
    expect(await plane.item(scheduler)).toMatchObject({ state: "FINISHED", cause: "completed" });
  });

  test("the scheduler takes no place of the agent: it gets what else waits by the same call", async () => {
    const queue = await plane.queue();
    const agent = await plane.agent([queue]);
    const at = { entityName: "admin", projectName: "tuning", config: GRID };
    await plane.services.sweeps.upsert(plane.admin, { ...at, launchScheduler: schedulerOn(queue, 1) });
    const other = await plane.push(queue, { priority: 3 });
    expect((await plane.lease(agent, 1)).map(({ item }) => item.id)).toEqual([other.id]);
  });

  test("rounds at once push no run twice and never more than the workers", async () => {
    const { sweep, lease } = await launched(`${GRID.replace("[1, 2, 3]", "[1, 2, 3, 4, 5, 6, 7, 8]")}`, 3);
    await Promise.all([1, 2, 3, 4, 5].map(() => plane.services.sweep()));
    expect(configs(await lease())).toEqual([{ x: 1 }, { x: 2 }, { x: 3 }]);
    expect(await stateOf(sweep)).toEqual({ state: "RUNNING", handed: 3 });
  });

  test("run_cap ends a random sweep", async () => {
    const random = GRID.replace("grid", "random").replace("image_uri", "run_cap: 2\nimage_uri");
    const { sweep, lease, end } = await launched(random, 1);
    for (let run = 0; run < 2; run++) {
      await plane.services.sweep();
      const leases = await lease();
      expect(leases).toHaveLength(1);
      await end(leases[0]);
    }
    await plane.services.sweep();
    expect(await lease()).toEqual([]);
    expect(await stateOf(sweep)).toEqual({ state: "FINISHED", handed: 2 });
  });

  test("a paused sweep pushes nothing, and goes on when it is resumed, with the same scheduler", async () => {
    const { sweep, scheduler, lease, launchScheduler } = await launched();
    const { sweeps } = plane.services;
    await sweeps.upsert(plane.admin, { id: sweep, state: "PAUSED" });
    await plane.services.sweep();
    expect(await lease()).toEqual([]);
    expect(await plane.item(scheduler)).toMatchObject({ state: "CLAIMED" });
    await sweeps.upsert(plane.admin, { id: sweep, launchScheduler, state: "PENDING" });
    await plane.services.sweep();
    expect(await lease()).toHaveLength(2);
  });

  test("a sweep that is stopped lets its runs end, one that is cancelled stops them", async () => {
    const { sweeps } = plane.services;
    const stopped = await launched();
    await plane.services.sweep();
    const runs = await stopped.lease();
    await sweeps.upsert(plane.admin, { id: stopped.sweep, state: "FINISHED" });
    await plane.services.sweep();
    expect(await plane.item(stopped.scheduler)).toMatchObject({ state: "CLAIMED" });
    for (const run of runs) await stopped.end(run);
    await plane.services.sweep();
    expect(await plane.item(stopped.scheduler)).toMatchObject({ state: "FINISHED" });
    expect(await stateOf(stopped.sweep)).toEqual({ state: "FINISHED", handed: 2 });

    const cancelled = await launched();
    await plane.services.sweep();
    const [run] = await cancelled.lease(1);
    await sweeps.upsert(plane.admin, { id: cancelled.sweep, state: "CANCELED" });
    expect(await plane.item(cancelled.scheduler)).toMatchObject({ state: "STOPPED" });
    expect((await plane.item(run?.item.id ?? "")).stopRequestedBy).toBe("admin");
    await plane.services.sweep();
    expect(await cancelled.lease()).toEqual([]);
  });

  test("whoever stops the scheduler's item cancels the sweep and stops its runs, before and after it was taken", async () => {
    const { sweep, scheduler, lease } = await launched();
    await plane.services.sweep();
    const [run] = await lease(1);
    expect(await plane.services.items.stop(plane.admin, scheduler)).toMatchObject({ state: "STOPPED" });
    await plane.services.sweep();
    expect(await stateOf(sweep)).toMatchObject({ state: "CANCELED" });
    expect((await plane.item(run?.item.id ?? "")).stopRequestedBy).toBe("admin");
    expect(await lease()).toEqual([]);

    const queue = await plane.queue();
    const at = { entityName: "admin", projectName: "tuning", config: GRID };
    const waiting = await plane.services.sweeps.upsert(plane.admin, {
      ...at,
      launchScheduler: schedulerOn(queue, 1),
    });
    await plane.services.items.stop(plane.admin, waiting.schedulerItemId ?? "");
    expect(await stateOf(waiting.id)).toMatchObject({ state: "CANCELED" });
  });

  test("a run that can't be pushed ends the scheduler with the reason, and the sweep has crashed; it can be resumed", async () => {
    const { sweep, scheduler, queue, lease, end, launchScheduler } = await launched(GRID, 1);
    await plane.services.sweep();
    await end((await lease())[0]);
    const resourceType = "sagemaker";
    const target = { entityName: "admin", queueName: queue.name, resourceType };
    const broken = {
      ...JSON.parse(CONFIG),
      ResourceConfig: { InstanceType: "{{size}}", InstanceCount: 1, VolumeSizeInGB: 1 },
    };
    const templateVariables = JSON.stringify({ size: { schema: { type: "string" } } });
    const upsert = (resourceConfig: string, more: object) =>
      plane.services.queues.upsert(plane.admin, { ...target, resourceConfig, ...more });
    await upsert(JSON.stringify(broken), { templateVariables });
    await plane.services.sweep();
    expect(await plane.item(scheduler)).toMatchObject({
      state: "FAILED",
      error: { code: "TEMPLATE_VALUES_INVALID", stage: "schedule" },
    });
    expect(await stateOf(sweep)).toEqual({ state: "CRASHED", handed: 1 });
    await expect(plane.services.items.retry(plane.admin, scheduler)).rejects.toThrow("is not retried");
    await upsert(CONFIG, { templateVariables: "{}" });
    await plane.services.sweeps.upsert(plane.admin, { id: sweep, launchScheduler, state: "PENDING" });
    expect(await lease()).toEqual([]);
    await plane.services.sweep();
    expect(configs(await lease())).toEqual([{ x: 2 }]);
  });

  test("runs are pushed with what the person who launched the sweep may do now", async () => {
    const { accounts } = plane.services;
    const person = await plane.user("tuner");
    const queue = await plane.services.queues.upsert(plane.admin, {
      entityName: "tuner",
      queueName: "own",
      resourceType: "sagemaker",
      resourceConfig: CONFIG,
    });
    const agent = await plane.services.agents.create(person, {
      entityName: "tuner",
      queueIds: [queue.id],
      hostname: "host",
      replaces: null,
    });
    const launchScheduler = schedulerOn(queue, 1).replaceAll('\\"admin\\"', '\\"tuner\\"');
    const sweep = await plane.services.sweeps.upsert(person, {
      entityName: "tuner",
      projectName: "tuning",
      config: GRID,
      launchScheduler,
    });
    await plane.services.items.lease(person, { launchAgentId: agent.id, max: 1, waitSeconds: 0 });
    await accounts.deleteUser(plane.admin, "tuner");
    await plane.services.sweep();
    expect(await plane.item(sweep.schedulerItemId ?? "")).toMatchObject({
      state: "FAILED",
      message: expect.stringContaining("no user any more"),
    });
    expect(await stateOf(sweep.id)).toEqual({ state: "CRASHED", handed: 0 });
  });

  test("a plain agent's scheduler that is lost takes the sweep with it", async () => {
    const queue = await plane.queue();
    const at = { entityName: "admin", projectName: "tuning", config: GRID };
    const sweep = await plane.services.sweeps.upsert(plane.admin, { ...at, launchScheduler: schedulerOn(queue, 1) });
    const popped = await plane.services.items.pop(plane.admin, { entityName: "admin", queueName: queue.name });
    const itemId = popped?.item.id ?? "";
    expect(itemId).toBe(sweep.schedulerItemId);
    await plane.services.items.ack(plane.admin, { itemId, runName: sweep.id });
    await plane.services.sweep();
    expect(await plane.lease(await plane.agent([queue]))).toEqual([]);
    const failed = { itemId, message: "the program ended", stage: "run" };
    expect(await plane.services.items.fail(plane.admin, failed)).toBe(true);
    expect(await stateOf(sweep.id)).toMatchObject({ state: "CRASHED" });
  });
});

const CONFIG = JSON.stringify({
  RoleArn: "arn:aws:iam::123456789012:role/SageMaker",
  OutputDataConfig: { S3OutputPath: "s3://models/out" },
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 10 },
  StoppingCondition: { MaxRuntimeInSeconds: 3600 },
});
