import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { Readable, Transform, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import type { ArtifactEntry, Artifacts } from "../../client/artifacts.ts";
import { SlipwayError } from "../../core/errors/slipway-error.ts";

/** Files that are fetched at once. */
const AT_ONCE = 8;

/** The whole content of one entry, of at most `maxBytes`. Errors: JOB_CODE_INCOMPLETE, AGENT_STEP_FAILED, those of the client. */
export async function readEntry(
  artifacts: Artifacts,
  entry: ArtifactEntry,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  const keep = new Writable({
    write(part: Buffer, _encoding, done) {
      size += part.length;
      parts.push(part);
      done(size > maxBytes ? damaged(entry, `it has more than ${maxBytes} bytes`) : null);
    },
  });
  await fetchEntry(artifacts, entry, keep, signal);
  return Buffer.concat(parts);
}

/**
 * Puts every file of an artifact into a new directory, checked against what its manifest says. Nothing is written outside.
 * Errors: JOB_CODE_INCOMPLETE, AGENT_STEP_FAILED, those of the client.
 */
export async function fetchArtifact(
  artifacts: Artifacts,
  id: string,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  const entries = await artifacts.entries(id, signal);
  await mkdir(directory, { recursive: true });
  const waiting = entries.values();
  const fetchNext = async () => {
    for (const entry of waiting) {
      const path = placeInside(entry);
      await mkdir(join(directory, dirname(path)), { recursive: true });
      await fetchEntry(artifacts, entry, createWriteStream(join(directory, path), { flags: "wx" }), signal);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, fetchNext));
}

function placeInside(entry: ArtifactEntry): string {
  const path = posix.normalize(entry.path);
  const leaves = path.startsWith("/") || path === ".." || path.startsWith("../") || /[\\\0]/.test(path);
  if (leaves) throw damaged(entry, "its path leads out of the code");
  return path;
}

async function fetchEntry(
  artifacts: Artifacts,
  entry: ArtifactEntry,
  to: Writable,
  signal: AbortSignal,
): Promise<void> {
  if (entry.reference !== undefined || entry.url === undefined) {
    const reason = entry.reference === undefined ? "it has no address" : `it is a reference to ${entry.reference}`;
    throw new SlipwayError("JOB_CODE_INCOMPLETE", { values: { file: entry.path, reason }, where: entry.path });
  }
  const body = await artifacts.open(entry, signal);
  await pipeline(Readable.fromWeb(body as ReadableStream<Uint8Array>), checked(entry), to, { signal });
}

/** Passes bytes through and fails at their end if they are not what the manifest says. */
function checked(entry: ArtifactEntry): Transform {
  const hash = createHash("md5");
  let size = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      hash.update(chunk);
      size += chunk.length;
      callback(null, chunk);
    },
    flush(callback) {
      if (entry.size !== undefined && size !== entry.size)
        return callback(damaged(entry, `it has ${size} bytes, not ${entry.size}`));
      // A digest of another length is another algorithm's.
      const isMd5 = Buffer.from(entry.digest, "base64").length === 16;
      if (isMd5 && hash.digest("base64") !== entry.digest) return callback(damaged(entry, "its content is another"));
      callback();
    },
  });
}

function damaged(entry: ArtifactEntry, problem: string): SlipwayError {
  const reason = `${entry.path} is not what the artifact says: ${problem}`;
  return new SlipwayError("AGENT_STEP_FAILED", {
    values: { step: "fetching the job's code", reason },
    where: entry.path,
  });
}
