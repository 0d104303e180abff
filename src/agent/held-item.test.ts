import { expect, test } from "vitest";
import type { LeaseFieldsFragment } from "../client/generated/operations.ts";
import { createHeldItem, Interrupted, LEASE_MS } from "./held-item.ts";

function held(fields: Partial<LeaseFieldsFragment> = {}) {
  let at = 1_000;
  const closing = new AbortController();
  const lease: LeaseFieldsFragment = {
    runQueueItemId: "i",
    attempt: 1,
    fencingToken: 7,
    expiresAt: "",
    state: "LEASED",
    phase: "planning",
    runId: "r",
    runSpec: {},
    queueId: "q",
    queueName: "q",
    queueEntityName: "me",
    stopRequested: false,
    trainingJobName: null,
    logCursors: [],
    ...fields,
  };
  const clock = { now: () => at, sleep: async () => {} };
  const item = createHeldItem(lease, { clock, askedAt: at, closing: closing.signal });
  return {
    item,
    pass: (ms: number) => {
      at += ms;
    },
    close: () => closing.abort(new Interrupted("closing")),
  };
}

const reasonOf = (work: () => void) => {
  try {
    work();
    return undefined;
  } catch (error) {
    return error instanceof Interrupted ? error.reason : error;
  }
};

test("nothing stands in the way of an item that is held", () => {
  const { item } = held();
  expect(reasonOf(item.check)).toBeUndefined();
  expect(item.mayAct()).toBe(true);
});

test("before the acknowledge a stop, a lease that ran out, a lost lease and the agent's end each end the work", () => {
  const stopped = held();
  stopped.item.requestStop("ann");
  expect(reasonOf(stopped.item.check)).toBe("stop");
  expect(stopped.item.stopRequestedBy).toBe("ann");
  const late = held();
  late.pass(LEASE_MS);
  expect(reasonOf(late.item.check)).toBe("lost");
  const lost = held();
  lost.item.lose();
  expect(reasonOf(lost.item.check)).toBe("lost");
  expect(lost.item.ended.aborted).toBe(true);
  const closed = held();
  closed.close();
  expect(reasonOf(closed.item.check)).toBe("closing");
});

test("a submitted job is watched on through a stop and without the server, but nothing is done to it meanwhile", () => {
  const { item, pass } = held({ state: "CLAIMED", stopRequested: true });
  pass(LEASE_MS);
  expect(reasonOf(item.check)).toBeUndefined();
  expect(item.stopRequested).toBe(true);
  expect(item.mayAct()).toBe(false);
  item.expiresAt += LEASE_MS;
  expect(item.mayAct()).toBe(true);
});

test("the first name given for a stop stays", () => {
  const { item } = held();
  item.requestStop(undefined);
  item.requestStop("ann");
  item.requestStop("bob");
  expect(item.stopRequestedBy).toBe("ann");
});
