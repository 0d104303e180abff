import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import { logArtifact } from "../testing/log-artifact.ts";
import { type ManualClock, manualClock } from "../testing/manual-clock.ts";
import { createTestApp, type TestApp } from "../testing/test-app.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describe.each(databases)("versions that end by time, on $name", ({ open }) => {
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

  test("are gone when their time to live is over, but for those in a portfolio and those that the client makes by itself", async () => {
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

  test("that are not committed are given up a day after they were last sent to, and not before", async () => {
    const { createArtifact } = await app.data<{ createArtifact: { artifact: { id: string } } }>(
      `mutation { createArtifact(input: { entityName: "admin", projectName: "digits", artifactTypeName: "dataset",
         artifactCollectionName: "slow", digest: "${"0".repeat(32)}" }) { artifact { id } } }`,
    );
    const { id } = createArtifact.artifact;
    const swept = async () => {
      await app.services.sweep();
      return stateOf(id);
    };
    for (let file = 0; file < 3; file++) {
      clock.advance(23 * HOUR);
      expect(await swept()).toBe("PENDING");
      const md5 = createHash("md5").update(String(file)).digest("base64");
      await app.data(
        `mutation F($files: [CreateArtifactFileSpecInput!]!) { createArtifactFiles(input: { artifactFiles: $files }) {
           files { edges { node { uploadUrl } } } } }`,
        { files: [{ artifactID: id, name: `${file}.bin`, md5 }] },
      );
    }
    clock.advance(25 * HOUR);
    expect(await swept()).toBe("DELETED");
  });
});
