import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../../test/support/databases.ts";
import { type ControlPlane, createControlPlane, refOf } from "../../testing/control-plane.ts";

describe.each(databases)("leases on $name", ({ open }) => {
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

  test("priority comes first, then age", async () => {
    const queue = await plane.queue();
    const agent = await plane.agent([queue]);
    const pushed = new Map<string, string>();
    for (const [name, priority] of [
      ["a", 3],
      ["b", 2],
      ["c", 0],
      ["d", 2],
      ["e", 0],
      ["f", 1],
    ] as const)
      pushed.set((await plane.push(queue, { priority })).id, name);
    const order = (await plane.lease(agent, 10)).map((lease) => pushed.get(lease.item.id));
    expect(order.join("")).toBe("cefbda");
  });

  test("of equal priority the queue that was served longest ago comes first", async () => {
    const queues = [await plane.queue(), await plane.queue(), await plane.queue()];
    const agent = await plane.agent(queues);
    const [first, second, third] = queues as [(typeof queues)[0], (typeof queues)[0], (typeof queues)[0]];
    for (let i = 0; i < 4; i++) await plane.push(first);
    for (let i = 0; i < 2; i++) await plane.push(second);
    await plane.push(third);
    const urgent = await plane.push(first, { priority: 0 });
    const order: string[] = [];
    for (let i = 0; i < 8; i++) {
      const [lease] = await plane.lease(agent);
      if (i === 0) expect(lease?.item.id).toBe(urgent.id);
      order.push(lease?.item.queueName ?? "nothing");
    }
    const name = (queue: (typeof queues)[0]) => queue.name;
    expect(order.slice(0, 4)).toEqual(expect.arrayContaining([name(second), name(third)]));
    expect(order.slice(1, 3).sort()).toEqual([name(second), name(third)].sort());
    expect(order.slice(3)).toEqual([name(first), name(second), name(first), name(first), name(first)]);
  });

  test("an item that waits is not handed out before its time, and is then at once", async () => {
    const queue = await plane.queue();
    const agent = await plane.agent([queue]);
    const { id } = await plane.push(queue);
    const lease = refOf((await plane.lease(agent))[0]);
    const until = plane.clock.now() + 10_000;
    await plane.services.items.wait(plane.admin, { lease, reason: "quota", until });
    expect(await plane.item(id)).toMatchObject({ state: "PENDING", phase: "waiting", attempt: 1, waitUntil: until });
    expect(await plane.lease(agent)).toEqual([]);
    const polling = plane.services.items.lease(plane.admin, { launchAgentId: agent.id, max: 1, waitSeconds: 20 });
    await plane.clock.sleeper(until);
    plane.clock.advance(10_000);
    expect((await polling).leases.map((found) => found.item.id)).toEqual([id]);
  });

  test("a push wakes an agent that waits; nothing else does until its time is over", async () => {
    const queue = await plane.queue();
    const agent = await plane.agent([queue]);
    const poll = () => plane.services.items.lease(plane.admin, { launchAgentId: agent.id, max: 1, waitSeconds: 25 });
    const woken = poll();
    await plane.clock.sleeper(plane.clock.now() + 25_000);
    const { id } = await plane.push(queue);
    expect((await woken).leases.map((lease) => lease.item.id)).toEqual([id]);
    const inVain = poll();
    await plane.clock.sleeper(plane.clock.now() + 25_000);
    plane.clock.advance(25_000);
    expect(await inVain).toEqual({ leases: [], stopPolling: false });
  });

  test("an agent that waits is told to stop at once, and one that hung up takes nothing", async () => {
    const queue = await plane.queue();
    const agent = await plane.agent([queue]);
    const hangUp = new AbortController();
    const gone = plane.services.items.lease(plane.admin, {
      launchAgentId: agent.id,
      max: 1,
      waitSeconds: 25,
      signal: hangUp.signal,
    });
    await plane.clock.sleeper(plane.clock.now() + 25_000);
    hangUp.abort();
    expect((await gone).leases).toEqual([]);
    const waiting = plane.services.items.lease(plane.admin, { launchAgentId: agent.id, max: 1, waitSeconds: 25 });
    await plane.clock.sleeper(plane.clock.now() + 25_000);
    await plane.services.agents.stopPolling(plane.admin, agent.id);
    expect(await waiting).toEqual({ leases: [], stopPolling: true });
  });

  test("a renewed lease does not run out; one that did is taken back and its holder refused everywhere", async () => {
    const { services, admin, clock } = plane;
    const queue = await plane.queue();
    const agent = await plane.agent([queue]);
    const { id } = await plane.push(queue);
    const lease = refOf((await plane.lease(agent))[0]);
    for (let i = 0; i < 5; i++) {
      clock.advance(45_000);
      const { leases } = await services.items.renew(admin, { launchAgentId: agent.id, leases: [lease] });
      expect(leases).toMatchObject([{ itemId: id, held: true, expiresAt: clock.now() + 60_000 }]);
      await services.sweep();
    }
    clock.advance(60_000);
    await services.sweep();
    expect(await plane.item(id)).toMatchObject({ state: "PENDING", attempt: 1, agentId: null });
    const stale = { code: "STALE_LEASE" };
    await expect(services.items.report(admin, { lease, phase: "submitting" })).rejects.toMatchObject(stale);
    await expect(services.items.ack(admin, { ...lease, runName: "r" })).rejects.toMatchObject(stale);
    await expect(services.items.wait(admin, { lease, reason: "r", until: 1 })).rejects.toMatchObject(stale);
    const settle = services.items.settle(admin, { lease, state: "FAILED", cause: "build" });
    await expect(settle).rejects.toMatchObject(stale);
    const streams = [{ node: "algo-1", stream: "s", from: "", to: "1", lines: [{ at: 1, text: "x" }] }];
    await expect(services.logs.append(admin, { lease, streams })).rejects.toMatchObject(stale);
    const renewed = await services.items.renew(admin, { launchAgentId: agent.id, leases: [lease] });
    expect(renewed.leases).toMatchObject([{ held: false }]);
  });

  test("a job that an agent left behind is adopted first, with its log's place, and the old agent is out", async () => {
    const { services, admin, clock } = plane;
    const queue = await plane.queue();
    const agent = await plane.agent([queue]);
    const { id } = await plane.push(queue);
    const lease = refOf((await plane.lease(agent))[0]);
    await services.items.ack(admin, { ...lease, runName: "run" });
    const streams = [{ node: "algo-1", stream: "s", from: "", to: "7", lines: [{ at: 1, text: "x" }] }];
    await services.logs.append(admin, { lease, streams });
    await plane.push(queue, { priority: 0 });
    clock.advance(60_000);
    await services.sweep();
    const other = await plane.agent([queue]);
    const [adopted] = await plane.lease(other);
    expect(adopted?.item).toMatchObject({ id, state: "CLAIMED", attempt: 1, agentId: other.id });
    expect(adopted?.logCursors).toEqual([{ node: "algo-1", stream: "s", cursor: "7" }]);
    await expect(services.items.report(admin, { lease })).rejects.toMatchObject({ code: "STALE_LEASE" });
    const settled = { lease: refOf(adopted), state: "FINISHED", cause: "completed" } as const;
    await services.items.settle(admin, settled);
    expect(await plane.item(id)).toMatchObject({ state: "FINISHED", cause: "completed" });
  });

  test("an agent that comes back under a new id finds what the old one held", async () => {
    const { services, admin } = plane;
    const queue = await plane.queue();
    const old = await plane.agent([queue]);
    await plane.push(queue);
    await plane.push(queue);
    const [claimed, leased] = await plane.lease(old, 2);
    await services.items.ack(admin, { ...refOf(claimed), runName: "run" });
    const agent = await plane.agent([queue], old.id);
    expect(await plane.item(leased?.item.id ?? "")).toMatchObject({ state: "PENDING", attempt: 1 });
    const found = await plane.lease(agent, 5);
    expect(found.map((lease) => [lease.item.id, lease.item.state])).toEqual([
      [claimed?.item.id, "CLAIMED"],
      [leased?.item.id, "LEASED"],
    ]);
    expect(services.agents.alive((await services.agents.get(admin, old.id)) ?? old)).toBe(false);
  });

  test("eight claimers at once: no item twice, none lost", async () => {
    const queues = [await plane.queue(), await plane.queue()];
    const agents = await Promise.all(Array.from({ length: 8 }, () => plane.agent(queues)));
    const pushed: string[] = [];
    for (let i = 0; i < 120; i++) {
      const queue = queues[i % 2];
      if (queue) pushed.push((await plane.push(queue, { priority: i % 4 })).id);
    }
    const taken: string[] = [];
    await Promise.all(
      agents.map(async (agent) => {
        for (;;) {
          const leases = await plane.lease(agent, 3);
          taken.push(...leases.map((lease) => lease.item.id));
          if (leases.length === 0) return;
        }
      }),
    );
    // A claimer may leave with nothing while another holds the last ones; what is left must still be there to take.
    const [last] = agents;
    if (last) for (const lease of await plane.lease(last, 200)) taken.push(lease.item.id);
    expect(taken.toSorted()).toEqual(pushed.toSorted());
  });
});
