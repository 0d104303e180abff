import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import Database from "libsql";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../core/clock.ts";
import { digestOf } from "./blob-store.ts";
import { createEcr, type Ecr } from "./ecr.ts";
import { OCI_MANIFEST } from "./manifest.ts";
import { type Repository, tagIsImmutable } from "./repositories.ts";

const HOUR = 3_600_000;
const scope = { accountId: "123456789012", region: "us-east-1" };
const elsewhere = { accountId: "123456789012", region: "eu-west-1" };

let dataDir: string;
let db: Database.Database;
let now: number;
let ecr: Ecr;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "ecr-test-"));
  db = new Database(join(dataDir, "local-aws.db"));
  now = Date.now();
  ecr = createEcr({
    db,
    dataDir,
    clock: { ...systemClock, now: () => now },
    logger: pino({ level: "silent" }),
    ...scope,
    baseUrl: () => "http://127.0.0.1:4566",
  });
});

afterEach(() => {
  db.close();
  rmSync(dataDir, { recursive: true, force: true });
});

async function upload(repository: Repository, content: Buffer | string): Promise<string> {
  const bytes = Buffer.from(content);
  const started = await ecr.uploads.start(repository.id);
  await ecr.uploads.append(started, Readable.from([bytes]));
  await ecr.uploads.finish(started, digestOf(bytes));
  return digestOf(bytes);
}

async function push(repository: Repository, tag: string, layer: string, more: object = {}): Promise<string> {
  const config = JSON.stringify({ os: "linux", architecture: "amd64", config: { Env: ["A=b"], Cmd: null }, ...more });
  const type = "application/vnd.oci.image";
  const content = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: `${type}.config.v1+json`, digest: await upload(repository, config), size: config.length },
      layers: [{ mediaType: `${type}.layer.v1.tar`, digest: await upload(repository, layer), size: layer.length }],
    }),
  );
  return ecr.images.put(repository, { content, tag }).image.digest;
}

const there = (digest: string) => ecr.blobs.has(digest);

test("names are unique in an account and region; they come in order, a page at a time", () => {
  for (const name of ["team/b", "team/a", "zz"]) ecr.repositories.create(scope, name, {});
  ecr.repositories.create(elsewhere, "team/a", {});
  expect(() => ecr.repositories.create(scope, "team/a", {})).toThrow("already exists");
  expect(ecr.repositories.list(scope).map(({ name }) => name)).toEqual(["team/a", "team/b", "zz"]);
  expect(ecr.repositories.list(scope, "team/a", 1).map(({ name }) => name)).toEqual(["team/b"]);
  expect(ecr.repositories.list(elsewhere)).toHaveLength(1);
  expect(() => ecr.repositories.get(scope, "none")).toThrow("does not exist");
  for (const name of ["a", "Upper", "a//b", "-a", "a".repeat(257)])
    expect(() => ecr.repositories.create(scope, name, {}), name).toThrow("repositoryName");
});

test("tag mutability and its exclusions", () => {
  const tagged = (settings: object) => ecr.repositories.create(scope, `r${Math.random()}`, settings);
  const exclusions = [{ filterType: "WILDCARD" as const, filter: "dev-*" }];
  expect(tagIsImmutable(tagged({}), "v1")).toBe(false);
  expect(tagIsImmutable(tagged({ mutability: "IMMUTABLE" }), "dev-1")).toBe(true);
  const fixed = tagged({ mutability: "IMMUTABLE_WITH_EXCLUSION", exclusions });
  expect([tagIsImmutable(fixed, "v1"), tagIsImmutable(fixed, "dev-1"), tagIsImmutable(fixed, "devx1")]).toEqual([
    true,
    false,
    true,
  ]);
  const free = tagged({ mutability: "MUTABLE_WITH_EXCLUSION", exclusions });
  expect([tagIsImmutable(free, "v1"), tagIsImmutable(free, "dev-1")]).toEqual([false, true]);
});

