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

  describe("a sweep on a launch queue", () => {
    const CONFIG = `${GRID}\nimage_uri: some/image:tag`;
    const spec = (more: object = {}) =>
      JSON.stringify({
        entity: "team",
        project: "tuning",
        name: "Scheduler.WANDB_SWEEP_ID",
        run_id: "WANDB_SWEEP_ID",
        uri: "placeholder-uri-scheduler",
        resource: "local-process",
        docker: {},
        git: {},
        overrides: {
          entry_point: ["wandb", "scheduler", "WANDB_SWEEP_ID"],
          args: ["--queue", "'tuners'", "--project", "'tuning'", "--image_uri", "some/image:tag"],
          run_config: {},
        },
        ...more,
      });
    const scheduler = (more: object = {}, queue = "tuners") =>
      JSON.stringify({ queue, run_queue_project: "model-registry", run_spec: spec(more) });

    beforeAll(async () => {
      await plane.services.queues.upsert(plane.admin, {
        entityName: "team",
        queueName: "tuners",
        resourceType: "sagemaker",
        resourceConfig: JSON.stringify({
          RoleArn: "arn:aws:iam::123456789012:role/SageMaker",
          OutputDataConfig: { S3OutputPath: "s3://models/out" },
          ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 10 },
          StoppingCondition: { MaxRuntimeInSeconds: 3600 },
        }),
      });
    });

    const make = (launchScheduler = scheduler(), config = CONFIG) =>
      plane.services.sweeps.upsert(plane.admin, { ...at, config, launchScheduler, state: "PENDING" });
    const itemOf = async ({ id }: { id: string }) => plane.item((await read(id)).schedulerItemId ?? "");
    const pop = () => plane.services.items.pop(plane.admin, { entityName: "team", queueName: "tuners" });
    const to = (id: string, state: string) => plane.services.sweeps.upsert(plane.admin, { id, state });

    test("has its scheduler on the queue, with its id in place and no key of a job; a cancel ends both", async () => {
      const sweep = await make();
      expect(await itemOf(sweep)).toMatchObject({ state: "PENDING", runId: sweep.id, name: `Scheduler.${sweep.id}` });
      const taken = await pop();
      expect(taken?.runSpec.overrides).toMatchObject({
        entry_point: ["wandb", "scheduler", sweep.id],
        args: ["--queue", "tuners", "--project", "tuning", "--image_uri", "some/image:tag"],
      });
      expect(taken?.runSpec).not.toHaveProperty("_wandb_api_key");
      const other = await make();
      await to(other.id, "CANCELED");
      expect(await itemOf(other)).toMatchObject({ state: "STOPPED" });
    });

    test("its scheduler is told no exit when all are done, and a cancel stops the runs it has pushed", async () => {
      const sweep = await make();
      const agent = await plane.services.sweeps.createAgent(plane.admin, { ...at, sweep: sweep.id, host: "h-0" });
      const { run_id: name } = runOf(await beat(agent));
      const runSpec = JSON.stringify({
        entity: "team",
        project: "tuning",
        run_id: name,
        sweep_id: sweep.id,
        docker: { docker_image: "some/image:tag" },
      });
      const child = await plane.services.items.push(plane.admin, {
        queue: { entityName: "team", name: "tuners" },
        runSpec,
      });
      await to(sweep.id, "CANCELED");
      expect(await plane.item(child.id)).toMatchObject({ state: "STOPPED" });
      expect(await beat(agent)).toEqual([{ type: "exit" }]);
      const done = await make();
      const last = await plane.services.sweeps.createAgent(plane.admin, { ...at, sweep: done.id, host: "h-0" });
      await to(done.id, "FINISHED");
      expect(await beat(last)).toEqual([]);
    });

    test("is resumed by another scheduler once the last one has ended, with the same run", async () => {
      const sweep = await make();
      await expect(
        plane.services.sweeps.upsert(plane.admin, { id: sweep.id, config: CONFIG, launchScheduler: scheduler() }),
      ).rejects.toMatchObject({ code: "SWEEP_GOES_ON" });
      await to(sweep.id, "CANCELED");
      const first = await itemOf(sweep);
      const again = { id: sweep.id, config: CONFIG, launchScheduler: scheduler(), state: "PENDING" };
      expect(await plane.services.sweeps.upsert(plane.admin, again)).toMatchObject({ state: "PENDING" });
      const second = await itemOf(sweep);
      expect(second).toMatchObject({ state: "PENDING", runId: sweep.id });
      expect(second.id).not.toBe(first.id);
    });

    test("what is wrong with it is said, and no sweep is left behind", async () => {
      const count = async () =>
        plane.services.sweeps.count(
          plane.admin,
          (await plane.services.projects.upsert(plane.admin, { entityName: "team", name: "tuning" })).project,
        );
      const before = await count();
      await expect(make(scheduler({}, "tuner"))).rejects.toMatchObject({ code: "QUEUE_NOT_FOUND" });
      await expect(make(scheduler({ job: "team/tuning/own:v0" }))).rejects.toMatchObject({
        code: "SWEEP_SCHEDULER_JOB",
      });
      await expect(make("{")).rejects.toMatchObject({ code: "SWEEP_SCHEDULER_INVALID" });
      await expect(make(scheduler(), GRID)).rejects.toMatchObject({ code: "SWEEP_SOURCE_MISSING" });
      const prior = { ...at, config: CONFIG, launchScheduler: scheduler(), priorRunsFilters: '{"name": "a"}' };
      await expect(plane.services.sweeps.upsert(plane.admin, prior)).rejects.toMatchObject({ code: "INPUT_INVALID" });
      expect(await count()).toBe(before);
    });
  });
});
