import { createHash, randomBytes } from "node:crypto";
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import { startTestLocalAws, type TestLocalAws } from "../../../test/support/local-aws.ts";
import { createS3FileStore } from "../../store/s3-files.ts";
import { logArtifact } from "../testing/log-artifact.ts";
import { createTestApp, type TestApp } from "../testing/test-app.ts";

/*
 * A content is kept once for a project, and whoever has it need not send it again. So the key of a job must have shown a content
 * before a version of its run may name it: else an MD5 that it has heard of would let it read what others keep.
 */

const md5 = (content: string | Uint8Array, as: "hex" | "base64" = "base64") =>
  createHash("md5").update(content).digest(as);

interface Entry {
  readonly digest: string;
  readonly size: number;
  readonly ref?: string;
}
type Contents = Readonly<Record<string, Entry>>;
const whole = (content: string): Entry => ({ digest: md5(content), size: content.length });

/** What the client calls a version of these files. */
const digestOf = (contents: Contents) =>
  md5(
    `wandb-artifact-manifest-v1\n${Object.keys(contents)
      .sort()
      .map((name) => `${name}:${contents[name]?.digest}\n`)
      .join("")}`,
    "hex",
  );

const CONFIG = JSON.stringify({
  RoleArn: "arn:aws:iam::123456789012:role/SageMaker",
  OutputDataConfig: { S3OutputPath: "s3://models/out" },
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 10 },
  StoppingCondition: { MaxRuntimeInSeconds: 3600 },
});

interface Upload {
  readonly storagePath: string;
  readonly uploadUrl: string | null;
  readonly uploadHeaders: readonly string[];
  readonly uploadMultipartUrls: {
    readonly uploadID: string;
    readonly uploadUrlParts: readonly { readonly partNumber: number; readonly uploadUrl: string }[];
  } | null;
}

/** A key, and the run that it writes for. */
interface Writer {
  readonly key: string;
  readonly runName: string;
}

/** What a client does, by its own operations; each answers the error's text where there is one. */
function writing(app: TestApp) {
  async function call<T>(key: string, query: string, variables: object): Promise<T> {
    const { data, errors } = await app.graphql<T>(query, variables, key);
    if (errors) throw new Error(errors.map(({ message }) => message).join("; "));
    return data;
  }
  const send = (url: string, body: string | Uint8Array, headers: readonly string[] = []) => {
    const init = {
      method: "PUT",
      body: body as string,
      headers: Object.fromEntries(headers.map((one) => one.split(/:(.*)/s).slice(0, 2) as [string, string])),
    };
    const { pathname, search, origin } = new URL(url);
    return pathname.startsWith("/artifact-content/")
      ? app.request(pathname + search, init)
      : fetch(origin + pathname + search, init);
  };
  return {
    call,
    send,
    async create({ key, runName }: Writer, name: string, contents: Contents, more: object = {}): Promise<string> {
      const input = {
        entityName: "admin",
        projectName: "digits",
        runName,
        artifactTypeName: "dataset",
        artifactCollectionName: name,
        digest: digestOf(contents),
        digestAlgorithm: "MANIFEST_MD5",
        ...more,
      };
      const { createArtifact } = await call<{ createArtifact: { artifact: { id: string } } }>(
        key,
        "mutation C($input: CreateArtifactInput!) { createArtifact(input: $input) { artifact { id state } } }",
        { input },
      );
      return createArtifact.artifact.id;
    },
    async manifest({ key, runName }: Writer, id: string, contents: Contents, more: object = {}): Promise<void> {
      const text = JSON.stringify({ version: 1, contents });
      const input = {
        artifactID: id,
        name: "m",
        digest: md5(text),
        entityName: "admin",
        projectName: "digits",
        runName,
        ...more,
      };
      const { createArtifactManifest } = await call<{
        createArtifactManifest: { artifactManifest: { file: { uploadUrl: string } } };
      }>(
        key,
        `mutation M($input: CreateArtifactManifestInput!) { createArtifactManifest(input: $input) {
           artifactManifest { file { uploadUrl } } } }`,
        { input },
      );
      expect((await send(createArtifactManifest.artifactManifest.file.uploadUrl, text)).status).toBe(200);
    },
    async ask({ key }: Writer, id: string, digest: string, parts: readonly Uint8Array[] = []): Promise<Upload> {
      const uploadPartsInput = parts.map((part, i) => ({ partNumber: i + 1, hexMD5: md5(part, "hex") }));
      const { createArtifactFiles } = await call<{ createArtifactFiles: { files: { edges: { node: Upload }[] } } }>(
        key,
        `mutation F($files: [CreateArtifactFileSpecInput!]!) { createArtifactFiles(input: { artifactFiles: $files }) { files { edges {
           node { storagePath uploadUrl uploadHeaders uploadMultipartUrls { uploadID uploadUrlParts { partNumber uploadUrl } } } } } } }`,
        { files: [{ artifactID: id, name: "x", md5: digest, uploadPartsInput }] },
      );
      const [edge] = createArtifactFiles.files.edges;
      if (!edge) throw new Error("no answer for the file");
      return edge.node;
    },
    complete: ({ key }: Writer, id: string, storagePath: string, uploadID: string, parts: readonly Uint8Array[]) =>
      call(
        key,
        `mutation P($input: CompleteMultipartUploadArtifactInput!) { completeMultipartUploadArtifact(input: $input) { digest } }`,
        {
          input: {
            completeMultipartAction: "Complete",
            artifactID: id,
            storagePath,
            uploadID,
            completedParts: parts.map((part, i) => ({ partNumber: i + 1, hexMD5: md5(part, "hex") })),
          },
        },
      ),
    async commit({ key }: Writer, id: string): Promise<string> {
      const { commitArtifact } = await call<{ commitArtifact: { artifact: { id: string } } }>(
        key,
        "mutation C($id: ID!) { commitArtifact(input: { artifactID: $id }) { artifact { id state digest } } }",
        { id },
      );
      return commitArtifact.artifact.id;
    },
    async job(): Promise<Writer> {
      const admin = await app.services.accounts.authenticate(app.adminKey);
      if (!admin) throw new Error("the admin is unknown");
      const { queues, agents, items } = app.services;
      const target = { entityName: "admin", queueName: "q", resourceType: "sagemaker", resourceConfig: CONFIG };
      const queue = await queues.upsert(admin, target);
      const agent = await agents.create(admin, { entityName: "admin", queueIds: [queue.id], hostname: "h" });
      const spec = { entity: "admin", project: "digits", docker: { docker_image: "a/b:1" } };
      await items.push(admin, { queue: { id: queue.id }, runSpec: JSON.stringify(spec) });
      const { leases } = await items.lease(admin, { launchAgentId: agent.id, max: 1, waitSeconds: 0 });
      const [lease] = leases;
      if (!lease) throw new Error("nothing was leased");
      return { key: (lease.runSpec as { _wandb_api_key?: string })._wandb_api_key ?? "", runName: lease.item.runId };
    },
  };
}

