import { Readable } from "node:stream";
import type { Clock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { findBlob, hasFileOfDigest, setManifestReceived } from "../store/artifact-content.ts";
import {
  type ArtifactUploadRecord,
  deleteUpload,
  expectUploads,
  findUploads,
  oldUploads,
  setUploadId,
} from "../store/artifact-uploads.ts";
import { type ArtifactRecord, touchPendingArtifacts } from "../store/artifacts.ts";
import type { Database } from "../store/database.ts";
import { type DirectAccess, type FileStore, FileTooLarge } from "../store/files.ts";
import type { NewId } from "../store/ids.ts";
import { createArtifactAccess, notFound } from "./services/artifacts/access.ts";
import { createArtifactContent, joinedFile, ownerOf } from "./services/artifacts/content.ts";
import { manifestFile } from "./services/artifacts/manifest.ts";
import type { Principal } from "./services/principal.ts";
import type { Services } from "./services/services.ts";
import type { SignedUrls } from "./signed-urls.ts";

export interface UploadPart {
  readonly partNumber: number;
  readonly hexMD5: string;
}

export interface ArtifactUpload {
  readonly artifactId: string;
  /** Hex of the content's MD5; names the content in completeMultipart. */
  readonly storagePath: string;
  /** Null: the content is here already. */
  readonly uploadUrl: string | null;
  /** What the client must send with it, as `Name:value`. */
  readonly uploadHeaders: readonly string[];
  /** Names the upload in parts; empty without parts. */
  readonly uploadId: string;
  readonly parts: readonly { readonly partNumber: number; readonly uploadUrl: string }[] | null;
}

/** The bytes of artifacts: addresses that carry their own credential, and what comes and goes by them. */
export interface ArtifactTransfers {
  /**
   * In the order of the files. A content (base64 of its MD5) that the project has already is not asked for again, if the viewer
   * may take it (ArtifactAccess.provable). Where the file store can be reached past the server, the addresses lead there.
   */
  createUploads(
    viewer: Principal,
    files: readonly {
      readonly artifactId: string;
      readonly md5: string;
      readonly parts: readonly UploadPart[] | null;
    }[],
    baseUrl: string,
  ): Promise<readonly ArtifactUpload[]>;
  manifestUpload(manifest: { readonly id: string; readonly digest: string }, baseUrl: string): string;
  /** Puts the parts together. ARTIFACT_INCOMPLETE if one is not there or the whole has another MD5. */
  completeMultipart(
    viewer: Principal,
    of: { readonly artifactId: string; readonly storagePath: string; readonly parts: readonly UploadPart[] },
  ): Promise<{ readonly digest: string }>;
  /** Where to fetch a file's content. */
  contentUrl(of: { readonly file: string; readonly name: string }, baseUrl: string): Promise<string>;
  manifestUrl(manifestId: string, baseUrl: string): Promise<string>;
  /** One round: contents that were asked for long ago, and their parts. */
  sweep(): Promise<void>;
  /** Stores what was sent to an address. UPLOAD_URL_INVALID, BODY_TOO_LARGE, REQUEST_INVALID for another MD5. */
  receive(
    address: { readonly token: string; readonly expires: string; readonly signature: string },
    body: Readable,
  ): Promise<{ readonly size: number; readonly md5: string }>;
  /** The content with this MD5 (hex) of a version. ARTIFACT_NOT_FOUND. */
  openContent(viewer: Principal, artifactId: string, hexMD5: string): Promise<StoredBytes>;
}

export interface StoredBytes {
  readonly size: number;
  stream(range?: { readonly start: number; readonly end: number }): Readable;
}

type Target =
  | readonly ["blob", projectId: string, digest: string, owner: string]
  | readonly ["part", file: string, partNumber: number, partHex: string]
  | readonly ["manifest", manifestId: string, digest: string];

export interface ArtifactTransferDeps {
  readonly services: Pick<Services, "artifacts">;
  readonly database: Database;
  readonly files: FileStore;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly signedUrls: SignedUrls;
  /** How long an address is good that leads past the server. */
  readonly urlMinutes: number;
  /** An upload that was last asked for so long ago is given up, in milliseconds. */
  readonly pendingMs: number;
  readonly maxBytes: number;
}

const HEX = /^[0-9a-f]{32}$/;
const hexOf = (base64: string) => Buffer.from(base64, "base64").toString("hex");
const base64Of = (hex: string) => Buffer.from(hex, "hex").toString("base64");
const partFile = (file: string, part: number) => `${file}.parts/${part}`;

export function createArtifactTransfers(deps: ArtifactTransferDeps): ArtifactTransfers {
  const { services, database, files, clock, newId, signedUrls, maxBytes } = deps;
  const { kysely } = database;
  const content = createArtifactContent({ kysely, files, clock, maxBytes }, createArtifactAccess(kysely, files));
  const expiresInS = deps.urlMinutes * 60;
  /** Uploads whose parts are being put together: a client that has waited too long asks again. */
  const joining = new Map<string, Promise<void>>();

  const newFile = (projectId: string) => `artifacts/blobs/${projectId}/${newId()}`;

  function url(baseUrl: string, target: Target): string {
    return signedUrls.artifactUrl({ token: Buffer.from(JSON.stringify(target)).toString("base64url"), baseUrl });
  }

  function targetOf({ token, expires, signature }: { token: string; expires: string; signature: string }): Target {
    signedUrls.check("artifact", { path: token, expires, signature });
    return JSON.parse(Buffer.from(token, "base64url").toString("utf8")) as Target;
  }

  /** Stores bytes that must have this MD5 (hex). */
  async function store(path: string, body: Readable, hex: string): Promise<number> {
    try {
      const { size } = await files.put(path, body, {
        limit: maxBytes,
        check: (_sha256, _size, md5) => {
          const found = hexOf(md5);
          if (found === hex) return;
          const problem = `What arrived has the MD5 ${found} and not ${hex}: it was cut off, or changed while it was sent`;
          throw new SlipwayError("REQUEST_INVALID", { values: { problem } });
        },
      });
      return size;
    } catch (error) {
      if (!(error instanceof FileTooLarge)) throw error;
      const values = { limit: maxBytes, setting: "SLIPWAY_FILE_MAX_BYTES" };
      throw new SlipwayError("BODY_TOO_LARGE", { values, cause: error });
    }
  }

  /** Stores a content of a project; when another has brought it meanwhile, that one stays. */
  async function storeBlob(projectId: string, digest: string, owner: string, body: Readable): Promise<number> {
    const file = newFile(projectId);
    const size = await store(file, body, hexOf(digest));
    await content.adopt({ projectId, digest, owner, file }, size);
    return size;
  }

  async function openBlob(projectId: string, digest: string): Promise<StoredBytes> {
    const blob = await findBlob(kysely, projectId, digest);
    if (!blob) throw notFound(`content ${hexOf(digest)}`);
    return { size: blob.size, stream: (range) => files.stream(blob.file, range) };
  }

  /** Addresses for one content; those for parts take up an upload that was begun. */
  async function addressesOf(upload: ArtifactUploadRecord, parts: readonly UploadPart[] | null, baseUrl: string) {
    const { direct } = files;
    const { projectId, digest, owner, file } = upload;
    const inParts = parts !== null && parts.length > 0;
    if (!direct) {
      return {
        uploadUrl: url(baseUrl, ["blob", projectId, digest, owner]),
        uploadHeaders: [],
        uploadId: inParts ? hexOf(digest) : "",
        parts: inParts
          ? parts.map(({ partNumber, hexMD5 }) => ({
              partNumber,
              uploadUrl: url(baseUrl, ["part", file, partNumber, hexMD5]),
            }))
          : null,
      };
    }
    const uploadId = inParts ? await beginParts(direct, upload) : "";
    return {
      uploadUrl: await direct.uploadUrl(file, { expiresInS, md5: digest }),
      uploadHeaders: [`Content-MD5:${digest}`],
      uploadId,
      parts: inParts
        ? await Promise.all(
            parts.map(async ({ partNumber, hexMD5 }) => ({
              partNumber,
              uploadUrl: await direct.partUrl(joinedFile(file), {
                uploadId,
                partNumber,
                expiresInS,
                md5: base64Of(hexMD5),
              }),
            })),
          )
        : null,
    };
  }

  async function beginParts(direct: DirectAccess, upload: ArtifactUploadRecord): Promise<string> {
    const before = upload.uploadId;
    const file = joinedFile(upload.file);
    if (before !== null && (await direct.listParts(file, before)) !== undefined) return before;
    const { uploadId } = await direct.beginParts(file);
    if (await setUploadId(kysely, upload, uploadId, before)) return uploadId;
    // Another request has begun it.
    await direct.abortParts(file, uploadId);
    const { projectId, owner, digest } = upload;
    const [kept] = await findUploads(kysely, { projectId, owner, digests: [digest] });
    return kept?.uploadId ?? uploadId;
  }

  /** Makes the content of its parts, and checks it. */
  async function join(upload: ArtifactUploadRecord, parts: readonly UploadPart[], name: string): Promise<void> {
    const refuse = (problem: string) => new SlipwayError("ARTIFACT_INCOMPLETE", { values: { name, problem } });
    const { direct } = files;
    const { projectId, digest, owner, file } = upload;
    const numbers = parts.map(({ partNumber }) => partNumber).toSorted((a, b) => a - b);
    if (direct) {
      const joined = joinedFile(file);
      if (upload.uploadId !== null && (await files.info(joined)) === undefined) {
        const arrived = (await direct.listParts(joined, upload.uploadId)) ?? [];
        const found = new Map(arrived.map((part) => [part.partNumber, part] as const));
        const stored = numbers.map((number) => {
          const part = found.get(number);
          if (!part) throw refuse(`part ${number} of a file did not arrive`);
          return part;
        });
        await direct.completeParts(joined, upload.uploadId, stored);
      }
      if (await content.settle(upload)) return;
      await files.remove(joined);
      await setUploadId(kysely, upload, null, upload.uploadId);
      throw refuse(`the parts of a file do not make the content ${hexOf(digest)}`);
    }
    for (const number of numbers) {
      if ((await files.size(partFile(file, number))) === undefined) {
        throw refuse(`part ${number} of a file did not arrive`);
      }
    }
    async function* whole() {
      for (const number of numbers) yield* files.stream(partFile(file, number));
    }
    await storeBlob(projectId, digest, owner, Readable.from(whole(), { objectMode: false }));
    await files.remove(`${file}.parts`);
  }

  return {
    async createUploads(viewer, wanted, baseUrl) {
      const artifacts = new Map<string, ArtifactRecord>();
      for (const { artifactId, md5 } of wanted) {
        if (!HEX.test(hexOf(md5))) {
          const problem = `${md5} is not base64 of an MD5`;
          throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "artifactFiles" });
        }
        if (artifacts.has(artifactId)) continue;
        artifacts.set(artifactId, await services.artifacts.mustWrite(viewer, artifactId));
      }
      const key = (artifactId: string, digest: string) => `${artifactId} ${digest}`;
      // What is still being sent is not given up, however long it takes.
      await touchPendingArtifacts(kysely, [...artifacts.keys()], clock.now());
      const expected = new Map<string, ArtifactUploadRecord>();
      for (const [artifactId, artifact] of artifacts) {
        const mine = wanted.filter((file) => file.artifactId === artifactId).map(({ md5 }) => md5);
        const digests = [...new Set(mine)];
        const known = await content.known(viewer, artifact, digests);
        const { projectId } = artifact;
        const owner = ownerOf(viewer, artifact);
        const missing = digests.filter((digest) => !known.has(digest));
        const askedAt = clock.now();
        const rows = missing.map((digest) => ({ projectId, digest, owner, file: newFile(projectId), askedAt }));
        for (const upload of await expectUploads(kysely, rows)) expected.set(key(artifactId, upload.digest), upload);
      }
      return Promise.all(
        wanted.map(async ({ artifactId, md5, parts }) => {
          const upload = expected.get(key(artifactId, md5));
          const storagePath = hexOf(md5);
          if (upload) return { artifactId, storagePath, ...(await addressesOf(upload, parts, baseUrl)) };
          return { artifactId, storagePath, uploadUrl: null, uploadHeaders: [], uploadId: "", parts: null };
        }),
      );
    },

    manifestUpload: ({ id, digest }, baseUrl) => url(baseUrl, ["manifest", id, digest]),
    contentUrl: ({ file, name }, baseUrl) =>
      signedUrls.downloadUrl({ path: file, baseUrl, name: name.split("/").at(-1) ?? name }),
    manifestUrl: (id, baseUrl) =>
      signedUrls.downloadUrl({ path: manifestFile(id), baseUrl, name: "wandb_manifest.json" }),

    async completeMultipart(viewer, { artifactId, storagePath, parts }) {
      const artifact = await services.artifacts.mustWrite(viewer, artifactId);
      const { projectId, collectionName: name } = artifact;
      const digest = base64Of(storagePath);
      const owner = ownerOf(viewer, artifact);
      const [upload] = await findUploads(kysely, { projectId, owner, digests: [digest] });
      if ((await content.known(viewer, artifact, [digest])).size > 0) return { digest };
      if (!HEX.test(storagePath) || !upload) {
        const problem = `${storagePath} is not the storage path of a file of it that was asked for`;
        throw new SlipwayError("ARTIFACT_INCOMPLETE", { values: { name, problem } });
      }
      const key = `${projectId} ${digest} ${owner}`;
      const running =
        joining.get(key) ??
        join(upload, parts, name).finally(() => {
          joining.delete(key);
        });
      joining.set(key, running);
      await running;
      return { digest };
    },

    async receive(address, body) {
      const target = targetOf(address);
      switch (target[0]) {
        case "blob": {
          const [, projectId, digest, owner] = target;
          return { size: await storeBlob(projectId, digest, owner, body), md5: hexOf(digest) };
        }
        case "part": {
          const [, file, partNumber, partHex] = target;
          return { size: await store(partFile(file, partNumber), body, partHex), md5: partHex };
        }
        case "manifest": {
          const size = await store(manifestFile(target[1]), body, hexOf(target[2]));
          await setManifestReceived(kysely, target[1], target[2]);
          return { size, md5: hexOf(target[2]) };
        }
      }
    },

    async openContent(viewer, artifactId, hexMD5) {
      const artifact = await services.artifacts.get(viewer, artifactId);
      const digest = base64Of(hexMD5);
      if (!artifact || !(await hasFileOfDigest(kysely, artifact.id, digest))) throw notFound(`content ${hexMD5}`);
      return openBlob(artifact.projectId, digest);
    },

    async sweep() {
      for (const upload of await oldUploads(kysely, clock.now() - deps.pendingMs)) {
        // The row goes first: who asks for it again gets another file.
        if (!(await deleteUpload(kysely, upload))) continue;
        const { projectId, digest, file, uploadId } = upload;
        if (uploadId !== null) await files.direct?.abortParts(joinedFile(file), uploadId);
        await files.remove(`${file}.parts`);
        const kept = (await findBlob(kysely, projectId, digest))?.file;
        for (const one of [file, joinedFile(file)]) if (one !== kept) await files.remove(one);
      }
    },
  };
}
