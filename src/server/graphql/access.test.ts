import { getNamedType, isLeafType } from "graphql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import { type Arguments, createAccessWorld, type Person, people } from "../testing/access/access-world.ts";
import { accountRows } from "../testing/access/account-rows.ts";
import { artifactRows } from "../testing/access/artifact-rows.ts";
import { itemRows } from "../testing/access/item-rows.ts";
import { queueRows } from "../testing/access/queue-rows.ts";
import { routeRows } from "../testing/access/route-rows.ts";
import { runRows } from "../testing/access/run-rows.ts";
import { sweepRows } from "../testing/access/sweep-rows.ts";
import { schema } from "./schema.ts";

/*
 * Who may do what, over the whole wire: every query, every mutation and every HTTP route has a row in a table
 * of ../testing/access, so that none can be added
 * without a decision. The rights of services are in services/authorize.test.ts.
 */

const REFUSED =
  /^(nothing|FORBIDDEN|KEY_SCOPE|(ENTITY|QUEUE|ITEM|AGENT|RUN|KEY|USER|PROJECT|FILE|CODE|ARTIFACT|SWEEP|RUN_FILE)_NOT_FOUND)$/;

describe.each(databases)("what a key may do over the wire, on $name", ({ open }) => {
  let store: TestDatabase;
  const world = createAccessWorld();
  const { things, keyOf } = world;
  const subjects = [accountRows, queueRows, itemRows, runRows, artifactRows, sweepRows].map((rows) => rows(world));
  const tables = {
    query: subjects.flatMap(({ queries }) => Object.entries(queries)),
    mutation: subjects.flatMap(({ mutations }) => Object.entries(mutations)),
  };
  const routes = routeRows(world);

  beforeAll(async () => {
    store = await open();
    await world.open(store.database);
  });
  afterAll(async () => {
    await world.app?.close();
    await store?.close();
  });

  async function call(kind: "query" | "mutation", name: string, args: Arguments, key: string, select = "__typename") {
    const root = kind === "query" ? schema.getQueryType() : schema.getMutationType();
    const field = root?.getFields()[name];
    if (!field) throw new Error(`there is no ${kind} ${name}`);
    const given = field.args.filter((one) => args[one.name] !== undefined);
    const declared = given.map((one) => `$${one.name}: ${one.type}`).join(", ");
    const passed = given.map((one) => `${one.name}: $${one.name}`).join(", ");
    const selection = isLeafType(getNamedType(field.type)) ? "" : `{ ${select} }`;
    const text = `${kind} Call${declared && `(${declared})`} { ${name}${passed && `(${passed})`} ${selection} }`;
    const { data, errors } = await world.app.graphql<Record<string, unknown> | null>(text, args, key);
    return errors?.[0]?.extensions.code ?? (isEmpty(data?.[name]) ? "nothing" : "done");
  }

  const cases = (["query", "mutation"] as const).flatMap((kind) =>
    tables[kind].map(([name, row]) => [kind, name, row] as const),
  );

  test("every query and mutation has its row", () => {
    const named = (kind: "query" | "mutation") => tables[kind].map(([name]) => name).toSorted();
    expect(named("query")).toEqual(Object.keys(schema.getQueryType()?.getFields() ?? {}).toSorted());
    expect(named("mutation")).toEqual(Object.keys(schema.getMutationType()?.getFields() ?? {}).toSorted());
  });

  test.each(cases)("%s %s", async (kind, name, { least, args = () => ({}), own, select }) => {
    for (const person of people) {
      const made = await things();
      const outcome = await call(kind, name, await args(made), keyOf(person), select);
      const allowed = least === "anyone" || people.indexOf(person) >= people.indexOf(least);
      // `nothing`: a mutation whose answer is null may have been let through all the same, as popFromRunQueue of an empty queue.
      if (allowed) expect(outcome, person).toBe("done");
      else expect(outcome, person).toMatch(REFUSED);
    }
    const made = await things();
    const others = await things();
    if (own) expect(await call(kind, name, await own(made), made.jobKey, select), "its own").toBe("done");
    if (own && kind === "query") return;
    const outcome = await call(kind, name, await args(others), made.jobKey, select);
    if (least === "anyone") expect(outcome, "job").toBe("done");
    else expect(outcome, "job").toMatch(REFUSED);
  });

  test("every route has its row", () => {
    expect(Object.keys(routes).toSorted()).toEqual([...world.app.routes].toSorted());
  });

  async function status(path: string, init: RequestInit | undefined, key: string): Promise<number> {
    const gone = new AbortController();
    const response = await world.app.request(path, { ...init, key, signal: gone.signal });
    // A stream of events would go on for good.
    await response.body?.cancel();
    gone.abort();
    return response.status;
  }

  test.each(Object.entries(routes))("%s", async (_route, { least, path = () => "/", own, init }) => {
    const made = await things();
    for (const person of people) {
      const answered = await status(path(made), init, keyOf(person));
      const allowed = least === "anyone" || people.indexOf(person) >= people.indexOf(least as Person);
      if (allowed && least !== "nobody asks") expect(answered, person).toBeLessThan(300);
      else expect([403, 404], person).toContain(answered);
    }
    if (own) expect(await status(own(made), init, made.jobKey), "its own").toBe(200);
    const others = await things();
    const answered = await status(path(others), init, made.jobKey);
    if (least === "anyone") expect(answered, "job").toBe(200);
    else expect([403, 404], "job").toContain(answered);
  });
});

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (Array.isArray(value)) return value.length === 0 || value.every(isEmpty);
  return typeof value === "object" && Object.keys(value).length > 0 && Object.values(value).every(isEmpty);
}
