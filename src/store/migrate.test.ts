import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../test/support/databases.ts";
import { systemClock } from "../core/clock.ts";
import { MIGRATIONS, type Migration, migrate } from "./migrate.ts";

const step = (id: number, breaking: boolean, ...statements: string[]): Migration => ({
  id,
  name: `step ${id}`,
  breaking,
  statements,
});

describe.each(databases)("migrations on $name", ({ open }) => {
  let store: TestDatabase;
  beforeEach(async () => {
    store = await open();
  });
  afterEach(() => store.close());
  const run = (...more: Migration[]) =>
    migrate(store.database.kysely, store.database.dialect, systemClock, [...MIGRATIONS, ...more]);
  const applied = async () =>
    (await store.database.kysely.selectFrom("migrations").select("id").orderBy("id").execute()).map((row) => row.id);

  test("the steps are numbered in order, and one that was taken is not taken again", async () => {
    const ids = MIGRATIONS.map((migration) => migration.id);
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
    await run();
    expect(await applied()).toEqual(MIGRATIONS.map((migration) => migration.id));
  });

  test("several that start at once take each step once", async () => {
    const next = step(
      1000,
      false,
      "CREATE TABLE probe (id SERIAL, name TEXT)",
      "INSERT INTO probe (name) VALUES ('x')",
    );
    await Promise.all([run(next), run(next), run(next), run(next)]);
    const rows = await sql`SELECT name FROM probe`.execute(store.database.kysely);
    expect(rows.rows).toEqual([{ name: "x" }]);
  });

  test("a step that fails leaves nothing behind", async () => {
    const bad = step(1000, false, "CREATE TABLE probe (id SERIAL)", "INSERT INTO nowhere VALUES (1)");
    await expect(run(bad)).rejects.toThrow(/nowhere/);
    expect(await applied()).not.toContain(1000);
    await run(step(1000, false, "CREATE TABLE probe (id SERIAL)"));
    expect(await applied()).toContain(1000);
  });

  test("a database of a newer program is refused if a step that we do not know is breaking", async () => {
    await run(step(1000, false));
    await run();
    await run(step(1000, false), step(1001, true));
    await expect(run()).rejects.toMatchObject({
      code: "DATABASE_NEWER",
      message: expect.stringContaining("schema 1001"),
    });
  });
});
