import { createHash, randomBytes } from "node:crypto";
import { deflateSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import { createTestApp, type TestApp } from "../testing/test-app.ts";

describe.each(databases)("the other endpoints on $name", ({ open }) => {
  let database: TestDatabase;
  let app: TestApp;

  beforeEach(async () => {
    database = await open();
    app = await createTestApp(database.database, {
      env: { SLIPWAY_CODE_MAX_BYTES: "100000", SLIPWAY_FILE_MAX_BYTES: "5000" },
    });
  });

  afterEach(async () => {
    await app?.close();
    await database?.close();
  });

  const run = async (name: string) => {
    await app.data(
      `mutation Run($name: String!) { upsertBucket(input: { name: $name, modelName: "digits", entityName: "admin" }) { inserted bucket { id } } }`,
      { name },
    );
  };

  test("health, readiness, unknown routes, request ids", async () => {
    expect((await app.request("/healthz")).status).toBe(200);
    expect((await app.request("/readyz")).status).toBe(200);
    const lost = await app.request("/nope", { headers: { "x-request-id": "from-the-proxy" } });
    expect(lost.status).toBe(404);
    expect(lost.headers.get("x-request-id")).toBe("from-the-proxy");
    expect(await lost.json()).toMatchObject({ error: { code: "ROUTE_NOT_FOUND" } });
    app.closing.abort();
    expect((await app.request("/readyz")).status).toBe(503);
  });

  test("a code archive goes in once, whole, and comes back as it was", async () => {
    const archive = randomBytes(50_000);
    const digest = `sha256:${createHash("sha256").update(archive).digest("hex")}`;
    const path = `/code/admin/${encodeURIComponent(digest)}`;
    const key = app.adminKey;
    expect((await app.request(path, { method: "HEAD", key })).status).toBe(404);
    for (let times = 0; times < 2; times++) {
      const stored = await app.request(path, { method: "PUT", body: archive, key });
      expect(stored.status).toBe(201);
    }
    expect((await app.request(path, { method: "HEAD", key })).status).toBe(200);
    const back = await app.request(path, { key });
    expect(back.headers.get("content-length")).toBe("50000");
    expect(Buffer.from(await back.arrayBuffer()).equals(archive)).toBe(true);

    const other = await app.request(path, { method: "PUT", body: randomBytes(10), key });
    expect(other.status).toBe(422);
    const wrong = `/code/admin/sha256:${"0".repeat(64)}`;
    const damaged = await app.request(wrong, { method: "PUT", body: archive, key });
    expect(damaged.status).toBe(422);
    expect(await damaged.json()).toMatchObject({ error: { code: "CODE_DIGEST_MISMATCH" } });
    expect((await app.request(wrong, { key })).status).toBe(404);

    const eve = await app.user("eve");
    expect((await app.request(path, { key: eve })).status).toBe(404);
    expect((await app.request(path)).status).toBe(401);
    const length = { "content-length": "100001" };
    const large = await app.request(path, { method: "PUT", body: archive, key, headers: length });
    expect(large.status).toBe(413);
  });

  test("files of a run go to addresses that carry their own credential", async () => {
    await run("w3k9f2");
    const name = "SXRlbTox/error/error.log";
    const { createRunFiles } = await app.data<{
      createRunFiles: { runID: string; uploadHeaders: string[]; files: { name: string; uploadUrl: string }[] };
    }>(
      `mutation Files($files: [String!]!) { createRunFiles(input: { entityName: "admin", projectName: "digits", runName: "w3k9f2", files: $files }) {
         runID uploadHeaders files { name uploadUrl } } }`,
      { files: [name, "requirements.txt"] },
    );
    expect(createRunFiles.uploadHeaders).toEqual([]);
    expect(createRunFiles.files.map((file) => file.name)).toEqual([name, "requirements.txt"]);
    const { pathname, search } = new URL(createRunFiles.files[0]!.uploadUrl);
    expect((await app.request(pathname + search, { method: "PUT", body: "a traceback" })).status).toBe(200);
    const forged = `${pathname.replace("error.log", "other.log")}${search}`;
    expect((await app.request(forged, { method: "PUT", body: "x" })).status).toBe(403);
    const later = search.replace(/expires=\d+/, "expires=99999999999");
    expect((await app.request(pathname + later, { method: "PUT", body: "x" })).status).toBe(403);
    expect((await app.request(pathname + search, { method: "PUT", body: "x".repeat(5001) })).status).toBe(413);

    const listed = await app.data<{
      project: { run: { fileCount: number; files: { edges: { node: Record<string, string> }[] } } };
    }>(
      `{ project(name: "digits", entityName: "admin") { run(name: "w3k9f2") { fileCount files { edges { node {
         id name sizeBytes md5 mimetype updatedAt directUrl url } } pageInfo { hasNextPage } } } } }`,
    );
    const { run: listing } = listed.project;
    expect(listing.fileCount).toBe(1);
    const file = listing.files.edges[0]!.node;
    const md5 = createHash("md5").update("a traceback").digest("base64");
    expect(file).toMatchObject({ name, sizeBytes: 11, md5, mimetype: "text/plain" });
    const fetched = new URL(file.directUrl!);
    const address = fetched.pathname + fetched.search;
    expect(await (await app.request(address)).text()).toBe("a traceback");
    const part = await app.request(address, { headers: { range: "bytes=2-4" } });
    expect([part.status, part.headers.get("content-range"), await part.text()]).toEqual([206, "bytes 2-4/11", "tra"]);
    const end = await app.request(address, { headers: { range: "bytes=-4" } });
    expect(await end.text()).toBe("back");
    expect((await app.request(address, { headers: { range: "bytes=11-" } })).status).toBe(416);
    const head = await app.request(address, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "11"]);
    // An address to fetch a file is none to send it, and the other way round.
    expect((await app.request(address, { method: "PUT", body: "x" })).status).toBe(403);
    expect((await app.request(pathname + search)).status).toBe(403);

    const eve = await app.user("eve");
    const remove = (key: string) =>
      app.graphql(
        `mutation Remove($files: [ID!]!) { deleteFiles(input: { files: $files }) { success } }`,
        { files: [file.id] },
        key,
      );
    expect((await remove(eve)).errors?.[0]?.extensions.code).toBe("RUN_FILE_NOT_FOUND");
    expect((await remove(app.adminKey)).errors).toBeUndefined();
    expect((await remove(app.adminKey)).errors?.[0]?.extensions.code).toBe("RUN_FILE_NOT_FOUND");
    expect((await app.request(address)).status).toBe(404);

    for (const bad of ["../x", "/etc/passwd", "a//b", "."]) {
      const { errors } = await app.graphql(
        `mutation Files($files: [String!]!) { createRunFiles(input: { entityName: "admin", projectName: "digits", runName: "w3k9f2", files: $files }) { runID } }`,
        { files: [bad] },
      );
      expect(errors?.[0]?.extensions.code).toBe("INPUT_INVALID");
    }
  });

  test("the file stream is a run's heartbeat, tells it to stop, and brings its exit code", async () => {
    await run("w3k9f2");
    const path = "/files/admin/digits/w3k9f2/file_stream";
    const send = (body: object) => app.request(path, { method: "POST", body: JSON.stringify(body), key: app.adminKey });
    expect(await (await send({})).json()).toEqual({ stopped: false });
    await app.services.runs.stop(await adminOf(app), { entityName: "admin", projectName: "digits", name: "w3k9f2" });
    expect(await (await send({ files: {} })).json()).toEqual({ stopped: true });
    const packed = (body: string | Uint8Array, encoding: string) =>
      app.request(path, { method: "POST", body, key: app.adminKey, headers: { "content-encoding": encoding } });
    expect(await (await packed(gzipSync("{}"), "gzip")).json()).toEqual({ stopped: true });
    expect((await packed(deflateSync("{}"), "deflate")).status).toBe(200);
    expect((await packed("{}", "gzip")).status).toBe(400);
    expect((await packed("{}", "br")).status).toBe(400);
    expect((await packed(gzipSync(" ".repeat(80_000_000)), "gzip")).status).toBe(413);
    expect((await send({ complete: true, exitcode: 3 })).status).toBe(200);
    const { project } = await app.data<{ project: { run: { state: string } } }>(
      `{ project(name: "digits", entityName: "admin") { run(name: "w3k9f2") { state heartbeatAt } } }`,
    );
    expect(["failed", "killed"]).toContain(project.run.state);
    expect((await app.request(path, { method: "POST", body: "[]", key: app.adminKey })).status).toBe(400);
    expect((await app.request(path, { method: "POST", body: "{}" })).status).toBe(401);
    const lost = "/files/admin/digits/other/file_stream";
    expect((await app.request(lost, { method: "POST", body: "{}", key: app.adminKey })).status).toBe(404);
  });
});

async function adminOf(app: TestApp) {
  const principal = await app.services.accounts.authenticate(app.adminKey);
  if (!principal) throw new Error("the admin's key is not known");
  return principal;
}