const SECRET = "what the job was never given";
const CONTENTS: Contents = { "a.txt": whole(SECRET) };

describe.each(databases)("what the key of a job may claim, on $name", ({ open }) => {
  let database: TestDatabase;
  let app: TestApp;
  let w: ReturnType<typeof writing>;
  let job: Writer;
  let secret: string;
  beforeEach(async () => {
    database = await open();
    app = await createTestApp(database.database);
    await app.data(
      `mutation { upsertBucket(input: { name: "maker", modelName: "digits", entityName: "admin" }) { inserted } }`,
    );
    secret = await logArtifact(app, { project: "digits", type: "dataset", name: "kept", files: { "a.txt": SECRET } });
    w = writing(app);
    job = await w.job();
  });
  afterEach(async () => {
    await app?.close();
    await database?.close();
  });

  /** Every way to the content: the version by id and by name, its files, the content under its MD5. */
  async function expectHidden(own: string): Promise<void> {
    const { artifact } = await w.call<{ artifact: unknown }>(
      job.key,
      "query A($id: ID!) { artifact(id: $id) { id } }",
      {
        id: secret,
      },
    );
    expect(artifact).toBeNull();
    const files = await app.graphql<{
      artifact: { files: { edges: { node: { directUrl: string | null } }[] } } | null;
    }>("query F($id: ID!) { artifact(id: $id) { files { edges { node { name directUrl } } } } }", { id: own }, job.key);
    for (const { node } of files.data?.artifact?.files.edges ?? []) {
      const { pathname, search } = new URL(node.directUrl ?? "s3://elsewhere/x");
      expect(await (await app.request(pathname + search)).text()).not.toContain(SECRET);
    }
    for (const id of [own, secret]) {
      const path = `/artifactsV2/any/admin/${encodeURIComponent(id)}/${md5(SECRET, "hex")}`;
      expect((await app.request(path, { key: job.key })).status).toBe(404);
    }
  }

  test.each(["kept", "elsewhere"])("a content that it never showed, in the collection %s", async (name) => {
    const id = await w.create(job, name, CONTENTS);
    expect(id).not.toBe(secret);
    await w.manifest(job, id, CONTENTS);
    // Not told that it is there either.
    expect((await w.ask(job, id, md5(SECRET))).uploadUrl).not.toBeNull();
    await expect(w.commit(job, id)).rejects.toThrow("a.txt did not arrive");
    await expect(w.complete(job, id, md5(SECRET, "hex"), "x", [])).rejects.toThrow();
    await expectHidden(id);
    // Whoever shows it has the very version that was there.
    const upload = await w.ask(job, id, md5(SECRET));
    expect((await w.send(upload.uploadUrl ?? "", "something else")).status).toBe(400);
    await expect(w.commit(job, id)).rejects.toThrow("a.txt did not arrive");
    expect((await w.send(upload.uploadUrl ?? "", SECRET)).status).toBe(200);
    const committed = await w.commit(job, id);
    expect(committed === secret).toBe(name === "kept");
  });

  test("a version's digest, for a manifest that is empty or only refers to what has that MD5", async () => {
    for (const contents of [{}, { "a.txt": { ...CONTENTS["a.txt"]!, ref: "s3://elsewhere/x" } }]) {
      const id = await w.create(job, "kept", CONTENTS);
      await w.manifest(job, id, contents);
      const committed = await w.commit(job, id);
      expect(committed).not.toBe(secret);
      await expectHidden(committed);
    }
    // What it has put there under that digest is not what a person's version of it becomes.
    const mine = { key: app.adminKey, runName: "maker" };
    const claimed = await w.create(job, "planned", { "b.txt": whole("to come") });
    await w.manifest(job, claimed, {});
    await w.commit(job, claimed);
    const own = await w.create(mine, "planned", { "b.txt": whole("to come") });
    expect(own).not.toBe(claimed);
  });

  test("other versions as a base, and what other runs have begun together", async () => {
    const id = await w.create(job, "mine", {});
    const more = { type: "INCREMENTAL", baseArtifactID: secret };
    await expect(w.manifest(job, id, {}, more)).rejects.toThrow();
    const shared = { distributedID: "together" };
    await w.create({ key: app.adminKey, runName: "maker" }, "shared", CONTENTS, shared);
    await expect(w.create(job, "shared", CONTENTS, shared)).rejects.toThrow("another run has begun shared");
    await expectHidden(id);
  });

  test("a content that others send at the same time", async () => {
    const mine: Writer = { key: app.adminKey, runName: "maker" };
    for (let round = 0; round < 3; round++) {
      const content = `sent at once ${round}`;
      const contents = { "a.txt": whole(content) };
      const [theirs, id] = await Promise.all([w.create(mine, "raced", contents), w.create(job, "raced", contents)]);
      await Promise.all([w.manifest(mine, theirs, contents), w.manifest(job, id, contents)]);
      const [upload] = await Promise.all([w.ask(mine, theirs, md5(content)), w.ask(job, id, md5(content))]);
      const claims = Array.from({ length: 6 }, async () => w.commit(job, id).then(String, (error) => error.message));
      const sent = w.send(upload.uploadUrl ?? "", content).then(() => w.commit(mine, theirs));
      const later = Array.from({ length: 6 }, async () => {
        await sent;
        return w.commit(job, id).then(String, (error) => error.message);
      });
      for (const claim of await Promise.all([...claims, ...later])) expect(claim).toContain("a.txt did not arrive");
    }
  });

  test("a committed version takes no other manifest, from nobody", async () => {
    const mine: Writer = { key: app.adminKey, runName: "maker" };
    await expect(w.manifest(mine, secret, {})).rejects.toThrow("committed already");
  });
});

