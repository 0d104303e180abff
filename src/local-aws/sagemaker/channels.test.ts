import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Libsql from "libsql";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../core/clock.ts";
import { createObjectStore } from "../s3/object-store.ts";
import { downloadChannel } from "./channel-files.ts";
import { listChannel } from "./channel-objects.ts";
import { feedPipes, preparePipes } from "./channel-pipe.ts";
import type { TrainingObjects } from "./ports.ts";
import type { Channel } from "./request.ts";

const HOST = { name: "algo-1", instanceType: "ml.m5.large" };
const never = new AbortController().signal;

let directory: string;
let database: Libsql.Database;
let objects: TrainingObjects;
let put: (key: string, body: string) => Promise<unknown>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-channels-"));
  database = new Libsql(join(directory, "local-aws.db"));
  const store = createObjectStore({
    db: database,
    dataDir: directory,
    clock: systemClock,
    logger: pino({ level: "silent" }),
  });
  store.buckets.create("data", "us-east-1");
  put = (key, body) => store.putObject("data", key, Buffer.from(body));
  objects = {
    hasBucket: (bucket) => store.headBucket(bucket),
    put: async (bucket, key, body) => void (await store.putObject(bucket, key, body)),
    get: async (bucket, key) => store.getObject(bucket, key).body,
    list: (bucket, prefix) => store.listObjects(bucket, prefix),
  };
});

afterEach(async () => {
  database.close();
  await rm(directory, { recursive: true, force: true });
});

function channel(
  source: Partial<NonNullable<Channel["DataSource"]["S3DataSource"]>>,
  more: Partial<Channel> = {},
): Channel {
  return {
    ChannelName: "train",
    DataSource: { S3DataSource: { S3DataType: "S3Prefix", S3Uri: "s3://data/set", ...source } },
    ...more,
  };
}

const paths = async (given: Channel) =>
  (await listChannel(objects, given, [HOST], HOST)).objects.map(({ path }) => path);

async function epochs(given: Channel, count: number): Promise<Buffer[]> {
  const data = await listChannel(objects, given, [HOST], HOST);
  await preparePipes(given, directory);
  const stop = new AbortController();
  const feeding = feedPipes(objects, given, data, directory, stop.signal);
  const read: Buffer[] = [];
  for (let epoch = 0; epoch < count; epoch++) read.push(await readFile(join(directory, `train_${epoch}`)));
  stop.abort();
  await feeding;
  return read;
}

test("a prefix is cut off keys; a whole key keeps its name; one in the middle of a name keeps the name", async () => {
  for (const key of ["set/a", "set/b/c", "set/b/", "set2/d"]) await put(key, key);
  expect(await paths(channel({ S3Uri: "s3://data/set/" }))).toEqual(["a", "b/c"]);
  expect(await paths(channel({}))).toEqual(["a", "b/c", "set2/d"]);
  expect(await paths(channel({ S3Uri: "s3://data/set/a" }))).toEqual(["a"]);
  await expect(paths(channel({ S3Uri: "s3://data/none" }))).rejects.toThrow(
    'No S3 objects found under S3 URL "s3://data/none"',
  );
});

test("a key that would leave the channel's directory is refused", async () => {
  await put("set/../../etc/passwd", "x");
  await expect(paths(channel({ S3Uri: "s3://data/set/" }))).rejects.toThrow("not usable as a file name");
});

test("a manifest names what is taken; a missing object is told", async () => {
  await put("set/a", "1");
  await put("list", JSON.stringify([{ prefix: "s3://data/set/" }, "a", "gone"]));
  const manifest = channel({ S3DataType: "ManifestFile", S3Uri: "s3://data/list" });
  expect(await paths(manifest)).toEqual(["a", "gone"]);
  const data = await listChannel(objects, manifest, [HOST], HOST);
  await expect(downloadChannel(objects, data, join(directory, "out"), never)).rejects.toThrow("NoSuchKey (404)");
});

test("an augmented manifest gives its attributes record by record, wrapped as RecordIO", async () => {
  await put("img/1", "one");
  await put("img/2", "twotwo");
  await put("list", '{"image-ref":"s3://data/img/1","label":3}\n{"image-ref":"s3://data/img/2","label":4}\n');
  const augmented = channel(
    { S3DataType: "AugmentedManifestFile", S3Uri: "s3://data/list", AttributeNames: ["image-ref", "label"] },
    { RecordWrapperType: "RecordIO" },
  );
  const [data] = await epochs(augmented, 1);
  const records: string[] = [];
  for (let at = 0; at < data!.length; ) {
    expect(data!.readUInt32LE(at)).toBe(0xced7230a);
    const length = data!.readUInt32LE(at + 4);
    records.push(data!.toString("utf8", at + 8, at + 8 + length));
    at += 8 + length + ((4 - (length % 4)) % 4);
  }
  expect(records).toEqual(["one", "3", "twotwo", "4"]);
  expect(await paths(augmented)).toEqual(["list", "img/1", "img/2"]);
});

test("each epoch gives everything; a seed shuffles it the same way each time, and differently in each epoch", async () => {
  for (let index = 0; index < 20; index++) await put(`set/${String(index).padStart(2, "0")}`, `${index} `);
  const plain = await epochs(channel({ S3Uri: "s3://data/set/" }), 2);
  expect(plain[0]!.toString()).toBe(plain[1]!.toString());
  for (const name of ["train_0", "train_1", "train_2", "train_3"]) await rm(join(directory, name), { force: true });
  const seeded = channel({ S3Uri: "s3://data/set/" }, { ShuffleConfig: { Seed: 7 } });
  const shuffled = await epochs(seeded, 2);
  expect(shuffled[0]!.toString()).not.toBe(shuffled[1]!.toString());
  const sorted = (data: Buffer) =>
    data
      .toString()
      .trim()
      .split(" ")
      .map(Number)
      .sort((a, b) => a - b);
  expect(sorted(shuffled[0]!)).toEqual(sorted(plain[0]!));
});
