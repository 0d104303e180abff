import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import { createTestApp, type TestApp } from "../testing/test-app.ts";

const md5 = (text: string, as: "hex" | "base64") => createHash("md5").update(text).digest(as);

describe.each(databases)("the bytes of artifacts on $name", ({ open }) => {
  let database: TestDatabase;
  let app: TestApp;
  beforeEach(async () => {
    database = await open();
    app = await createTestApp(database.database);
    await app.data(
      `mutation { upsertBucket(input: { name: "maker", modelName: "digits", entityName: "admin" }) { inserted } }`,
    );
  });
  afterEach(async () => {
    await app?.close();
    await database?.close();
  });

  const put = (url: string | null | undefined, body: string) => {
    const { pathname, search } = new URL(url ?? "");
    return app.request(pathname + search, { method: "PUT", body });
  };

  async function create(name: string) {
    const { createArtifact } = await app.data<{ createArtifact: { artifact: { id: string } } }>(
      `mutation Create($name: String!) { createArtifact(input: { entityName: "admin", projectName: "digits", runName: "maker",
         artifactTypeName: "dataset", artifactCollectionName: $name, digest: $name }) { artifact { id } } }`,
      { name },
    );
    return createArtifact.artifact.id;
  }

  async function sendManifest(id: string, file: string, content: string) {
    const manifest = JSON.stringify({
      version: 1,
      storagePolicy: "wandb-storage-policy-v1",
      storagePolicyConfig: { storageLayout: "V2" },
      contents: { [file]: { digest: md5(content, "base64"), size: content.length } },
    });
    const { createArtifactManifest } = await app.data<{
      createArtifactManifest: { artifactManifest: { file: { uploadUrl: string } } };
    }>(
      `mutation Manifest($id: ID!, $digest: String!) { createArtifactManifest(input: { artifactID: $id, name: "m", digest: $digest,
         entityName: "admin", projectName: "digits", runName: "maker" }) { artifactManifest { file { uploadUrl } } } }`,
      { id, digest: md5(manifest, "base64") },
    );
    return put(createArtifactManifest.artifactManifest.file.uploadUrl, manifest);
  }

  interface Upload {
    storagePath: string;
    uploadUrl: string | null;
    uploadMultipartUrls: { uploadID: string; uploadUrlParts: { partNumber: number; uploadUrl: string }[] } | null;
  }
  async function ask(id: string, content: string, parts: readonly string[]): Promise<Upload> {
    const wanted = parts.map((part, i) => ({ partNumber: i + 1, hexMD5: md5(part, "hex") }));
    const { createArtifactFiles } = await app.data<{
      createArtifactFiles: { files: { edges: { node: Upload }[] } };
    }>(
      `mutation Files($id: ID!, $md5: String!, $parts: [UploadPartsInput!]) { createArtifactFiles(input: { artifactFiles: [
         { artifactID: $id, name: "big.bin", md5: $md5, uploadPartsInput: $parts }] }) {
           files { edges { node { storagePath uploadUrl uploadMultipartUrls { uploadID uploadUrlParts { partNumber uploadUrl } } } } } } }`,
      { id, md5: md5(content, "base64"), parts: wanted },
    );
    return createArtifactFiles.files.edges[0]!.node;
  }

  const commit = (id: string) =>
    app.graphql(`mutation Commit($id: ID!) { commitArtifact(input: { artifactID: $id }) { artifact { state } } }`, {
      id,
    });

  test("a file in parts becomes one content, which is not asked for again, and is read in ranges", async () => {
    const parts = ["the first part, ", "and the second"];
    const content = parts.join("");
    const id = await create("one");
    expect((await sendManifest(id, "big.bin", content)).status).toBe(200);
    expect((await commit(id)).errors?.[0]?.message).toContain("big.bin did not arrive");
    const upload = await ask(id, content, parts);
    const urls = upload.uploadMultipartUrls?.uploadUrlParts ?? [];
    const complete = () =>
      app.graphql(
        `mutation Complete($id: ID!, $path: String!, $upload: String!, $parts: [UploadPartsInput!]!) {
           completeMultipartUploadArtifact(input: { completeMultipartAction: Complete, completedParts: $parts, artifactID: $id,
             storagePath: $path, uploadID: $upload }) { digest } }`,
        {
          id,
          path: upload.storagePath,
          upload: upload.uploadMultipartUrls?.uploadID,
          parts: parts.map((part, i) => ({ partNumber: i + 1, hexMD5: md5(part, "hex") })),
        },
      );
    const first = await put(urls[0]?.uploadUrl, parts[0]!);
    expect([first.status, first.headers.get("etag")]).toEqual([200, `"${md5(parts[0]!, "hex")}"`]);
    expect((await complete()).errors?.[0]?.message).toContain("part 2");
    expect((await put(urls[1]?.uploadUrl, "something else")).status).toBe(400);
    expect((await put(urls[1]?.uploadUrl, parts[1]!)).status).toBe(200);
    expect((await complete()).errors).toBeUndefined();
    expect((await commit(id)).errors).toBeUndefined();

    const again = await create("two");
    expect(await ask(again, content, parts)).toMatchObject({ uploadUrl: null, uploadMultipartUrls: null });

    const { artifact } = await app.data<{ artifact: { files: { edges: { node: { directUrl: string } }[] } } }>(
      `query Files($id: ID!) { artifact(id: $id) { files { edges { node { name displayName directUrl sizeBytes mimetype updatedAt } } } } }`,
      { id },
    );
    const { pathname, search } = new URL(artifact.files.edges[0]!.node.directUrl);
    expect(await (await app.request(pathname + search)).text()).toBe(content);
    const byMd5 = `/artifactsV2/any/admin/${encodeURIComponent(id)}/${md5(content, "hex")}`;
    const headers = { range: "bytes=4-8" };
    const range = await app.request(byMd5, { key: app.adminKey, headers });
    expect([range.status, await range.text()]).toEqual([206, "first"]);
    expect((await app.request(byMd5)).status).toBe(401);
  });

  test("only an address that the server has made takes bytes", async () => {
    const id = await create("one");
    const { uploadUrl } = await ask(id, "content", []);
    const later = uploadUrl?.replace(/expires=\d+/, "expires=99999999999");
    expect((await put(later, "content")).status).toBe(403);
    expect((await put(uploadUrl?.replace("/artifact-content/", "/transfers/"), "content")).status).toBe(403);
    expect((await put(uploadUrl, "other")).status).toBe(400);
    expect((await put(uploadUrl, "content")).status).toBe(200);
  });

  test("a filter or an order that a list can't follow is refused", async () => {
    await create("one");
    const list = (args: string) =>
      app.graphql(
        `{ project(name: "digits", entityName: "admin") { artifactCollections(${args}) { totalCount }
             artifactCollection(name: "one") { artifacts(filters: "{\\"state\\":\\"COMMITTED\\"}") { totalCount } } } }`,
      );
    expect((await list('filters: "{}"')).errors).toBeUndefined();
    expect((await list('order: "-createdAt"')).errors?.[0]?.extensions.code).toBe("INPUT_INVALID");
    expect((await list('filters: "{\\"name\\":\\"x\\"}"')).errors?.[0]?.extensions.code).toBe("INPUT_INVALID");
  });
});
