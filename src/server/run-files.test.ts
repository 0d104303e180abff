import { CreateBucketCommand, HeadObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../test/support/databases.ts";
import { startTestLocalAws, type TestLocalAws } from "../../test/support/local-aws.ts";
import { createS3FileStore } from "../store/s3-files.ts";
import { createTestApp, type TestApp } from "./testing/test-app.ts";

describe.each(databases)("files of runs that go straight to a bucket, on $name", ({ open }) => {
  let aws: TestLocalAws;
  let s3: S3Client;
  let database: TestDatabase;
  let app: TestApp;

  beforeAll(async () => {
    aws = await startTestLocalAws();
    s3 = new S3Client({ ...aws.client, forcePathStyle: true });
    await s3.send(new CreateBucketCommand({ Bucket: "run-files" }));
    database = await open();
    app = await createTestApp(database.database, {
      files: createS3FileStore({ bucket: "run-files", prefix: "", ...aws.client }),
      env: { SLIPWAY_FILE_MAX_BYTES: "1000" },
    });
    await app.data(`mutation { upsertBucket(input: { modelName: "digits", name: "r1" }) { inserted } }`);
  });
  afterAll(async () => {
    await app?.close();
    await database?.close();
    s3?.destroy();
    await aws?.close();
  });

  const addressOf = async (name: string) => {
    const { createRunFiles } = await app.data<{ createRunFiles: { files: { uploadUrl: string }[] } }>(
      `mutation Files($files: [String!]!) {
         createRunFiles(input: { entityName: "admin", projectName: "digits", runName: "r1", files: $files }) {
           files { uploadUrl } } }`,
      { files: [name] },
    );
    return createRunFiles.files[0]?.uploadUrl ?? "";
  };
  const put = async (address: string, bytes: number) => {
    const sent = await fetch(address, { method: "PUT", body: new Uint8Array(bytes) });
    expect(sent.status).toBe(200);
  };
  const listed = async () => {
    const { project } = await app.data<{
      project: { run: { files: { edges: { node: { name: string; sizeBytes: number } }[] } } };
    }>(
      `{ project(name: "digits", entityName: "admin") { run(name: "r1") { files { edges { node { name sizeBytes } } } } } }`,
    );
    return project.run.files.edges.map(({ node }) => [node.name, Number(node.sizeBytes)]);
  };

  test("one that is too large is not kept there either, and may come again smaller", async () => {
    const [small, large] = [await addressOf("small.bin"), await addressOf("large.bin")];
    await put(small, 1000);
    await put(large, 1001);
    expect(await listed()).toEqual([["small.bin", 1000]]);
    const key = new URL(large).pathname.replace("/run-files/", "");
    await expect(s3.send(new HeadObjectCommand({ Bucket: "run-files", Key: key }))).rejects.toThrow();
    expect(app.log.some((line) => line.includes("SLIPWAY_FILE_MAX_BYTES") && line.includes("large.bin"))).toBe(true);

    await put(large, 10);
    expect(await listed()).toEqual([
      ["large.bin", 10],
      ["small.bin", 1000],
    ]);
    await put(large, 5000);
    expect(await listed()).toEqual([["small.bin", 1000]]);
  });
});
