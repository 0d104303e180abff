import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import type { ProjectRecord } from "../../store/records.ts";
import { type ControlPlane, createControlPlane } from "../testing/control-plane.ts";

/** Five runs, made a minute apart; e has been told nothing of. */
const RUNS = [
  {
    name: "a",
    displayName: "Red fox",
    config: { lr: 0.1, opt: { name: "adam" }, layers: [32, 64] },
    summary: { loss: 0.5 },
  },
  {
    name: "b",
    displayName: "red owl",
    config: { lr: 1, "a.b": "flat", flag: true },
    summary: { loss: 0.25, "eval/acc": 0.9 },
  },
  {
    name: "c",
    displayName: "blue",
    config: { lr: "high", opt: { name: "sgd" } },
    summary: { loss: 2, best: { acc: 1 } },
  },
  { name: "d", displayName: null, config: { lr: null, note: 'say "ü"' }, summary: { loss: "NaN" } },
  { name: "e", displayName: null, config: {}, summary: {} },
] as const;
const TAGS: Readonly<Record<string, readonly string[]>> = { a: ["x", "best-1"], b: ["x"], c: ["y"], d: [], e: [] };
const START = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;

describe.each(databases)("lists of runs on $name", ({ open }) => {
  let store: TestDatabase;
  let plane: ControlPlane;
  let project: ProjectRecord;

  beforeAll(async () => {
    store = await open();
    plane = await createControlPlane(store.database);
    const { services, admin, clock } = plane;
    for (const { name, displayName, config, summary } of RUNS) {
      const wrapped = Object.fromEntries(Object.entries(config).map(([key, value]) => [key, { value, desc: null }]));
      const ref = { entityName: "admin", projectName: "digits", name };
      await services.runs.upsert(admin, {
        ...ref,
        displayName,
        config: JSON.stringify(wrapped),
        tags: TAGS[name] ?? [],
        groupName: name < "c" ? "g" : null,
        jobType: "train",
        state: name === "e" ? "pending" : "running",
        summaryMetrics: JSON.stringify(summary).replace('"NaN"', "NaN"),
      });
      clock.advance(MINUTE);
    }
    await services.runs.upsert(admin, { entityName: "admin", projectName: "other", name: "a" });
    const found = await services.projects.get(admin, "admin", "digits");
    if (!found) throw new Error("there is no project");
    project = found;
  });
  afterAll(async () => {
    await plane?.close();
    await store?.close();
  });

  async function names(filters: object, order?: string): Promise<string> {
    const list = await plane.services.runQueries.list(plane.admin, project, {
      filters: JSON.stringify(filters),
      order: order ?? null,
    });
    const count = await plane.services.runQueries.count(plane.admin, project, JSON.stringify(filters));
    expect(count).toBe(list.nodes.length);
    return list.nodes.map(({ run }) => run.name).join("");
  }

  const instant = (minutes: number) => new Date(START + minutes * MINUTE).toISOString();

  test.each<[string, object]>([
    ["abcde", {}],
    ["a", { name: "a" }],
    ["abcd", { state: "running" }],
    ["e", { state: { $ne: "running" } }],
    ["bc", { $or: [{ name: "b" }, { name: "c" }] }],
    ["", { $or: [] }],
    ["cde", { $nor: [{ group: "g" }] }],
    ["cde", { group: null }],
    ["ab", { group: { $exists: true }, jobType: "train" }],
    ["abcde", { username: "admin" }],
    ["de", { display_name: { $exists: false } }],
    ["b", { display_name: { $regex: "^red" } }],
    ["ab", { display_name: { $regex: "(?i)^red" } }],
    ["ab", { display_name: { $regex: "^RED\\b", $options: "i" } }],
    ["acde", { display_name: { $not: { $regex: "^red" } } }],
    ["ab", { tags: "x" }],
    ["cde", { tags: { $ne: "x" } }],
    ["abc", { tags: { $in: ["x", "y"] } }],
    ["de", { tags: { $nin: ["x", "y"] } }],
    ["a", { tags: ["x", "best-1"] }],
    ["a", { tags: { $regex: "^best-\\d$" } }],
    ["de", { tags: { $exists: false } }],
    ["cde", { created_at: { $gte: instant(2) } }],
    ["b", { createdAt: { $gt: instant(0), $lt: instant(2) } }],
    ["a", { "config.lr": 0.1 }],
    ["a", { "config.lr.value": 0.1 }],
    ["b", { "config.lr": { $gt: 0.1 } }],
    ["c", { "config.lr": { $gt: "a" } }],
    ["bcde", { "config.lr": { $ne: 0.1 } }],
    ["de", { "config.lr": null }],
    ["abcd", { "config.lr": { $exists: true } }],
    ["e", { "config.lr": { $exists: false } }],
    ["ab", { "config.lr": { $in: [0.1, 1, 7] } }],
    ["a", { "config.opt.name": "adam" }],
    ["ac", { "config.opt.name": { $regex: "a|s" } }],
    ["b", { "config.a.b": "flat" }],
    ["b", { "config.flag": true }],
    ["", { "config.flag": false }],
    ["a", { "config.layers": 64 }],
    ["a", { "config.layers": [32, 64] }],
    ["", { "config.layers": [64] }],
    ["d", { "config.note": 'say "ü"' }],
    ["ab", { "summary_metrics.loss": { $lt: 1 } }],
    ["ab", { "summaryMetrics.loss": { $gte: 0.25, $lte: 0.5 } }],
    ["cde", { "summary_metrics.loss": { $not: { $lt: 1 } } }],
    ["d", { "summary_metrics.loss": "NaN" }],
    ["b", { "summary.eval/acc": { $gt: 0.8 } }],
    ["c", { "summary.best.acc": 1 }],
    ["", { "summary.best": { acc: 2 } }],
    ["c", { $and: [{ "summary.loss": { $gt: 1 } }, { tags: "y" }] }],
    ["", { name: "a' OR 1=1 --" }],
    ["", { "config.x'y": 1 }],
  ])("%s: %j", async (expected, filter) => {
    expect(await names(filter)).toBe(expected);
  });

  test.each([
    ["abcde", "+created_at"],
    ["abcde", "created_at"],
    ["edcba", "-created_at"],
    ["edcba", "-name"],
    ["bacde", "+summary_metrics.loss"],
    // d has a text where the others have numbers, and e has nothing: they come after those, d before e, either way.
    ["cabde", "-summary_metrics.loss"],
    ["abcde", "+config.lr.value"],
    ["abcde", "+config.lr"],
    ["abcde", "+group,+name"],
    ["baedc", "+group,-name"],
    ["acbde", "+config.opt.name,+display_name"],
  ])("%s by %s, whole and page by page", async (expected, order) => {
    const { services, admin } = plane;
    const whole = (await services.runQueries.list(admin, project, { order })).nodes.map(({ run }) => run.name).join("");
    let paged = "";
    let after: string | null = null;
    for (let more = true; more; ) {
      const page = await services.runQueries.list(admin, project, { order, first: 2, after });
      paged += page.nodes.map(({ run }) => run.name).join("");
      after = page.endCursor;
      more = page.hasNextPage;
    }
    expect(paged).toBe(whole);
    expect(whole).toBe(expected);
  });

  test("what can't be a cursor is refused", async () => {
    const asked = plane.services.runQueries.list(plane.admin, project, { after: "xx" });
    await expect(asked).rejects.toMatchObject({ code: "REQUEST_INVALID", where: "after" });
  });

  test("a stranger sees none, and the key of one job its own run", async () => {
    const { services } = plane;
    const stranger = await plane.user("stranger");
    expect((await services.runQueries.list(stranger, project, {})).nodes).toEqual([]);
    expect(await services.runQueries.count(stranger, project, null)).toBe(0);
    const job = { ...plane.admin, run: { entityId: project.entityId, projectName: "digits", runName: "b" } };
    expect((await services.runQueries.list(job, project, {})).nodes.map(({ run }) => run.name)).toEqual(["b"]);
    expect(await services.runQueries.count(job, project, null)).toBe(1);
    const other = { ...job, run: { ...job.run, projectName: "other" } };
    expect(await services.runQueries.count(other, project, null)).toBe(0);
  });
});
