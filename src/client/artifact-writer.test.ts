import { createHash } from "node:crypto";
import { openAsBlob } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../test/support/databases.ts";
import { createTestApp, type TestApp } from "../server/testing/test-app.ts";
import { type ArtifactFile, type NewArtifact, writeArtifact } from "./artifact-writer.ts";
import { createClient } from "./client.ts";

describe.each(databases)("writing artifacts on $name", ({ open }) => {
  let database: TestDatabase;
  let app: TestApp;
  let delays: number[];
  /** What the network does with an upload before it reaches the server; undefined lets it through. */
  let disturb: (upload: number) => Response | "hang up" | undefined;
  let uploads: number;

  beforeEach(async () => {
    database = await open();
    app = await createTestApp(database.database);
    await app.data(`mutation { upsertModel(input: { entityName: "admin", name: "digits" }) { inserted } }`);
    delays = [];
    uploads = 0;
    disturb = () => undefined;
  });
  afterEach(async () => {
    await app?.close();
    await database?.close();
  });

  const fetch: typeof globalThis.fetch = async (url, init) => {
    const { pathname, search } = new URL(String(url));
    if (init?.method === "PUT") {
      expect(new Headers(init.headers).has("authorization")).toBe(false);
      const disturbed = disturb(++uploads);
      if (disturbed === "hang up") throw new TypeError("fetch failed", { cause: new Error("ECONNRESET") });
      if (disturbed) return disturbed;
      // Over a socket it is the sender who reads the content.
      const body = await (init.body as Blob).arrayBuffer().catch((cause) => {
        throw new TypeError("fetch failed", { cause });
      });
      return app.request(pathname + search, { ...init, body });
    }
    return app.request(pathname + search, init ?? {});
  };

  function write(artifact: Partial<NewArtifact> & Pick<NewArtifact, "files">) {
    const clock = { now: () => 0, sleep: async (ms: number) => void delays.push(ms) };
    const { request } = createClient({ baseUrl: "http://server", apiKey: app.adminKey, fetch, clock });
    const md5 = (text: string) => createHash("md5").update(text).digest();
    const deps = { request, fetch, clock, random: () => 0, md5, newId: () => crypto.randomUUID() };
    return writeArtifact(deps, {
      entity: "admin",
      project: "digits",
      type: "code",
      name: "code-train",
      aliases: ["latest"],
      ...artifact,
    });
  }

  const file = (path: string, content: string): ArtifactFile => ({
    path,
    size: Buffer.byteLength(content),
    md5: createHash("md5").update(content).digest("base64"),
    content: async () => new Blob([content]),
  });

  async function read(name: string) {
    const { project } = await app.data<{ project: { artifact: Record<string, unknown> } }>(
      `query Read($name: String!) { project(name: "digits", entityName: "admin") { artifact(name: $name) {
         versionIndex digest description metadata size fileCount aliases { alias } artifactType { name }
         files(first: 1000) { edges { node { name md5 directUrl } } } } } }`,
      { name },
    );
    return project.artifact;
  }

  test("the version is there as it was written", async () => {
    const written = await write({
      description: "numbers",
      metadata: { rows: 3 },
      aliases: ["latest", "best"],
      files: [file("train.py", "print('hi')\n"), file("dir/empty.txt", ""), file("dir/same.py", "print('hi')\n")],
    });
    expect(written).toMatchObject({ versionIndex: 0, created: true });
    const found = await read("code-train:best");
    expect(found).toMatchObject({
      versionIndex: 0,
      digest: written.digest,
      description: "numbers",
      size: 24,
      fileCount: 3,
      artifactType: { name: "code" },
    });
    expect(JSON.parse(found.metadata as string)).toEqual({ rows: 3 });
    const { edges } = found.files as { edges: { node: { name: string; directUrl: string } }[] };
    const contents: Record<string, string> = {};
    for (const { node } of edges) {
      const { pathname, search } = new URL(node.directUrl);
      contents[node.name] = await (await app.request(pathname + search)).text();
    }
    expect(contents).toEqual({
      "train.py": "print('hi')\n",
      "dir/empty.txt": "",
      "dir/same.py": "print('hi')\n",
    });
    // Two contents and the manifest: what is the same is sent once.
    expect(uploads).toBe(3);
  });

  test("the same content is the same version, which gets the aliases", async () => {
    const one = await write({ files: [file("a.py", "1")] });
    const two = await write({ files: [file("a.py", "2")] });
    const again = await write({ files: [file("a.py", "1")], aliases: ["latest", "back"] });
    expect([one, two, again].map(({ versionIndex, created }) => [versionIndex, created])).toEqual([
      [0, true],
      [1, true],
      [0, false],
    ]);
    expect(again.id).toBe(one.id);
    expect(await read("code-train:back")).toMatchObject({ versionIndex: 0 });
    expect(await read("code-train:latest")).toMatchObject({ versionIndex: 0 });
  });

  test("files that the server has are not sent again, and many are asked for in turn", async () => {
    const many = Array.from({ length: 450 }, (_, index) => file(`f/${index}.txt`, `${index}`));
    await write({ files: many });
    expect(uploads).toBe(451);
    uploads = 0;
    const more = await write({ files: [...many, file("new.txt", "new")] });
    expect(more).toMatchObject({ versionIndex: 1, created: true });
    expect(uploads).toBe(2);
    expect(await read("code-train:latest")).toMatchObject({ fileCount: 451 });
  });

  test("an upload is tried again after a broken connection and a 5xx, and a 429 says how long to wait", async () => {
    const busy = new Response("", { status: 429, headers: { "retry-after": "3" } });
    const faults = ["hang up", new Response("", { status: 503 }), busy] as const;
    disturb = (upload) => faults[upload - 1];
    expect(await write({ files: [file("a.py", "1")] })).toMatchObject({ versionIndex: 0, created: true });
    expect(delays).toEqual([250, 500, 3000]);
  });

  test("an upload that never gets through is given up, and a refused one at once", async () => {
    disturb = () => new Response("", { status: 503 });
    await expect(write({ files: [file("a.py", "1")] })).rejects.toMatchObject({ code: "SERVER_UNREACHABLE" });
    expect(uploads).toBe(6);
    uploads = 0;
    disturb = () => undefined;
    const changed = { ...file("b.py", "before"), content: async () => new Blob(["after!"]) };
    await expect(write({ files: [changed] })).rejects.toMatchObject({ code: "REQUEST_INVALID" });
    expect(uploads).toBe(1);
    expect(await read("code-train:latest")).toBeNull();
  });

  test("a file that changes after it was opened is named, and what opening it says is told as it is", async () => {
    const folder = await mkdtemp(join(tmpdir(), "slipway-writer-"));
    const source = join(folder, "b.py");
    const changing = {
      ...file("dir/b.py", "before"),
      content: async () => {
        await writeFile(source, "before");
        const blob = await openAsBlob(source);
        await writeFile(source, "after, and longer");
        return blob;
      },
    };
    await expect(write({ files: [changing] })).rejects.toMatchObject({
      code: "CODE_CHANGED_WHILE_PACKING",
      where: "dir/b.py",
    });
    await rm(folder, { recursive: true });
    const gone = { ...file("b.py", "1"), content: () => openAsBlob(source) };
    await expect(write({ files: [gone] })).rejects.toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
    expect(delays).toEqual([]);
  });
});
