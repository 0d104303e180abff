import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../../test/support/databases.ts";
import { type ControlPlane, createControlPlane, refOf } from "../../testing/control-plane.ts";
import { DEFAULT_LIMITS } from "../context.ts";

describe.each(databases)("stops and ends on $name", ({ open }) => {
  let store: TestDatabase;
  let plane: ControlPlane;
  beforeAll(async () => {
    store = await open();
    plane = await createControlPlane(store.database, { maxAttempts: 2 });
  });
  afterAll(async () => {
    await plane?.close();
    await store?.close();
  });

  async function leased() {
    const queue = await plane.queue();
    const agent = await plane.agent([queue]);
    const item = await plane.push(queue);
    return { queue, agent, item, lease: refOf((await plane.lease(agent))[0]) };
  }
  const run = async (name: string) =>
    plane.services.runs.get(plane.admin, { entityName: "admin", projectName: "digits", name });

  test("an item that waits ends at once, and its run with it", async () => {
    const item = await plane.push(await plane.queue());
    expect(await run(item.runId)).toMatchObject({ state: "pending", stopped: false });
    const stopped = await plane.services.items.stop(plane.admin, item.id);
    expect(stopped).toMatchObject({ state: "STOPPED", cause: "stopped", stopRequestedBy: "admin" });
    expect(await run(item.runId)).toMatchObject({ state: "killed" });
    await expect(plane.services.items.stop(plane.admin, item.id)).rejects.toMatchObject({ code: "ITEM_SETTLED" });
  });

  test("an agent hears of the stop by whatever it asks next, and the training code by its run", async () => {
    const { items } = plane.services;
    const { agent, item, lease } = await leased();
    await items.stop(plane.admin, item.id);
    expect(await items.report(plane.admin, { lease, phase: "submitting" })).toMatchObject({ stopRequested: true });
    expect(await items.ack(plane.admin, { ...lease, runName: item.runId })).toMatchObject({ stopRequested: true });
    const { leases } = await items.renew(plane.admin, { launchAgentId: agent.id, leases: [lease] });
    expect(leases).toMatchObject([{ held: true, stopRequested: true, stopRequestedBy: "admin" }]);
    expect(await run(item.runId)).toMatchObject({ stopped: true });
  });

  test("an item that comes back to the queue with a stop asked for ends there", async () => {
    const { items } = plane.services;
    const back = [
      (l: Awaited<ReturnType<typeof leased>>) =>
        items.release(plane.admin, { launchAgentId: l.agent.id, leases: [l.lease] }),
      (l: Awaited<ReturnType<typeof leased>>) => items.wait(plane.admin, { lease: l.lease, reason: "quota", until: 0 }),
      async () => {
        plane.clock.advance(60_000);
        await plane.services.sweep();
      },
    ];
    for (const comesBack of back) {
      const held = await leased();
      await items.stop(plane.admin, held.item.id);
      await comesBack(held);
      expect(await plane.item(held.item.id)).toMatchObject({ state: "STOPPED", cause: "stopped" });
    }
  });

  describe("an agent died after it submitted and before it acknowledged", () => {
    async function submitted() {
      const held = await leased();
      const training = { name: held.item.runId, imageUri: "image" };
      await plane.services.items.report(plane.admin, { lease: held.lease, phase: "submitting", training });
      return held;
    }
    const ends: Record<string, (l: Awaited<ReturnType<typeof leased>>) => Promise<unknown>> = {
      "its lease runs out": async () => {
        plane.clock.advance(60_000);
        await plane.services.sweep();
      },
      "its lease is let go of": ({ agent, lease }) =>
        plane.services.items.release(plane.admin, { launchAgentId: agent.id, leases: [lease] }),
      "another takes its place": ({ agent, queue }) => plane.agent([queue], agent.id),
    };

    describe.each(Object.keys(ends))("%s", (how) => {
      test.each(["stop, then lost", "lost, then stop", "lost, then delete"])(
        "%s: the next agent ends the job",
        async (order) => {
          const { items } = plane.services;
          const held = await submitted();
          const ask = () =>
            order.endsWith("delete") ? items.delete(plane.admin, held.item.id) : items.stop(plane.admin, held.item.id);
          if (order.startsWith("stop")) await ask();
          await ends[how]?.(held);
          const other = await plane.agent([held.queue]);
          if (!order.startsWith("stop")) {
            await ask();
            await ask();
            expect(await plane.item(held.item.id)).toMatchObject({
              state: "PENDING",
              stopRequestedBy: "admin",
              attempt: 1,
            });
          }
          const [lease] = await plane.lease(other);
          expect(lease?.item).toMatchObject({
            id: held.item.id,
            stopRequestedBy: "admin",
            attempt: 1,
            training: { name: held.item.runId, attempt: 1 },
          });
          const next = refOf(lease);
          expect(await items.ack(plane.admin, { ...next, runName: held.item.runId })).toMatchObject({
            stopRequested: true,
          });
          await items.settle(plane.admin, { lease: next, state: "STOPPED", cause: "stopped" });
          expect(await plane.item(held.item.id)).toMatchObject({ state: "STOPPED", cause: "stopped" });
        },
      );
    });

    test("a stop wakes an agent that waits, also when the item was to wait", async () => {
      const { items } = plane.services;
      const held = await submitted();
      const until = plane.clock.now() + 600_000;
      await items.wait(plane.admin, { lease: held.lease, reason: "quota", until });
      const polling = items.lease(plane.admin, { launchAgentId: held.agent.id, max: 1, waitSeconds: 25 });
      await plane.clock.sleeper(plane.clock.now() + 25_000);
      await items.stop(plane.admin, held.item.id);
      const [lease] = (await polling).leases;
      expect(lease?.item.id).toBe(held.item.id);
      await items.settle(plane.admin, { lease: refOf(lease), state: "STOPPED", cause: "stopped" });
    });

    test("its queue can't be deleted from under it", async () => {
      const held = await submitted();
      await ends["its lease runs out"]?.(held);
      await expect(plane.services.queues.delete(plane.admin, [held.queue.id])).rejects.toMatchObject({
        code: "QUEUE_BUSY",
      });
      expect(await plane.item(held.item.id)).toMatchObject({ state: "PENDING", stopRequestedAt: null });
      await plane.lease(held.agent);
    });

    test("the job of an attempt before is over: the item ends at once", async () => {
      const { items } = plane.services;
      const held = await submitted();
      await items.ack(plane.admin, { ...held.lease, runName: "run" });
      await items.settle(plane.admin, { lease: held.lease, state: "FAILED", cause: "capacity", retry: true });
      expect(await items.stop(plane.admin, held.item.id)).toMatchObject({ state: "STOPPED", attempt: 2 });
    });
  });

  test("a moment told late does not make times run backwards", async () => {
    const { items } = plane.services;
    const { item, lease } = await leased();
    const { phaseSince } = await plane.item(item.id);
    const at = phaseSince - 60_000;
    await items.report(plane.admin, { lease, phase: "building", at });
    expect((await plane.item(item.id)).phaseSince).toBe(phaseSince);
    const later = phaseSince + 5;
    await items.report(plane.admin, { lease, phase: "pushing", at: later });
    await items.report(plane.admin, { lease, message: "m", at });
    const times = (await items.timeline(plane.admin, item.id, {})).map((row) => row.at);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times.at(-1)).toBe(later);
    await items.settle(plane.admin, { lease, state: "FAILED", cause: "build" });
  });

  test("a stop and a lease at once: either the agent hears of it or the item has ended", async () => {
    for (let i = 0; i < 15; i++) {
      const queue = await plane.queue();
      const agent = await plane.agent([queue]);
      const { id } = await plane.push(queue);
      const [leases] = await Promise.all([plane.lease(agent), plane.services.items.stop(plane.admin, id)]);
      const item = await plane.item(id);
      if (leases.length === 0) expect(item.state).toBe("STOPPED");
      else expect(item).toMatchObject({ state: "LEASED", stopRequestedBy: "admin" });
    }
  });

  test("a stop and a hand-back at once: the stop is never lost", async () => {
    for (let i = 0; i < 15; i++) {
      const { agent, item, lease } = await leased();
      await Promise.all([
        plane.services.items.release(plane.admin, { launchAgentId: agent.id, leases: [lease] }),
        plane.services.items.stop(plane.admin, item.id),
      ]);
      expect(await plane.item(item.id)).toMatchObject({ state: "STOPPED" });
    }
  });

  test("attempts are counted by the server alone, and end", async () => {
    const { items } = plane.services;
    const { agent, item, lease } = await leased();
    await items.ack(plane.admin, { ...lease, runName: item.runId });
    const settle = { state: "FAILED", cause: "capacity", message: "no capacity", retry: true } as const;
    await items.settle(plane.admin, { ...settle, lease, retryAt: plane.clock.now() + 1_000 });
    expect(await plane.item(item.id)).toMatchObject({
      state: "PENDING",
      phase: "waiting",
      attempt: 2,
      cause: "capacity",
    });
    plane.clock.advance(1_000);
    const second = refOf((await plane.lease(agent))[0]);
    expect(second.attempt).toBe(2);
    await items.ack(plane.admin, { ...second, runName: item.runId });
    await items.settle(plane.admin, { ...settle, lease: second });
    expect(await plane.item(item.id)).toMatchObject({ state: "FAILED", attempt: 2, cause: "capacity" });
    const again = await items.retry(plane.admin, item.id);
    expect(again).toMatchObject({ state: "PENDING", attempt: 1, retryOf: item.id });
    expect(again.runId).not.toBe(item.runId);
    expect((await plane.item(item.id)).retriedAs).toBe(again.id);
  });

  test("a job's own key is good for its run alone and gone with the item", async () => {
    const { services, admin } = plane;
    const queue = await plane.queue();
    const agent = await plane.agent([queue]);
    const item = await plane.push(queue);
    const [lease] = await plane.lease(agent);
    const key = String((lease?.runSpec as { _wandb_api_key?: string } | undefined)?._wandb_api_key);
    const job = await services.accounts.authenticate(key);
    if (!job) throw new Error("the job's key is unknown");
    const ref = { entityName: "admin", projectName: "digits", name: item.runId };
    expect((await services.runs.upsert(job, ref)).run).toMatchObject({ name: item.runId, state: "running" });
    await expect(services.runs.upsert(job, { ...ref, name: "other" })).rejects.toMatchObject({ code: "KEY_SCOPE" });
    expect(await services.items.get(job, item.id)).toBeUndefined();
    await expect(services.items.stop(job, item.id)).rejects.toMatchObject({ code: "KEY_SCOPE" });
    await expect(services.accounts.createApiKey(job, { description: "x" })).rejects.toMatchObject({
      code: "KEY_SCOPE",
    });
    await services.items.settle(admin, { lease: refOf(lease), state: "FAILED", cause: "build" });
    // For what the code sends last.
    expect(await services.accounts.authenticate(key)).toBeDefined();
    plane.clock.advance(DEFAULT_LIMITS.jobKeyGraceMs);
    expect(await services.accounts.authenticate(key)).toBeUndefined();
  });

  test("delete: what waits ends, what is held is refused, what has ended is forgotten", async () => {
    const { items } = plane.services;
    const { item, lease } = await leased();
    await expect(items.delete(plane.admin, item.id)).rejects.toMatchObject({ code: "ITEM_IN_FLIGHT" });
    await items.settle(plane.admin, { lease, state: "FAILED", cause: "build" });
    await items.delete(plane.admin, item.id);
    expect(await items.get(plane.admin, item.id)).toBeUndefined();
    const waits = await plane.push(await plane.queue());
    await items.delete(plane.admin, waits.id);
    expect(await plane.item(waits.id)).toMatchObject({ state: "STOPPED", cause: "deleted" });
  });

  test("others see nothing of it", async () => {
    const stranger = await plane.user("stranger");
    const item = await plane.push(await plane.queue());
    const { items, queues, agents } = plane.services;
    expect(await items.get(stranger, item.id)).toBeUndefined();
    expect((await items.list(stranger, {})).nodes).toEqual([]);
    await expect(items.stop(stranger, item.id)).rejects.toMatchObject({ code: "ITEM_NOT_FOUND" });
    await expect(items.timeline(stranger, item.id, {})).rejects.toMatchObject({ code: "ITEM_NOT_FOUND" });
    await expect(queues.list(stranger, "admin")).rejects.toMatchObject({ code: "ENTITY_NOT_FOUND" });
    const push = { queue: { entityName: "admin", name: item.queueName }, runSpec: JSON.stringify(item.runSpec) };
    await expect(items.push(stranger, push)).rejects.toMatchObject({ code: "ENTITY_NOT_FOUND" });
    const agent = { entityName: "stranger", queueIds: [item.queueId], hostname: "h" };
    await expect(agents.create(stranger, agent)).rejects.toMatchObject({ code: "QUEUE_NOT_FOUND" });
  });
});
