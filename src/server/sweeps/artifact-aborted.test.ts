import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import { type ManualClock, manualClock } from "../testing/manual-clock.ts";
import { createTestApp, type TestApp } from "../testing/test-app.ts";

const HOUR = 3_600_000;

describe.each(databases)("versions that are not committed, on $name", ({ open }) => {
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

  test("are given up a day after they were last sent to, and not before", async () => {
    const { createArtifact } = await app.data<{ createArtifact: { artifact: { id: string } } }>(
      `mutation { createArtifact(input: { entityName: "admin", projectName: "digits", artifactTypeName: "dataset",
         artifactCollectionName: "slow", digest: "${"0".repeat(32)}" }) { artifact { id } } }`,
    );
    const { id } = createArtifact.artifact;
    const state = async () => {
      await app.services.sweep();
      const { artifact } = await app.data<{ artifact: { state: string } }>(
        "query S($id: ID!) { artifact(id: $id) { state } }",
        { id },
      );
      return artifact.state;
    };
    for (let file = 0; file < 3; file++) {
      clock.advance(23 * HOUR);
      expect(await state()).toBe("PENDING");
      const md5 = createHash("md5").update(String(file)).digest("base64");
      await app.data(
        `mutation F($files: [CreateArtifactFileSpecInput!]!) { createArtifactFiles(input: { artifactFiles: $files }) {
           files { edges { node { uploadUrl } } } } }`,
        { files: [{ artifactID: id, name: `${file}.bin`, md5 }] },
      );
    }
    clock.advance(25 * HOUR);
    expect(await state()).toBe("DELETED");
  });
});
