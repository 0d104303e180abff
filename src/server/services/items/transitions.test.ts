import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../../test/support/databases.ts";
import { type ItemEvent, type ItemState, isSettled, transition } from "../../../core/items/item-states.ts";
import { type ControlPlane, createControlPlane, refOf } from "../../testing/control-plane.ts";
import type { LeaseRef } from "../items.ts";

/** What is done to the item next. `old`: with the lease before the newest one, which is stale. */
type Step = { do: "lease" } | { do: "expire" } | { do: "request_stop" } | { do: (typeof held)[number]; old: boolean };

const held = ["report", "acknowledge", "wait", "retry", "finish", "fail", "stop", "release"] as const;
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Step>({ do: "lease" }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom(...held),
      old: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
    }),
  },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ do: "expire" }, { do: "request_stop" }) },
);

/** What the table says of the item. */
interface Model {
  state: ItemState;
  attempt: number;
  token: number;
  held: boolean;
  stopRequested: boolean;
}

describe.each(databases)("items on $name go by the transition table", ({ name, open }) => {
  let store: TestDatabase;
  let plane: ControlPlane;
  beforeAll(async () => {
    store = await open();
    plane = await createControlPlane(store.database, { maxAttempts: 3 });
  });
  afterAll(async () => {
    await plane?.close();
    await store?.close();
  });

  test("whatever is done in whatever order", async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), walk), {
      numRuns: name === "sqlite" ? 200 : 60,
    });
  });

  async function walk(steps: readonly Step[]): Promise<void> {
    const { services, admin, clock } = plane;
    const queue = await plane.queue();
    const agent = await plane.agent([queue]);
    const { id } = await plane.push(queue);
    const model: Model = { state: "PENDING", attempt: 1, token: 0, held: false, stopRequested: false };
    const leases: LeaseRef[] = [{ itemId: id, attempt: 1, fencingToken: -1 }];

    const apply = (event: ItemEvent, by: "agent" | "person" | "server") => {
      const row = transition(model.state, event, by);
      if (!row) throw new Error(`${event} in ${model.state} is not in the table`);
      model.state = row.to;
      if (row.token === "raise") model.token++;
      if (row.attempt === "next") model.attempt++;
    };
    /** An item that comes back to the queue with a stop asked for ends there. */
    const back = () => {
      model.held = false;
      if (model.stopRequested && model.state === "PENDING") apply("request_stop", "server");
    };

    for (const next of steps) {
      if (next.do === "lease") {
        const [lease] = await plane.lease(agent);
        const event = model.state === "PENDING" ? "lease" : "adopt";
        const free = model.state === "PENDING" || (model.state === "CLAIMED" && !model.held);
        expect(lease !== undefined, `lease of ${JSON.stringify(model)}`).toBe(free);
        if (lease) {
          apply(event, "agent");
          model.held = true;
          leases.push(refOf(lease));
        }
      } else if (next.do === "request_stop") {
        const stop = services.items.stop(admin, id);
        if (isSettled(model.state)) {
          await expect(stop).rejects.toMatchObject({ code: "ITEM_SETTLED" });
        } else {
          await stop;
          apply("request_stop", "person");
          model.stopRequested = true;
        }
      } else if (next.do === "expire") {
        clock.advance(60_001);
        await services.sweep();
        if (model.held && transition(model.state, "expire", "server")) {
          apply("expire", "server");
          back();
        }
      } else {
        const lease = leases.at(next.old ? -2 : -1) ?? leases[0]!;
        const valid =
          model.held &&
          lease.fencingToken === model.token &&
          lease.attempt === model.attempt &&
          !isSettled(model.state);
        // Said again it changes nothing; a retry becomes an end when no attempt is left or a stop was asked for.
        const again = next.do === "acknowledge" && model.state === "CLAIMED";
        const ends = next.do === "retry" && (model.stopRequested || model.attempt >= 3);
        const event: ItemEvent = ends ? (model.stopRequested ? "stop" : "fail") : next.do;
        const allowed = valid && (again || transition(model.state, event, "agent") !== undefined);
        const done = perform(next.do, lease, agent.id);
        if (next.do === "release") await done;
        else if (!allowed) await expect(done).rejects.toMatchObject({ name: "SlipwayError" });
        else await done;
        if (!valid && next.do !== "release")
          await expect(perform(next.do, lease, agent.id)).rejects.toMatchObject({ code: "STALE_LEASE" });
        if (allowed && !again) {
          apply(event, "agent");
          if (model.state === "PENDING" || next.do === "release" || isSettled(model.state)) back();
        }
      }
      const item = await plane.item(id);
      const { state, attempt, fencingToken } = item;
      expect({ state, attempt, fencingToken }, JSON.stringify(next)).toEqual({
        state: model.state,
        attempt: model.attempt,
        fencingToken: model.token,
      });
      expect(item.stopRequestedAt !== null).toBe(model.stopRequested);
    }
    const timeline = await services.items.timeline(admin, id, {});
    expect(timeline.at(-1)?.state).toBe(model.state);
    if (!isSettled(model.state)) await services.items.stop(admin, id);
  }

  function perform(what: (typeof held)[number], lease: LeaseRef, agentId: string): Promise<unknown> {
    const { services, admin, clock } = plane;
    const { items } = services;
    switch (what) {
      case "report":
        return items.report(admin, { lease, message: "on its way" });
      case "acknowledge":
        return items.ack(admin, { ...lease, runName: "run" });
      case "wait":
        return items.wait(admin, { lease, reason: "quota", cause: "quota", until: clock.now() });
      case "retry":
        return items.settle(admin, { lease, state: "FAILED", cause: "capacity", retry: true });
      case "finish":
        return items.settle(admin, { lease, state: "FINISHED", cause: "completed" });
      case "fail":
        return items.settle(admin, { lease, state: "FAILED", cause: "code_failed" });
      case "stop":
        return items.settle(admin, { lease, state: "STOPPED", cause: "stopped" });
      case "release":
        return items.release(admin, { launchAgentId: agentId, leases: [lease] });
    }
  }
});
