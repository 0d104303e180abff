import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ITEM_EVENTS,
  ITEM_STATES,
  ITEM_TRANSITIONS,
  type ItemActor,
  type ItemEvent,
  type ItemState,
  isSettled,
  mayGo,
  phasesOf,
  settlingEvent,
  statesAllowing,
  transition,
} from "./item-states.ts";

describe("the table of transitions", () => {
  it("has at most one row for a state, an event and an actor, or one for each case of a job that may exist", () => {
    for (const from of ITEM_STATES)
      for (const event of ITEM_EVENTS)
        for (const by of ["agent", "person", "server"] as const) {
          const rows = ITEM_TRANSITIONS.filter(
            (row) => row.from === from && row.event === event && row.by.includes(by),
          );
          if (rows.length > 1) expect(rows.map((row) => row.needs).sort()).toEqual(["may_have_job", "no_job"]);
        }
  });

  it("ends a waiting item at a stop only if no training job can be running", () => {
    for (const event of ["request_stop", "delete"] as const) {
      expect(transition("PENDING", event, "person")?.to).toBe("STOPPED");
      expect(transition("PENDING", event, "person", true)?.to).toBe("PENDING");
    }
  });

  it("lets nothing out of a settled state", () => {
    expect(ITEM_TRANSITIONS.filter((row) => isSettled(row.from))).toEqual([]);
  });

  it("asks for the lease of every agent that changes an item it holds", () => {
    for (const row of ITEM_TRANSITIONS.filter((row) => row.by.includes("agent")))
      expect(row.needs).toBe(
        ["lease", "pop"].includes(row.event) ? "due" : row.event === "adopt" ? "no_lease" : "lease",
      );
  });

  it("takes a new fencing token with every change of owner or state, but the acknowledgement by the owner", () => {
    for (const row of ITEM_TRANSITIONS)
      expect(row.token).toBe(
        (row.from !== row.to && row.event !== "acknowledge") || ["release", "expire", "adopt"].includes(row.event)
          ? "raise"
          : "keep",
      );
  });

  it("raises the attempt in a retry only", () => {
    expect(ITEM_TRANSITIONS.filter((row) => row.attempt === "next").map((row) => row.event)).toEqual(["retry"]);
  });

  it("gives a phase that fits the state", () => {
    for (const row of ITEM_TRANSITIONS) if (row.phase !== undefined) expect(phasesOf(row.to)).toContain(row.phase);
    for (const state of ITEM_STATES) expect(phasesOf(state).length).toBeGreaterThan(0);
  });

  it("answers what statements need", () => {
    expect(statesAllowing("lease", "agent")).toEqual(["PENDING"]);
    expect(statesAllowing("fail", "agent")).toEqual(["LEASED", "CLAIMED"]);
    expect(statesAllowing("request_stop", "person")).toEqual(["PENDING", "LEASED", "CLAIMED"]);
    expect(mayGo("LEASED", "PENDING")).toBe(true);
    expect(mayGo("FINISHED", "PENDING")).toBe(false);
    expect(transition("PENDING", "finish", "agent")).toBeUndefined();
    expect(settlingEvent("STOPPED")).toBe("stop");
  });
});

/** An item as the store keeps it, and what agents believe of it. */
interface Model {
  state: ItemState;
  attempt: number;
  token: number;
  owner: number | undefined;
  stopRequested: boolean;
  /** Training jobs that have been created: one for each attempt at most. */
  jobs: Set<number>;
  ends: number;
}
interface Lease {
  agent: number;
  attempt: number;
  token: number;
}

/** One guarded statement: changes the item if the table allows it and the caller's lease is the current one. */
function apply(item: Model, event: ItemEvent, by: ItemActor, lease?: Lease): boolean {
  const row = transition(item.state, event, by, item.jobs.has(item.attempt));
  if (row === undefined) return false;
  const current =
    lease !== undefined && item.owner === lease.agent && item.token === lease.token && item.attempt === lease.attempt;
  if (row.needs === "lease" && !current) return false;
  if (row.needs === "no_lease" && item.owner !== undefined) return false;
  item.state = row.to;
  if (row.token === "raise") item.token += 1;
  if (row.attempt === "next") item.attempt += 1;
  if (event === "request_stop") item.stopRequested = true;
  if (event === "lease" || event === "adopt") item.owner = lease?.agent;
  else if (row.to === "PENDING" || isSettled(row.to) || event === "release" || event === "expire")
    item.owner = undefined;
  if (isSettled(row.to)) item.ends += 1;
  return true;
}

describe("a queue of one item, two agents that die and lag, and impatient people", () => {
  const step = fc.record({
    agent: fc.integer({ min: 0, max: 1 }),
    what: fc.constantFrom(
      "lease",
      "submit",
      "acknowledge",
      "adopt",
      "retry",
      "finish",
      "fail",
      "stop",
      "wait",
      "release",
      "lease_runs_out",
      "request_stop",
      "forget",
    ),
  });

  it("ends once at most, submits once for each attempt, and obeys one agent at a time", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const item: Model = {
          state: "PENDING",
          attempt: 1,
          token: 0,
          owner: undefined,
          stopRequested: false,
          jobs: new Set(),
          ends: 0,
        };
        const believed: (Lease | undefined)[] = [undefined, undefined];
        for (const { agent, what } of steps) {
          const before = { ...item };
          const mine = believed[agent];
          if (what === "lease" || what === "adopt") {
            if (apply(item, what, "agent", { agent, attempt: item.attempt, token: item.token }))
              believed[agent] = { agent, attempt: item.attempt, token: item.token };
          } else if (what === "lease_runs_out") {
            if (item.owner !== undefined) {
              item.owner = undefined;
              apply(item, "expire", "server");
            }
          } else if (what === "request_stop") apply(item, "request_stop", "person");
          else if (what === "forget") believed[agent] = undefined;
          else if (what === "submit") {
            // Idempotent by name: an agent whose report is not stale creates the job or adopts the one that is there.
            if (mine && item.state === "LEASED" && apply(item, "report", "agent", mine) && !item.stopRequested)
              item.jobs.add(item.attempt);
          } else if (mine) {
            if (what === "acknowledge" && !item.jobs.has(item.attempt)) continue;
            const changed = apply(item, what, "agent", mine);
            if (changed) expect(before.owner).toBe(agent);
          }
          expect(item.token).toBeGreaterThanOrEqual(before.token);
          expect(item.attempt - before.attempt).toBeLessThanOrEqual(1);
          if (isSettled(before.state)) expect(item).toEqual(before);
          if (item.state !== before.state) expect(mayGo(before.state, item.state)).toBe(true);
          if (item.state === "PENDING" || isSettled(item.state)) expect(item.owner).toBeUndefined();
          if (item.state === "CLAIMED") expect(item.jobs.has(item.attempt)).toBe(true);
          expect(item.ends).toBeLessThanOrEqual(1);
        }
        expect(Math.max(0, ...item.jobs)).toBeLessThanOrEqual(item.attempt);
      }),
      { numRuns: 2000 },
    );
  });
});
