import { digestText, type ManifestFile, manifestText } from "../core/artifacts/artifact-manifest.ts";
import type { Clock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { type Backoff, backoffDelay, retryAfterMs } from "./backoff.ts";
import { type Client, unreachable } from "./client.ts";
import { errorOfBody } from "./errors.ts";
import {
  CommitArtifactVersionDocument,
  CreateArtifactUploadsDocument,
  CreateArtifactVersionDocument,
  CreateManifestDocument,
  CreateManifestToUploadDocument,
} from "./generated/operations.ts";

/** A file to be part of an artifact. */
export interface ArtifactFile extends ManifestFile {
  /** Its bytes, asked for when it is sent and again for each try; a Blob of a file on disk is sent as a stream. */
  content(): Promise<Blob>;
}

export interface NewArtifact {
  readonly entity: string;
  readonly project: string;
  /** The run that logs it; one that is gone afterwards leaves it in place. */
  readonly runName?: string;
  /** `code`, `job`, `dataset`. */
  readonly type: string;
  readonly name: string;
  readonly description?: string;
  readonly metadata?: object;
  readonly aliases: readonly string[];
  readonly files: readonly ArtifactFile[];
}

export interface WrittenVersion {
  readonly id: string;
  readonly versionIndex: number;
  /** Hexadecimal MD5, the same for the same files. */
  readonly digest: string;
  /** False: a version with the very same content was there and got the aliases. */
  readonly created: boolean;
}

export interface ArtifactWriterDeps {
  readonly request: Client["request"];
  readonly fetch: typeof globalThis.fetch;
  readonly clock: Clock;
  /** In [0, 1); spreads retries. */
  readonly random: () => number;
  /** Bytes of the MD5 of a text's UTF-8. */
  readonly md5: (text: string) => Uint8Array;
  /** An id that nobody else takes: a version that is asked for twice under it is made once. */
  readonly newId: () => string;
}

/** Files whose addresses are asked for together: an address is good for a while only, so it is used soon. */
const FILES_PER_REQUEST = 200;
const UPLOADS_AT_ONCE = 8;
const TRIES = 6;
const BACKOFF: Backoff = { baseMs: 500, maxMs: 10_000 };

/**
 * Makes a version of an artifact by the operations that the wandb client makes it with: created, its files and its manifest
 * sent, committed. Content that the server has already is not sent, and files that are all the same as an earlier version's are
 * that version. Throws the server's refusal, SERVER_UNREACHABLE, CODE_CHANGED_WHILE_PACKING for a file that
 * has changed since its Blob was made, and what `content` throws.
 */
export async function writeArtifact(
  deps: ArtifactWriterDeps,
  artifact: NewArtifact,
  signal?: AbortSignal,
): Promise<WrittenVersion> {
  const { entity: entityName, project: projectName, files, name } = artifact;
  const options = signal === undefined ? {} : { signal };
  const { createArtifact } = await deps.request(
    CreateArtifactVersionDocument,
    {
      input: {
        entityName,
        projectName,
        artifactTypeName: artifact.type,
        artifactCollectionName: name,
        digest: hex(deps.md5(digestText(files))),
        digestAlgorithm: "MANIFEST_MD5",
        enableDigestDeduplication: true,
        clientID: deps.newId(),
        sequenceClientID: deps.newId(),
        aliases: artifact.aliases.map((alias) => ({ artifactCollectionName: name, alias })),
        ...(artifact.runName === undefined ? {} : { runName: artifact.runName }),
        ...(artifact.description === undefined ? {} : { description: artifact.description }),
        ...(artifact.metadata === undefined ? {} : { metadata: JSON.stringify(artifact.metadata) }),
      },
    },
    options,
  );
  const version = given(createArtifact?.artifact, "createArtifact");
  if (version.state === "COMMITTED") return versionOf(version, false);

  const manifest = manifestText(files);
  const of = {
    artifactID: version.id,
    name: "wandb_manifest.json",
    entityName,
    projectName,
    runName: artifact.runName ?? "",
  };
  const draft = await deps.request(CreateManifestDocument, { input: { ...of, type: "FULL", digest: "" } }, options);
  const draftId = given(draft.createArtifactManifest?.artifactManifest, "createArtifactManifest").id;
  await sendFiles(deps, { artifactID: version.id, artifactManifestID: draftId }, files, signal);

  const digest = base64(deps.md5(manifest));
  const full = await deps.request(CreateManifestToUploadDocument, { input: { ...of, type: "FULL", digest } }, options);
  const { file } = given(full.createArtifactManifest?.artifactManifest, "createArtifactManifest");
  const address = { url: given(file.uploadUrl, "createArtifactManifest"), headers: file.uploadHeaders };
  await send(deps, address, async () => new Blob([manifest]), signal);

  const committed = await deps.request(CommitArtifactVersionDocument, { input: { artifactID: version.id } }, options);
  return versionOf(given(committed.commitArtifact?.artifact, "commitArtifact"), true);
}

async function sendFiles(
  deps: ArtifactWriterDeps,
  of: { readonly artifactID: string; readonly artifactManifestID: string },
  files: readonly ArtifactFile[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const sent = new Set<string>();
  for (let at = 0; at < files.length; at += FILES_PER_REQUEST) {
    const batch = files.slice(at, at + FILES_PER_REQUEST);
    const artifactFiles = batch.map(({ path, md5 }) => ({ ...of, name: path, md5 }));
    const { createArtifactFiles } = await deps.request(
      CreateArtifactUploadsDocument,
      { input: { artifactFiles, storageLayout: "V2" } },
      signal === undefined ? {} : { signal },
    );
    const nodes = (createArtifactFiles?.files.edges ?? []).map(({ node }) => node);
    const wanted = batch.flatMap((file, index) => {
      const { uploadUrl, uploadHeaders } = given(nodes[index], "createArtifactFiles");
      // The same content under two paths has one place.
      if (uploadUrl == null || sent.has(file.md5)) return [];
      sent.add(file.md5);
      return [{ file, address: { url: uploadUrl, headers: uploadHeaders } }];
    });
    await atOnce(UPLOADS_AT_ONCE, wanted, async ({ file, address }) => {
      try {
        await send(deps, address, () => file.content(), signal);
      } catch (error) {
        if (!isUnreadable(error)) throw error;
        throw new SlipwayError("CODE_CHANGED_WHILE_PACKING", {
          values: { file: file.path },
          where: file.path,
          cause: error,
        });
      }
    });
  }
}

/** The work for each, some at a time; ends with the first error, and begins nothing after it. */
async function atOnce<T>(limit: number, items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  let failed = false;
  const worker = async () => {
    while (next < items.length && !failed) {
      try {
        await work(items[next++] as T);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, worker));
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

interface UploadAddress {
  readonly url: string;
  /** `Name: value` */
  readonly headers: readonly string[];
}

/** Puts content to an address that carries its own permission: a header with a key would go to whoever keeps the files. */
async function send(
  { fetch, clock, random }: ArtifactWriterDeps,
  { url, headers }: UploadAddress,
  content: () => Promise<Blob>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { origin } = new URL(url);
  const pairs = headers.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  });
  for (let attempt = 1; ; attempt++) {
    const body = await content();
    let failure: SlipwayError;
    let wait: number | undefined;
    try {
      const response = await fetch(url, {
        method: "PUT",
        headers: pairs,
        body,
        ...(signal === undefined ? {} : { signal }),
      });
      const text = await response.text();
      if (response.ok) return;
      failure = unreachable(origin, new Error(`HTTP ${response.status}`));
      if (response.status < 500 && response.status !== 429) throw refusal(origin, response.status, text);
      wait = retryAfterMs(response.headers.get("retry-after"), clock.now());
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      // A file that has changed stays changed.
      if (cause instanceof SlipwayError || isUnreadable(cause)) throw cause;
      failure = unreachable(origin, cause);
    }
    if (attempt >= TRIES) throw failure;
    await clock.sleep(wait ?? backoffDelay(attempt, BACKOFF, random()), signal);
  }
}

/** What reading a Blob of a file says that has changed since the Blob was made (File API, 3.1). */
function isUnreadable(error: unknown): boolean {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++)
    if (at.name === "NotReadableError") return true;
  return false;
}

function refusal(origin: string, status: number, text: string): SlipwayError {
  const other = () =>
    new SlipwayError("SERVER_ANSWER_INVALID", { values: { url: origin, reason: `HTTP ${status} to an upload` } });
  try {
    return errorOfBody(JSON.parse(text)) ?? other();
  } catch {
    return other();
  }
}

function versionOf(
  version: { readonly id: string; readonly versionIndex?: number | null; readonly digest: string },
  created: boolean,
): WrittenVersion {
  return { id: version.id, versionIndex: version.versionIndex ?? 0, digest: version.digest, created };
}

function given<T>(value: T | null | undefined, operation: string): T {
  if (value != null) return value;
  throw new SlipwayError("SERVER_REFUSED", { values: { message: `${operation} was answered with nothing` } });
}

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));
