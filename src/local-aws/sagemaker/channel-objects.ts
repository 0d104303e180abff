import { posix } from "node:path";
import type { Readable } from "node:stream";
import { AwsError } from "../service.ts";
import type { TrainingObjects } from "./ports.ts";
import { type Channel, type JobHost, parseS3Uri } from "./request.ts";

/** One object of a channel. `path` is relative to the channel's directory. */
export interface ChannelObject {
  readonly bucket: string;
  readonly key: string;
  readonly path: string;
}

/** A channel's data for one host. `lines` are the records of an augmented manifest, whose references are in `objects`. */
export interface ChannelData {
  readonly objects: readonly ChannelObject[];
  readonly lines?: readonly AugmentedRecord[];
}

/** A record's attributes in the order of AttributeNames: JSON text, or the object that a `-ref` names. */
export type AugmentedRecord = readonly (string | ChannelObject)[];

/** A job's data cannot be had: becomes FailureReason "ClientError: Data download failed:...". */
export class DataError extends Error {}

/** Lists what a channel holds for one host, in the order it is read. Throws DataError when there is nothing or the manifest is wrong. */
export async function listChannel(
  objects: TrainingObjects,
  channel: Channel,
  hosts: readonly JobHost[],
  host: JobHost,
): Promise<ChannelData> {
  const source = channel.DataSource.S3DataSource!;
  const groups = source.InstanceGroupNames ?? [];
  if (groups.length > 0 && !groups.includes(host.group ?? "")) return { objects: [] };
  const data = await readSource(objects, channel);
  if (source.S3DataDistributionType !== "ShardedByS3Key") return data;
  const sharing = groups.length > 0 ? hosts.filter(({ group }) => groups.includes(group ?? "")) : hosts;
  const index = sharing.findIndex(({ name }) => name === host.name);
  const mine = <T>(items: readonly T[]) => items.filter((_, position) => position % sharing.length === index);
  if (data.lines === undefined) return { objects: mine(data.objects) };
  const lines = mine(data.lines);
  return { lines, objects: lines.flat().filter((item) => typeof item !== "string") };
}

async function readSource(objects: TrainingObjects, channel: Channel): Promise<ChannelData> {
  const source = channel.DataSource.S3DataSource!;
  const { bucket, key } = parseS3Uri(source.S3Uri)!;
  if (source.S3DataType === "ManifestFile") {
    const found = await readManifest(objects, bucket, key);
    return { objects: found };
  }
  if (source.S3DataType === "AugmentedManifestFile")
    return readAugmented(objects, bucket, key, source.AttributeNames ?? []);
  const found = await listPrefix(objects, bucket, key);
  if (found.length === 0) throw new DataError(noObjects(source.S3Uri));
  return { objects: found };
}

/** Whether an S3Prefix channel has any object, as CreateTrainingJob wants it. */
export async function hasObjects(objects: TrainingObjects, bucket: string, prefix: string): Promise<boolean> {
  if (!(await objects.hasBucket(bucket))) return false;
  for await (const _object of objects.list(bucket, prefix)) return true;
  return false;
}

export function noObjects(uri: string): string {
  return `No S3 objects found under S3 URL "${uri}" given in input data source.`;
}

async function listPrefix(objects: TrainingObjects, bucket: string, prefix: string): Promise<ChannelObject[]> {
  const found: ChannelObject[] = [];
  // A prefix that is a directory or an object's whole key is cut off; one that ends in the middle of a name is cut at its last slash.
  const directory = prefix.slice(0, prefix.lastIndexOf("/") + 1);
  for await (const { key } of listObjects(objects, bucket, prefix)) {
    if (key.endsWith("/")) continue;
    const cut = key.startsWith(`${prefix}/`) ? prefix.length + 1 : directory.length;
    found.push({ bucket, key, path: safePath(key.slice(cut)) });
  }
  return found;
}

/** `[{"prefix": "s3://BUCKET/DIR/"}, "relative/key", ...]`; without a prefix entry the entries are whole addresses. */
async function readManifest(objects: TrainingObjects, bucket: string, key: string): Promise<ChannelObject[]> {
  const text = await readText(objects, bucket, key);
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch {
    throw new DataError(`The manifest s3://${bucket}/${key} is not valid JSON`);
  }
  if (!Array.isArray(entries)) throw new DataError(`The manifest s3://${bucket}/${key} is not a JSON list`);
  let prefix = "";
  const found: ChannelObject[] = [];
  for (const entry of entries as unknown[]) {
    if (typeof entry === "object" && entry !== null && typeof (entry as { prefix?: unknown }).prefix === "string") {
      prefix = (entry as { prefix: string }).prefix;
      continue;
    }
    const target = typeof entry === "string" ? parseS3Uri(prefix + entry) : undefined;
    if (target === undefined) throw new DataError(`The manifest s3://${bucket}/${key} has an entry that is no S3 key`);
    found.push({ ...target, path: safePath(prefix === "" ? posix.basename(target.key) : (entry as string)) });
  }
  return found;
}

/** JSON lines; the attributes named are taken, those ending in `-ref` as S3 objects. */
async function readAugmented(
  objects: TrainingObjects,
  bucket: string,
  key: string,
  names: readonly string[],
): Promise<ChannelData> {
  const lines: AugmentedRecord[] = [];
  const text = await readText(objects, bucket, key);
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    let record: Record<string, unknown>;
    try {
      record = JSON.parse(line) as Record<string, unknown>;
    } catch {
      throw new DataError(`Line ${index + 1} of the augmented manifest s3://${bucket}/${key} is not valid JSON`);
    }
    lines.push(
      names.map((name) => {
        const value = record[name];
        if (value === undefined)
          throw new DataError(`Line ${index + 1} of s3://${bucket}/${key} has no attribute ${name}`);
        if (!name.endsWith("-ref")) return typeof value === "string" ? value : JSON.stringify(value);
        const target = parseS3Uri(String(value));
        if (target === undefined)
          throw new DataError(`Line ${index + 1} of s3://${bucket}/${key}: ${name} is no S3 address`);
        return { ...target, path: safePath(target.key) };
      }),
    );
  }
  const manifest: ChannelObject = { bucket, key, path: posix.basename(key) };
  return { lines, objects: [manifest, ...lines.flat().filter((item) => typeof item !== "string")] };
}

async function readText(objects: TrainingObjects, bucket: string, key: string): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of await openObject(objects, { bucket, key })) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
}

/** Objects by prefix; what S3 refuses is a DataError. */
export async function* listObjects(objects: TrainingObjects, bucket: string, prefix: string) {
  try {
    yield* objects.list(bucket, prefix);
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    throw new DataError(`${error.code} (${error.status}): ${error.message}`);
  }
}

/** An object's bytes; what S3 refuses is a DataError. */
export async function openObject(objects: TrainingObjects, object: { bucket: string; key: string }): Promise<Readable> {
  try {
    return await objects.get(object.bucket, object.key);
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    throw new DataError(`${error.code} (${error.status}): ${error.message} s3://${object.bucket}/${object.key}`);
  }
}

/** A key may hold anything; only one that stays inside its directory becomes a file name. */
function safePath(path: string): string {
  const clean = posix.normalize(path).replace(/^\/+/, "");
  if (clean === "" || clean === "." || clean === ".." || clean.startsWith("../") || clean.includes("\0")) {
    throw new DataError(`The key ${path} is not usable as a file name`);
  }
  return clean;
}
