import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import type { RunRecord } from "../../store/records.ts";
import { type ControlPlane, createControlPlane } from "../testing/control-plane.ts";

const SILENCE = 300_000;

describe.each(databases)("runs on $name", ({ open }) => {
  let store: TestDatabase;
  let plane: ControlPlane;
  let made = 0;

  beforeAll(async () => {
    store = await open();
    plane = await createControlPlane(store.database, { runSilenceMs: SILENCE });
  });
  afterAll(async () => {
    await plane?.close();
    await store?.close();
  });

  /** A run that has begun, and what can be asked of it. */
  async function begin() {
    const { services, admin } = plane;
    const ref = { entityName: "admin", projectName: "runs", name: `run-${++made}` };
    await services.runs.upsert(admin, ref);
    const record = async (): Promise<RunRecord> => {
      const run = await services.runs.get(admin, ref);
      if (!run) throw new Error("the run is gone");
      return run;
    };
    return {
      ref,
      record,
      send: (message: Parameters<typeof services.runs.stream>[2]) => services.runs.stream(admin, ref, message),
      steps: async () => {
        const rows = await services.history.rows(await record(), "history", { samples: 1000 });
        return rows.map((row) => (JSON.parse(row) as { _step: number })._step);
      },
      console: async () => {
        const lines = await services.history.console(await record(), { from: 0, count: 100 });
        return lines.map(({ line }) => line);
      },
    };
  }

  const rows = (from: number, to: number, more = {}) =>
    Array.from({ length: to - from }, (_, i) => JSON.stringify({ _step: from + i, x: i, ...more }));

  test("a message that is sent again counts once, also if only part of it is new", async () => {
    const run = await begin();
    await run.send({ history: { offset: 0, lines: rows(0, 3) } });
    await run.send({ history: { offset: 0, lines: rows(0, 3) } });
    expect(await run.steps()).toEqual([0, 1, 2]);
    await run.send({ history: { offset: 1, lines: [...rows(0, 3).slice(1), ...rows(3, 5)] } });
    expect(await run.steps()).toEqual([0, 1, 2, 3, 4]);
    const { historyLines, historyKeys } = await run.record();
    expect(historyLines).toBe(5);
    expect(JSON.parse(historyKeys)).toMatchObject({
      lastStep: 4,
      keys: { x: { typeCounts: [{ type: "number", count: 5 }] } },
    });
  });

  test("code that begins anew replaces what was there, in its old place or after it", async () => {
    const run = await begin();
    await run.send({ history: { offset: 0, lines: rows(0, 6) } });
    await run.send({ history: { offset: 2, lines: rows(2, 4, { again: true }) } });
    expect(await run.steps()).toEqual([0, 1, 2, 3]);
    expect(Object.keys((JSON.parse((await run.record()).historyKeys) as { keys: object }).keys)).toContain("again");
    // The client of a run that does not resume counts its lines on, and its steps from 0.
    await run.send({ history: { offset: 4, lines: rows(0, 2) } });
    expect(await run.steps()).toEqual([0, 1]);
    await run.send({ history: { offset: 6, lines: rows(2, 3) } });
    expect(await run.steps()).toEqual([0, 1, 2]);
    expect((JSON.parse((await run.record()).historyKeys) as { lastStep: number }).lastStep).toBe(2);
  });

  test("two messages at once are both kept", async () => {
    const run = await begin();
    await Promise.all([
      run.send({ history: { offset: 0, lines: rows(0, 50) } }),
      run.send({ events: { offset: 0, lines: ['{"system.cpu":1}'] } }),
      run.send({ output: { offset: 0, lines: ["a", "b"] } }),
    ]);
    expect(await run.steps()).toHaveLength(50);
    expect(await run.console()).toEqual(["a", "b"]);
    expect(JSON.parse((await run.record()).systemMetrics)).toEqual({ "system.cpu": 1 });
  });

  test("a console's line is what was written last, and may hold anything", async () => {
    const run = await begin();
    const at = "2026-01-01T00:00:00.000000";
    await run.send({ output: { offset: 0, lines: [`${at} 10%`, `${at} after`] } });
    await run.send({ output: { offset: 0, lines: [`${at} 100%`] } });
    await run.send({ output: { offset: 2, lines: [`ERROR ${at} a\nb \u2603 "`] } });
    expect(await run.console()).toEqual(["100%", "after", 'a\nb ☃ "']);
  });

  test("history goes back to a step", async () => {
    const run = await begin();
    await run.send({ history: { offset: 0, lines: rows(0, 10) } });
    const back = await plane.services.runs.rewind(plane.admin, run.ref, 6);
    expect(back.historyLines).toBe(7);
    await run.send({ history: { offset: 7, lines: rows(7, 9) } });
    expect(await run.steps()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("a fork begins with its parent's history, goes on by itself, and keeps it when the parent is deleted", async () => {
    const { services, admin } = plane;
    const stepped = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => JSON.stringify({ _step: from + i }));
    const parent = await begin();
    await parent.send({ history: { offset: 0, lines: stepped(0, 4) } });
    await parent.send({ history: { offset: 4, lines: stepped(4, 10) } });
    const branch = (name: string, step: number) =>
      JSON.stringify({ _wandb: { value: { branch_point: { run_id: name, step } } } });
    const fork = async (from: string, name: string, step: number) => {
      const ref = { ...parent.ref, name };
      const upsert = () => services.runs.upsert(admin, { ...ref, config: branch(from, step) });
      await upsert();
      const record = async () => (await services.runs.get(admin, ref)) as RunRecord;
      const steps = async () => {
        const found = await services.history.rows(await record(), "history", { samples: 1000 });
        return found.map((row) => (JSON.parse(row) as { _step: number })._step);
      };
      const send = (offset: number, lines: string[]) =>
        services.runs.stream(admin, ref, { history: { offset, lines } });
      return { ref, upsert, record, steps, send };
    };

    const child = await fork(parent.ref.name, "child", 5);
    expect(await child.steps()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await child.record()).toMatchObject({ historyLines: 0 });
    expect(await services.history.tail(await child.record(), "history", 1)).toEqual(stepped(5, 6));
    // The client counts its own lines from 0, and sends a message again whose answer it has not seen.
    await child.send(0, stepped(6, 8));
    await child.upsert();
    await child.send(0, stepped(6, 8));
    await child.send(2, stepped(8, 9));
    expect(await child.steps()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(
      await services.history.rows(await child.record(), "history", { samples: 1, minStep: 4, maxStep: 7 }),
    ).toEqual(stepped(4, 7));

    const grandchild = await fork("child", "grandchild", 7);
    await services.runs.remove(admin, parent.ref);
    await services.runs.remove(admin, child.ref);
    await grandchild.upsert();
    expect(await grandchild.steps()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect((JSON.parse((await grandchild.record()).historyKeys) as { lastStep: number }).lastStep).toBe(7);
    // Back into what is its parent's.
    expect(await services.runs.rewind(admin, grandchild.ref, 2)).toMatchObject({ historyLines: 0 });
    await grandchild.send(0, stepped(3, 5));
    expect(await grandchild.steps()).toEqual([0, 1, 2, 3, 4]);
    // Begun anew under its name.
    await grandchild.send(0, stepped(0, 2));
    expect(await grandchild.steps()).toEqual([0, 1]);

    await expect(fork("nobody", "orphan", 1)).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
    expect(await services.runs.get(admin, { ...parent.ref, name: "orphan" })).toBeUndefined();
  });

  test("pages of steps and samples of keys", async () => {
    const run = await begin();
    const lines = Array.from(
      { length: 100 },
      (_, i) => `{"_step":${i},"odd":NaN,"n":{"a":${i}}${i % 2 ? ',"even":1' : ""}}`,
    );
    for (let from = 0; from < 100; from += 7)
      await run.send({ history: { offset: from, lines: lines.slice(from, from + 7) } });
    const { history } = plane.services;
    const record = await run.record();
    expect(await history.rows(record, "history", { samples: 2, minStep: 10, maxStep: 13 })).toEqual(
      lines.slice(10, 13),
    );
    expect(await history.sampled(record, { keys: ["n.a", "odd"], samples: 3 })).toEqual([
      { "n.a": 0, odd: "NaN" },
      { "n.a": 50, odd: "NaN" },
      { "n.a": 99, odd: "NaN" },
    ]);
    expect(await history.sampled(record, { keys: ["even"], samples: 1000 })).toHaveLength(50);
    expect(await history.sampled(record, { keys: ["never"], samples: 10 })).toEqual([]);
    expect(await history.tail(record, "history", 2)).toEqual(lines.slice(98));
  });

  test("a run that falls silent has crashed, runs again when it speaks, and is told of a stop", async () => {
    const run = await begin();
    const preempted = await begin();
    await preempted.send({ preempting: true });
    plane.clock.advance(SILENCE - 1);
    await plane.services.sweep();
    expect((await run.record()).state).toBe("running");
    plane.clock.advance(2);
    await plane.services.sweep();
    expect((await run.record()).state).toBe("crashed");
    expect((await preempted.record()).state).toBe("preempted");
    await plane.services.runs.stop(plane.admin, run.ref);
    expect(await run.send({})).toEqual({ stopped: true });
    expect((await run.record()).state).toBe("running");
    await run.send({ exitCode: 255 });
    expect((await run.record()).state).toBe("failed");
    // Begun again by a person, it is not stopped any more.
    await plane.services.runs.upsert(plane.admin, run.ref);
    expect(await run.send({})).toEqual({ stopped: false });
    expect(await run.record()).toMatchObject({ state: "running", exitCode: null });
  });

  test("an alert of one title is kept once within its wait", async () => {
    const run = await begin();
    const { runs } = plane.services;
    const alert = { title: "Loss", text: "t", severity: "WARN", waitMs: 60_000 } as const;
    expect(await runs.alert(plane.admin, run.ref, alert)).toBe(true);
    expect(await runs.alert(plane.admin, run.ref, alert)).toBe(false);
    expect(await runs.alert(plane.admin, run.ref, { ...alert, title: "Other" })).toBe(true);
    plane.clock.advance(60_001);
    expect(await runs.alert(plane.admin, run.ref, alert)).toBe(true);
    expect((await runs.alerts(plane.admin, await run.record())).map(({ title }) => title)).toEqual([
      "Loss",
      "Other",
      "Loss",
    ]);
  });

  test("a run is deleted with what it has reported, but not while its item goes on", async () => {
    const run = await begin();
    await run.send({ history: { offset: 0, lines: rows(0, 3) } });
    await plane.services.runs.remove(plane.admin, run.ref);
    expect(await plane.services.runs.get(plane.admin, run.ref)).toBeUndefined();
    await expect(run.send({})).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });

    const item = await plane.push(await plane.queue());
    const ref = { entityName: "admin", projectName: "digits", name: item.runId };
    await expect(plane.services.runs.remove(plane.admin, ref)).rejects.toMatchObject({ code: "RUN_IN_FLIGHT" });
    await plane.services.items.stop(plane.admin, item.id);
    await plane.services.runs.remove(plane.admin, ref);
  });

  test("states that a person may set", async () => {
    const run = await begin();
    const { runs } = plane.services;
    await expect(runs.setState(plane.admin, run.ref, "finished")).rejects.toMatchObject({ code: "RUN_STATE_REFUSED" });
    expect((await runs.setState(plane.admin, run.ref, "failed")).state).toBe("failed");
    expect((await runs.setState(plane.admin, run.ref, "pending")).state).toBe("pending");
    await run.send({ exitCode: 0 });
    await expect(runs.setState(plane.admin, run.ref, "pending")).rejects.toMatchObject({ code: "RUN_STATE_REFUSED" });
  });
});