test("an image needs its layers in its own repository; resolve finds it by tag, digest and the registry's address", async () => {
  const repository = ecr.repositories.create(scope, "model", {});
  const other = ecr.repositories.create(scope, "other", {});
  const digest = await push(repository, "v1", "layer");
  const content = ecr.images.content(repository, digest);
  expect(() => ecr.images.put(other, { content, tag: "v1" })).toThrow("sha256:");
  expect(ecr.uploads.check(other.id, digestOf("layer"))).toBeUndefined();
  expect(ecr.uploads.mount(other.id, repository.id, digestOf("layer"))).toBe(true);
  expect(ecr.uploads.check(other.id, digestOf("layer"))).toBe(5);

  const host = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
  for (const uri of [`${host}/model:v1`, `${host}/model@${digest}`, "127.0.0.1:4566/model:v1"])
    expect(await ecr.store.resolve(uri), uri).toMatchObject({
      digest,
      repository: "model",
      config: { Env: ["A=b"] },
      layers: [{ digest: digestOf("layer"), path: ecr.blobs.path(digestOf("layer")) }],
    });
  for (const uri of [`${host}/model:v2`, `${host}/none:v1`, host.replace("us-east-1", "eu-west-1"), "python:3"])
    expect(await ecr.store.resolve(uri), uri).toBeUndefined();
});

test("a tag moves to the new image; the old one stays until it is deleted", async () => {
  const repository = ecr.repositories.create(scope, "model", {});
  const first = await push(repository, "latest", "one");
  const second = await push(repository, "latest", "two");
  expect(ecr.images.find(repository, { tag: "latest" })?.digest).toBe(second);
  expect(ecr.images.find(repository, { digest: first })?.tags).toEqual([]);
  expect(ecr.images.find(repository, { digest: first, tag: "latest" })).toBeUndefined();
  ecr.images.untag(repository, "latest");
  expect(ecr.images.list(repository).map(({ digest }) => digest)).toEqual([first]);
});

test("collection frees what nothing names after a day, and nothing else", async () => {
  const kept = ecr.repositories.create(scope, "kept", {});
  const dropped = ecr.repositories.create(scope, "dropped", {});
  await push(kept, "v1", "shared");
  await push(dropped, "v1", "shared", { only: "dropped" });
  const gone = await upload(dropped, "only in dropped");
  const waiting = await upload(kept, "its manifest is still to come");
  const halfway = await ecr.uploads.start(kept.id);
  await ecr.uploads.append(halfway, Readable.from([Buffer.from("half")]));
  ecr.repositories.delete(dropped);
  expect(await ecr.garbage.collect()).toMatchObject({ uploads: 0 });
  expect([await there(gone), await there(waiting), await there(digestOf("shared"))]).toEqual([false, true, true]);
  now += 25 * HOUR;
  expect(await ecr.garbage.collect()).toMatchObject({ blobs: 1, uploads: 1 });
  expect([await there(waiting), await there(digestOf("shared"))]).toEqual([false, true]);
  expect(await ecr.uploads.find(kept.id, halfway.id)).toBeUndefined();
});

test("an unpacked image goes a day after the image itself", async () => {
  const rootfs = join(dataDir, "images", `sha256-${"a".repeat(64)}`, "rootfs");
  await mkdir(rootfs, { recursive: true });
  await writeFile(join(rootfs, "file"), "");
  expect((await ecr.garbage.collect()).unpacked).toBe(0);
  now += 25 * HOUR;
  expect((await ecr.garbage.collect()).unpacked).toBe(1);
  await expect(stat(rootfs)).rejects.toThrow("ENOENT");
});

test("passwords are good for twelve hours, in this data directory, for one registry", () => {
  const principal = { type: "root" as const, accountId: scope.accountId, arn: "arn", userId: "1", accessKeyId: "" };
  const { password } = ecr.tokens.issue(scope, principal);
  expect(ecr.tokens.verify(password)).toMatchObject({ ...scope, principal });
  const [payload, signature] = password.split(".") as [string, string];
  const forged = Buffer.from(JSON.stringify({ ...scope, principal, expiresAt: now * 2 })).toString("base64url");
  for (const bad of ["", "x", `${forged}.${signature}`, `${payload}.${signature}x`, `${password}.x`])
    expect(ecr.tokens.verify(bad), bad).toBeUndefined();
  // A right to download is no password.
  expect(
    ecr.tokens.verify(ecr.tokens.issueDownload({ repositoryId: 1, digest: "d", lifetimeMs: HOUR })),
  ).toBeUndefined();
  now += 12 * HOUR;
  expect(ecr.tokens.verify(password)).toBe("expired");
});