describe("what the key of a job may claim with files in a bucket", () => {
  let aws: TestLocalAws;
  let database: TestDatabase;
  let app: TestApp;
  beforeEach(async () => {
    aws = await startTestLocalAws();
    const client = new S3Client({ ...aws.client, forcePathStyle: true });
    await client.send(new CreateBucketCommand({ Bucket: "files" }));
    client.destroy();
    const [dialect] = databases;
    if (!dialect) throw new Error("no database");
    database = await dialect.open();
    app = await createTestApp(database.database, {
      files: createS3FileStore({ bucket: "files", prefix: "", ...aws.client }),
      env: { SLIPWAY_FILE_MAX_BYTES: "6000000" },
    });
    await app.data(
      `mutation { upsertBucket(input: { name: "maker", modelName: "digits", entityName: "admin" }) { inserted } }`,
    );
  });
  afterEach(async () => {
    await app?.close();
    await database?.close();
    await aws?.close();
  });

  test("parts that do not make the content are refused, also while a commit looks at them; those that do are taken", async () => {
    const w = writing(app);
    const mine: Writer = { key: app.adminKey, runName: "maker" };
    const job = await w.job();
    const good = [randomBytes(5 * 1024 * 1024), randomBytes(1000)];
    const content = Buffer.concat(good);
    const contents = { "big.bin": { digest: md5(content), size: content.byteLength } };

    const theirs = await w.create(mine, "big", contents);
    await w.manifest(mine, theirs, contents);
    async function send(writer: Writer, id: string, parts: readonly Uint8Array[]): Promise<Upload> {
      const upload = await w.ask(writer, id, md5(content), parts);
      for (const { partNumber, uploadUrl } of upload.uploadMultipartUrls?.uploadUrlParts ?? []) {
        const part = parts[partNumber - 1] ?? Buffer.alloc(0);
        const headers = [`Content-MD5:${md5(part)}`];
        expect((await w.send(uploadUrl, part, headers)).status).toBe(200);
      }
      return upload;
    }
    const upload = await send(mine, theirs, good);
    await w.complete(mine, theirs, upload.storagePath, upload.uploadMultipartUrls?.uploadID ?? "", good);
    expect(await w.commit(mine, theirs)).toBe(theirs);

    const id = await w.create(job, "big", contents);
    await w.manifest(job, id, contents);
    const bad = [randomBytes(5 * 1024 * 1024), randomBytes(1000)];
    for (let round = 0; round < 2; round++) {
      const wrong = await send(job, id, bad);
      const uploadId = wrong.uploadMultipartUrls?.uploadID ?? "";
      const completing = w.complete(job, id, wrong.storagePath, uploadId, bad).then(String, (error) => error.message);
      const commits = Array.from({ length: 8 }, () => w.commit(job, id).then(String, (error) => error.message));
      expect(await completing).toContain("do not make the content");
      for (const commit of await Promise.all(commits)) expect(commit).toContain("big.bin did not arrive");
    }
    const right = await send(job, id, good);
    await w.complete(job, id, right.storagePath, right.uploadMultipartUrls?.uploadID ?? "", good);
    expect(await w.commit(job, id)).toBe(theirs);
  });

  test("a content that is larger than a file may be is not kept, whole or in parts", async () => {
    const w = writing(app);
    const mine: Writer = { key: app.adminKey, runName: "maker" };
    const parts = [randomBytes(5 * 1024 * 1024), randomBytes(1_000_000)];
    const content = Buffer.concat(parts);
    const contents = { "big.bin": { digest: md5(content), size: content.byteLength } };
    const id = await w.create(mine, "large", contents);
    await w.manifest(mine, id, contents);
    const { uploadUrl, uploadHeaders } = await w.ask(mine, id, md5(content));
    expect((await w.send(uploadUrl ?? "", content, uploadHeaders)).status).toBe(200);
    await expect(w.commit(mine, id)).rejects.toThrow("larger than 6000000 bytes");
    const upload = await w.ask(mine, id, md5(content), parts);
    for (const { partNumber, uploadUrl: to } of upload.uploadMultipartUrls?.uploadUrlParts ?? []) {
      const part = parts[partNumber - 1] ?? Buffer.alloc(0);
      expect((await w.send(to, part, [`Content-MD5:${md5(part)}`])).status).toBe(200);
    }
    const uploadId = upload.uploadMultipartUrls?.uploadID ?? "";
    await expect(w.complete(mine, id, upload.storagePath, uploadId, parts)).rejects.toThrow(
      "larger than 6000000 bytes",
    );
    await expect(w.commit(mine, id)).rejects.toThrow("big.bin did not arrive");
    const client = new S3Client({ ...aws.client, forcePathStyle: true });
    const { Contents: left = [] } = await client.send(new ListObjectsV2Command({ Bucket: "files" }));
    client.destroy();
    expect(left.filter(({ Size }) => Number(Size) > 6_000_000)).toEqual([]);
  });

  test("an address takes the content that it is for and no other", async () => {
    const w = writing(app);
    const job = await w.job();
    const contents = { "a.txt": whole("mine") };
    const id = await w.create(job, "small", contents);
    await w.manifest(job, id, contents);
    const { uploadUrl, uploadHeaders } = await w.ask(job, id, md5("mine"));
    expect((await w.send(uploadUrl ?? "", "other", uploadHeaders)).status).toBeGreaterThanOrEqual(400);
    expect((await w.send(uploadUrl ?? "", "other", [`Content-MD5:${md5("other")}`])).status).toBe(403);
    expect((await w.send(uploadUrl ?? "", "other")).status).toBe(403);
    await expect(w.commit(job, id)).rejects.toThrow("a.txt did not arrive");
    expect((await w.send(uploadUrl ?? "", "mine", uploadHeaders)).status).toBe(200);
    expect(await w.commit(job, id)).toBe(id);
  });
});
