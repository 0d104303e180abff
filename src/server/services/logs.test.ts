import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import { type ControlPlane, createControlPlane, refOf } from "../testing/control-plane.ts";
import type { LeaseRef } from "./items.ts";

describe.each(databases)("logs on $name", ({ open }) => {
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

  async function held(): Promise<LeaseRef> {
    const queue = await plane.queue();
    const agent = await plane.agent([queue]);
    await plane.push(queue);
    return refOf((await plane.lease(agent))[0]);
  }
  const append = (lease: LeaseRef, node: string, from: string, to: string, ...texts: string[]) =>
    plane.services.logs.append(plane.admin, {
      lease,
      streams: [{ node, stream: "s", from, to, lines: texts.map((text, i) => ({ at: 1000 + i, text })) }],
    });
  const texts = async (id: string, page: object = {}) =>
    (await plane.services.logs.read(plane.admin, id, page)).lines.map((line) => line.text);

  test("a call that is said again, or that comes too late, adds nothing and is told where the stream stands", async () => {
    const lease = await held();
    expect(await append(lease, "algo-1", "", "2", "a", "b")).toEqual([{ node: "algo-1", stream: "s", cursor: "2" }]);
    expect(await append(lease, "algo-1", "", "2", "a", "b")).toEqual([{ node: "algo-1", stream: "s", cursor: "2" }]);
    await append(lease, "algo-1", "2", "3", "c");
    expect(await append(lease, "algo-1", "2", "9", "x")).toMatchObject([{ cursor: "3" }]);
    expect(await texts(lease.itemId)).toEqual(["a", "b", "c"]);
  });

  test("the same chunk from two at once counts once", async () => {
    const lease = await held();
    await Promise.all(Array.from({ length: 6 }, () => append(lease, "algo-1", "", "2", "a", "b")));
    expect(await texts(lease.itemId)).toEqual(["a", "b"]);
    await Promise.all(Array.from({ length: 6 }, (_, i) => append(lease, "algo-1", "2", "3", `c${i}`)));
    expect(await texts(lease.itemId)).toHaveLength(3);
  });

  test("nodes keep their order each; indexes run over all; pages, filters and tails agree", async () => {
    const lease = await held();
    const cursors = new Map<string, number>();
    for (let i = 0; i < 90; i++) {
      const node = `algo-${1 + (i % 2)}`;
      const from = cursors.get(node) ?? 0;
      cursors.set(node, from + 3);
      const lines = [0, 1, 2].map((n) => `${node} ${from + n} ✓\u2028"`);
      await append(lease, node, from === 0 ? "" : String(from), String(from + 3), ...lines);
    }
    const { logs } = plane.services;
    const whole = await logs.read(plane.admin, lease.itemId, {});
    expect(whole.lines.map((line) => line.index)).toEqual(Array.from({ length: 270 }, (_, i) => i));
    expect(whole).toMatchObject({ next: 269, complete: false });
    const paged: string[] = [];
    for (let after = -1; ; ) {
      const page = await logs.read(plane.admin, lease.itemId, { after, first: 7, node: "algo-2" });
      if (page.lines.length === 0) break;
      paged.push(...page.lines.map((line) => line.text));
      after = page.next;
    }
    expect(paged).toEqual(Array.from({ length: 135 }, (_, i) => `algo-2 ${i} ✓\u2028"`));
    const tail = await logs.tail(plane.admin, lease.itemId, { last: 4, node: "algo-1" });
    expect(tail.lines.map((line) => line.text)).toEqual([131, 132, 133, 134].map((i) => `algo-1 ${i} ✓\u2028"`));
    await plane.services.items.settle(plane.admin, { lease, state: "FAILED", cause: "build" });
    expect(await logs.read(plane.admin, lease.itemId, { after: 269 })).toEqual({
      lines: [],
      next: 269,
      complete: true,
    });
  });

  test("bytes whose row did not come about are never read, and the lines come once when they are sent again", async () => {
    const lease = await held();
    await append(lease, "algo-1", "", "1", "a");
    const stale = { ...lease, fencingToken: lease.fencingToken - 1 };
    await expect(append(stale, "algo-1", "1", "2", "lost")).rejects.toMatchObject({ code: "STALE_LEASE" });
    await append(lease, "algo-1", "1", "2", "b");
    expect(await texts(lease.itemId)).toEqual(["a", "b"]);
  });
});
