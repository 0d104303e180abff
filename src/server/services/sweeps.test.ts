import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import { type ControlPlane, createControlPlane } from "../testing/control-plane.ts";
import type { Principal } from "./principal.ts";
import type { SweepCommand } from "./sweeps.ts";

const GRID = "method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {x: {values: [1, 2, 3]}}";

describe.each(databases)("sweeps on $name", ({ open }) => {
  let store: TestDatabase;
  let plane: ControlPlane;
  let viewer: Principal;
  const at = { entityName: "team", projectName: "tuning" };

  beforeAll(async () => {
    store = await open();
    plane = await createControlPlane(store.database);
    const { accounts } = plane.services;
    await plane.user("reader");
    await accounts.createTeam(plane.admin, { name: "team", members: [{ username: "reader", role: "VIEWER" }] });
    // Roles are read with the key, so the key comes after the team.
    const { key } = await accounts.createApiKey(plane.admin, { description: "test", username: "reader" });
    const found = await accounts.authenticate(key);
    if (!found) throw new Error("the reader is unknown");
    viewer = found;
  });
  afterAll(async () => {
    await plane?.close();
    await store?.close();
  });

  async function started(config = GRID): Promise<{ sweep: string; agent: string }> {
    const { sweeps } = plane.services;
    const sweep = (await sweeps.upsert(plane.admin, { ...at, config })).id;
    return { sweep, agent: await sweeps.createAgent(plane.admin, { ...at, sweep, host: "h" }) };
  }
  const beat = (agent: string, running: readonly string[] = []) =>
    plane.services.sweeps.heartbeat(plane.admin, agent, running);
  const runOf = ([command]: readonly SweepCommand[]) => {
    if (command?.type !== "run") throw new Error(`no run but ${JSON.stringify(command)}`);
    return command;
  };
  async function read(sweep: string) {
    const { project } = await plane.services.projects.upsert(plane.admin, { entityName: "team", name: "tuning" });
    const found = await plane.services.sweeps.get(plane.admin, project, sweep);
    if (!found) throw new Error(`sweep ${sweep} is gone`);
    return found;
  }

  test("a viewer's heartbeat is refused before anything is noted", async () => {
    const { sweep, agent } = await started();
    plane.clock.advance(60_000);
    await expect(plane.services.sweeps.heartbeat(viewer, agent, [])).rejects.toMatchObject({ code: "FORBIDDEN" });
    const row = await store.database.kysely
      .selectFrom("sweepAgents")
      .select(["heartbeatAt", "createdAt"])
      .where("id", "=", agent)
      .executeTakeFirstOrThrow();
    expect(row.heartbeatAt).toBe(row.createdAt);
    expect((await read(sweep)).heartbeatAt).toBeNull();
    await beat(agent);
    expect((await read(sweep)).heartbeatAt).toBe(plane.clock.now());
  });

  test("agents that ask at once get each combination once; the sweep ends with the last run", async () => {
    const { sweep, agent } = await started();
    const { sweeps, runs } = plane.services;
    const others = await Promise.all(
      [1, 2, 3, 4].map(() => sweeps.createAgent(plane.admin, { ...at, sweep, host: "h" })),
    );
    const answers = await Promise.all([agent, ...others].map((one) => beat(one)));
    const handed = answers.flat().map((command) => runOf([command]));
    expect(handed.map(({ args }) => JSON.stringify(args)).sort()).toEqual(
      [1, 2, 3].map((value) => JSON.stringify({ x: { value } })),
    );
    expect((await read(sweep)).state).toBe("RUNNING");
    for (const { run_id: name } of handed) await runs.upsert(plane.admin, { ...at, name, sweep });
    expect(await beat(agent)).toEqual([]);
    for (const { run_id: name } of handed) await runs.stream(plane.admin, { ...at, name }, { exitCode: 0 });
    expect(await beat(agent)).toEqual([{ type: "exit" }]);
    expect((await read(sweep)).state).toBe("FINISHED");
  });

  test("a paused sweep gives no run, a resumed one goes on, a cancelled one stops its runs and stays so", async () => {
    const { sweep, agent } = await started();
    const to = (state: string) => plane.services.sweeps.upsert(plane.admin, { id: sweep, state });
    const first = runOf(await beat(agent));
    await to("PAUSED");
    expect(await beat(agent)).toEqual([]);
    await to("RUNNING");
    const second = runOf(await beat(agent));
    expect([first.args, second.args]).toEqual([{ x: { value: 1 } }, { x: { value: 2 } }]);
    await to("CANCELED");
    expect(await beat(agent, [second.run_id])).toEqual([{ type: "stop", run_id: second.run_id }, { type: "exit" }]);
    await expect(to("RUNNING")).rejects.toMatchObject({ code: "SWEEP_STATE_REFUSED" });
  });

  describe("a sweep that stops runs early", () => {
    const EARLY = `${GRID.replace("[1, 2, 3]", "[1, 2, 3, 4]")}\nearly_terminate: {type: hyperband, min_iter: 2}`;
    const { stringify } = JSON;

    async function going(config: string) {
      const { sweep, agent } = await started(config);
      const { runs } = plane.services;
      const begin = async () => {
        const { run_id: name } = runOf(await beat(agent));
        await runs.upsert(plane.admin, { ...at, name, sweep });
        let offset = 0;
        /** Logs these losses in one message; answers whether the code is to stop. */
        const log = async (...losses: (number | string)[]) => {
          const lines = losses.map((loss, step) => stringify({ _step: offset + step, loss }));
          const message = { history: { offset, lines } };
          offset += lines.length;
          return (await runs.stream(plane.admin, { ...at, name }, message)).stopped;
        };
        return { name, log };
      };
      return { sweep, agent, begin };
    }

    test("the worse run is stopped at its rung, and its agent is told; the better one goes on", async () => {
      const { agent, begin } = await going(EARLY);
      const [first, second, third] = [await begin(), await begin(), await begin()];
      expect(await first.log(1)).toBe(false);
      expect(await first.log(0.9)).toBe(false);
      expect(await second.log(5)).toBe(false);
      expect(await beat(agent, [second.name])).toEqual([]);
      expect(await second.log(4)).toBe(true);
      expect(await beat(agent, [second.name])).toEqual([{ type: "stop", run_id: second.name }]);
      expect(await third.log(0.5, 3, 3)).toBe(false);
      // The first has come to no rung since: only a strict rule would look at it again.
      expect(await first.log(0.9)).toBe(false);
    });

    test("strict looks at every rung again with each message", async () => {
      const { begin } = await going(`${EARLY.slice(0, -1)}, strict: true}`);
      const [first, second] = [await begin(), await begin()];
      expect(await first.log(1, 0.9)).toBe(false);
      expect(await second.log(0.5, 0.4)).toBe(false);
      expect(await first.log(0.1)).toBe(true);
    });

    test("what is no number is worst, and code that begins anew is counted anew", async () => {
      const { begin } = await going(EARLY);
      const [first, second] = [await begin(), await begin()];
      expect(await first.log(1, 1)).toBe(false);
      expect(await second.log("NaN")).toBe(false);
      const anew = { offset: 0, lines: [stringify({ _step: 0, loss: 9 }), stringify({ _step: 1, loss: 0.25 })] };
      const { stopped } = await plane.services.runs.stream(
        plane.admin,
        { ...at, name: second.name },
        { history: anew },
      );
      expect(stopped).toBe(false);
      const rungs = await store.database.kysely
        .selectFrom("sweepRungs")
        .select("value")
        .where("value", "=", 0.25)
        .execute();
      expect(rungs).toHaveLength(1);
    });
  });

  test("schedulers of launch queues and earlier runs are refused by name", async () => {
    const { sweeps } = plane.services;
    for (const more of [{ launchScheduler: '{"queue": "q"}' }, { priorRunsFilters: '{"name": "a"}' }])
      await expect(sweeps.upsert(plane.admin, { ...at, config: GRID, ...more })).rejects.toMatchObject({
        code: "SWEEP_ON_LAUNCH",
      });
  });
});
