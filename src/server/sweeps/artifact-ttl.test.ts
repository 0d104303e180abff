import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import { logArtifact } from "../testing/log-artifact.ts";
import { type ManualClock, manualClock } from "../testing/manual-clock.ts";
import { createTestApp, type TestApp } from "../testing/test-app.ts";

const DAY = 24 * 3_600_000;

describe.each(databases)("versions with a time to live, on $name", ({ open }) => {
  let database: TestDatabase;
  let app: TestApp;
  let clock: ManualClock;
  beforeEach(async () => {
    database = await open();
    clock = manualClock();
    app = await createTestApp(database.database, { clock });
    await app.data(
      `mutation { upsertBucket(input: { name: "maker", modelName: "digits", entityName: "admin" }) { inserted } }`,
    );
  });
  afterEach(async () => {
    await app?.close();
    await database?.close();
  });

  /** A version that lives for two days, or for ever, named `latest`. */
  async function log(name: string, type: string, days: number | null = 2): Promise<string> {
    const id = await logArtifact(app, { project: "digits", type, name, files: { "a.txt": name } });
    if (days !== null) {
      await app.data(
        `mutation T($id: ID!, $ttl: Int64!) { updateArtifact(input: { artifactID: $id, ttlDurationSeconds: $ttl }) { artifact { id } } }`,
        { id, ttl: (days * DAY) / 1000 },
      );
    }
    return id;
  }

  const stateOf = async (id: string) =>
    (await app.data<{ artifact: { state: string } }>("query S($id: ID!) { artifact(id: $id) { state } }", { id }))
      .artifact.state;

  test("are gone when it is over, but for those in a portfolio and those that the client makes by itself", async () => {
    const short = await log("short", "dataset");
    const forever = await log("forever", "dataset", null);
    const long = await log("long", "dataset", 5);
    const linked = await log("linked", "dataset");
    const automatic = await Promise.all(
      ["job", "code", "run_table", "wandb-history"].map((type) => log(`of-${type}`, type)),
    );
    await app.data(
      `mutation L($id: ID!) { linkArtifact(input: { artifactID: $id, artifactPortfolioName: "best", entityName: "admin",
         projectName: "digits", aliases: [] }) { artifactMembership { id } } }`,
      { id: linked },
    );
    clock.advance(2 * DAY - 60_000);
    await app.services.sweep();
    expect(await stateOf(short)).toBe("COMMITTED");
    clock.advance(120_000);
    await app.services.sweep();
    expect(await stateOf(short)).toBe("DELETED");
    for (const id of [forever, long, linked, ...automatic]) expect(await stateOf(id)).toBe("COMMITTED");
    // Its name is free of it, and logging it again makes another.
    const { project } = await app.data<{ project: { artifact: unknown } }>(
      `{ project(name: "digits", entityName: "admin") { artifact(name: "short:latest") { id } } }`,
    );
    expect(project.artifact).toBeNull();
    expect(await log("short", "dataset", null)).not.toBe(short);
    clock.advance(4 * DAY);
    await app.services.sweep();
    expect(await stateOf(long)).toBe("DELETED");
    expect(await stateOf(forever)).toBe("COMMITTED");
  });
});
