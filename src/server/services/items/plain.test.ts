import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../../test/support/databases.ts";
import type { QueueRecord } from "../../../store/records.ts";
import { type ControlPlane, createControlPlane, refOf } from "../../testing/control-plane.ts";

describe.each(databases)("the plain protocol on $name", ({ open }) => {
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

  const pop = (queue: QueueRecord) =>
    plane.services.items.pop(plane.admin, { entityName: "admin", queueName: queue.name });
  const ack = async (itemId: string) =>
    plane.services.items.ack(plane.admin, { itemId, runName: (await plane.item(itemId)).runId });
  const fail = (itemId: string) =>
    plane.services.items.fail(plane.admin, { itemId, message: "boom", stage: "agent", filePaths: [] });
  const ref = (name: string) => ({ entityName: "admin", projectName: "digits", name });

  async function claimed() {
    const queue = await plane.queue();
    const item = await plane.push(queue);
    await pop(queue);
    expect(await ack(item.id)).toMatchObject({ success: true });
    return { queue, item };
  }

  test("pop answers the completed spec, or nothing", async () => {
    const queue = await plane.queue();
    expect(await pop(queue)).toBeNull();
    const { id, runId } = await plane.push(queue);
    const popped = await pop(queue);
    expect(popped?.item).toMatchObject({ id, state: "LEASED", plain: true });
    expect(popped?.runSpec).toMatchObject({ run_id: runId, author: "admin", resource: "sagemaker" });
    expect(popped?.runSpec.resource_args?.sagemaker).toMatchObject({ ResourceConfig: { InstanceType: "ml.m5.large" } });
    expect(await pop(queue)).toBeNull();
  });

  test("an item that is not acknowledged within 60 s goes back; the latecomer can't fail the winner's", async () => {
    const queue = await plane.queue();
    const { id } = await plane.push(queue);
    await pop(queue);
    plane.clock.advance(60_000);
    await plane.services.sweep();
    expect(await plane.item(id)).toMatchObject({ state: "PENDING", attempt: 1 });
    await pop(queue);
    expect(await ack(id)).toMatchObject({ success: true });
    expect(await ack(id)).toMatchObject({ success: false });
    expect(await fail(id)).toBe(false);
    expect(await plane.item(id)).toMatchObject({ state: "CLAIMED" });
    // The winner's own failure still counts.
    expect(await fail(id)).toBe(true);
    expect(await plane.item(id)).toMatchObject({ state: "FAILED", error: { message: "boom", stage: "agent" } });
  });

  test("it can't touch what one of our agents holds, nor the other way round", async () => {
    const queue = await plane.queue();
    const agent = await plane.agent([queue]);
    const { id } = await plane.push(queue);
    const lease = refOf((await plane.lease(agent))[0]);
    expect(await ack(id)).toMatchObject({ success: false });
    expect(await fail(id)).toBe(false);
    expect(await fail(id)).toBe(false);
    expect(await plane.item(id)).toMatchObject({ state: "LEASED", agentId: agent.id });
    await plane.services.items.ack(plane.admin, { ...lease, runName: "run" });
    expect(await fail(id)).toBe(false);
    const { item } = await claimed();
    plane.clock.advance(3_600_000);
    await plane.services.sweep();
    expect(await plane.lease(agent, 10)).toMatchObject([{ item: { id } }]);
    const stolen = { itemId: item.id, attempt: item.attempt, fencingToken: 1 };
    await expect(plane.services.items.report(plane.admin, { lease: stolen })).rejects.toMatchObject({
      code: "STALE_LEASE",
    });
  });

  test.each([
    [0, "FINISHED", "completed", "finished"],
    [3, "FAILED", "run_failed", "failed"],
  ] as const)("the end is concluded from the run's exit code %i", async (exitCode, state, cause, runState) => {
    const { item } = await claimed();
    await plane.services.runs.upsert(plane.admin, ref(item.runId));
    await plane.services.runs.stream(plane.admin, ref(item.runId), {});
    expect(await plane.item(item.id)).toMatchObject({ state: "CLAIMED" });
    await plane.services.runs.stream(plane.admin, ref(item.runId), { exitCode });
    expect(await plane.item(item.id)).toMatchObject({ state, cause });
    expect(await plane.services.runs.get(plane.admin, ref(item.runId))).toMatchObject({ state: runState, exitCode });
  });

  test("a run that falls silent has failed; one that speaks has not", async () => {
    const { item } = await claimed();
    await plane.services.runs.upsert(plane.admin, ref(item.runId));
    for (let i = 0; i < 3; i++) {
      plane.clock.advance(14 * 60_000);
      await plane.services.runs.stream(plane.admin, ref(item.runId), {});
      await plane.services.sweep();
      expect(await plane.item(item.id)).toMatchObject({ state: "CLAIMED" });
    }
    plane.clock.advance(15 * 60_000);
    await plane.services.sweep();
    expect(await plane.item(item.id)).toMatchObject({ state: "FAILED", cause: "agent_lost" });
  });

  test("a run that is thought crashed may speak again: its item waits as long as before", async () => {
    const { item } = await claimed();
    await plane.services.runs.upsert(plane.admin, ref(item.runId));
    plane.clock.advance(14 * 60_000);
    for (let rounds = 0; rounds < 2; rounds++) await plane.services.sweep();
    expect(await plane.services.runs.get(plane.admin, ref(item.runId))).toMatchObject({ state: "crashed" });
    expect(await plane.item(item.id)).toMatchObject({ state: "CLAIMED" });
    await plane.services.runs.stream(plane.admin, ref(item.runId), {});
    expect(await plane.services.runs.get(plane.admin, ref(item.runId))).toMatchObject({ state: "running" });
    plane.clock.advance(15 * 60_000);
    for (let rounds = 0; rounds < 2; rounds++) await plane.services.sweep();
    expect(await plane.item(item.id)).toMatchObject({ state: "FAILED", cause: "agent_lost" });
  });

  test("a run that never begins has failed after a day", async () => {
    const { item } = await claimed();
    plane.clock.advance(23 * 3_600_000);
    await plane.services.sweep();
    expect(await plane.item(item.id)).toMatchObject({ state: "CLAIMED" });
    plane.clock.advance(3_600_000);
    await plane.services.sweep();
    expect(await plane.item(item.id)).toMatchObject({ state: "FAILED", cause: "agent_lost" });
  });

  test("a stop reaches agent and code by the run, and the item then ends as stopped", async () => {
    const { item } = await claimed();
    await plane.services.runs.upsert(plane.admin, ref(item.runId));
    await plane.services.items.stop(plane.admin, item.id);
    expect(await plane.services.runs.get(plane.admin, ref(item.runId))).toMatchObject({ stopped: true });
    expect(await plane.services.runs.stream(plane.admin, ref(item.runId), {})).toEqual({ stopped: true });
    await plane.services.runs.stream(plane.admin, ref(item.runId), { exitCode: 255 });
    expect(await plane.item(item.id)).toMatchObject({ state: "STOPPED", cause: "stopped" });
  });
});
