import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import { type ControlPlane, createControlPlane, refOf } from "../testing/control-plane.ts";

describe.each(databases)("live events on $name", ({ open }) => {
  let store: TestDatabase;
  let plane: ControlPlane;
  beforeAll(async () => {
    store = await open();
    plane = await createControlPlane(store.database, { eventRetentionMs: 60_000 });
  });
  afterAll(async () => {
    await plane?.close();
    await store?.close();
  });

  test("a reader beside many writers sees every event once, in order, with no number that comes late", async () => {
    const { events } = plane.services;
    const queue = await plane.queue();
    const start = await events.latest();
    let writing = true;
    const writers = Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let i = 0; i < 12; i++) await plane.push(queue);
      }),
    ).finally(() => {
      writing = false;
    });
    const seen: { seq: number; subject: string }[] = [];
    let after = start;
    const read = async () => {
      const page = await events.read(plane.admin, { after, limit: 5 });
      for (const event of page.events) if (event.kind === "item") seen.push(event);
      after = page.next;
      return page.events.length;
    };
    while (writing) {
      await read();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writers;
    while ((await read()) > 0);
    expect(seen.map((event) => event.seq)).toEqual(seen.map((event) => event.seq).toSorted((a, b) => a - b));
    const { nodes } = await plane.services.items.list(plane.admin, { queueId: queue.id, first: 500 });
    expect(nodes).toHaveLength(96);
    expect(seen.map((event) => event.subject).toSorted()).toEqual(nodes.map((item) => item.id).toSorted());
  });

  test("a reader that waits is woken, and only by what it may see", async () => {
    const { events, items } = plane.services;
    const stranger = await plane.user("stranger");
    const queue = await plane.queue();
    const after = await events.latest();
    const mine = events.read(plane.admin, { after, waitMs: 20_000 });
    const theirs = events.read(stranger, { after, waitMs: 20_000 });
    await plane.clock.sleeper(plane.clock.now() + 20_000);
    const { id, runId } = await plane.push(queue);
    expect((await mine).events).toMatchObject([
      { kind: "item", subject: id, queueId: queue.id, data: { state: "PENDING", phase: "queued", attempt: 1, runId } },
    ]);
    await items.stop(plane.admin, id);
    plane.clock.advance(20_000);
    expect(await theirs).toMatchObject({ events: [] });
    expect((await theirs).next).toBeGreaterThan(after);
  });

  test("every change of an item is in its timeline and among the events", async () => {
    const queue = await plane.queue();
    const agent = await plane.agent([queue]);
    const { events, items } = plane.services;
    const after = await events.latest();
    const { id } = await plane.push(queue);
    const lease = refOf((await plane.lease(agent))[0]);
    await items.report(plane.admin, { lease, phase: "submitting" });
    await items.ack(plane.admin, { ...lease, runName: "run" });
    await items.report(plane.admin, { lease, phase: "training" });
    await items.settle(plane.admin, { lease, state: "FINISHED", cause: "completed" });
    const states = [
      ["pushed", "PENDING", "queued"],
      ["leased", "LEASED", "planning"],
      ["phase", "LEASED", "submitting"],
      ["claimed", "CLAIMED", "starting"],
      ["phase", "CLAIMED", "training"],
      ["settled", "FINISHED", "settled"],
    ];
    const timeline = await items.timeline(plane.admin, id, {});
    expect(timeline.map((row) => [row.kind, row.state, row.phase])).toEqual(states);
    const told = (await events.read(plane.admin, { after })).events.filter((event) => event.subject === id);
    expect(told.map(({ data }) => [data.change, data.state, data.phase])).toEqual(states);
  });

  test("old events are forgotten, and a reader who was away too long is told so", async () => {
    const { events } = plane.services;
    const queue = await plane.queue();
    for (let i = 0; i < 3; i++) await plane.push(queue);
    plane.clock.advance(60_001);
    await plane.services.sweep();
    const newest = await events.latest();
    const page = await events.read(plane.admin, { after: 1 });
    expect(page).toMatchObject({ truncated: true, next: newest });
    expect(await events.read(plane.admin, { after: newest })).toEqual({ events: [], next: newest, truncated: false });
  });
});
