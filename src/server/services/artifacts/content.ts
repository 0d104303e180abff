import { createHash } from "node:crypto";
import type { Kysely } from "kysely";
import type { Clock } from "../../../core/clock.ts";
import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import { insertBlob, useBlobs } from "../../../store/artifact-content.ts";
import {
  type ArtifactUploadRecord,
  setUploadArrived,
  setUploadId,
  touchUploads,
} from "../../../store/artifact-uploads.ts";
import type { ArtifactRecord } from "../../../store/artifacts.ts";
import type { FileStore } from "../../../store/files.ts";
import type { Tables } from "../../../store/tables.ts";
import type { Principal } from "../principal.ts";
import type { ArtifactAccess } from "./access.ts";

/** The contents of a project's artifacts, each kept once. Digests are base64 of MD5s. */
export interface ArtifactContent {
  /** Which of these are there already for whoever writes the artifact; they are kept for a while from now on. */
  known(principal: Principal, artifact: ArtifactRecord, digests: readonly string[]): Promise<ReadonlySet<string>>;
  /** What has come to `file`, with the right MD5, is the project's from now on; if it has the content already, the file goes. */
  adopt(upload: Pick<ArtifactUploadRecord, "projectId" | "digest" | "owner" | "file">, size: number): Promise<void>;
  /** Has a content come that was sent past the server? Then it is the project's. Throws BODY_TOO_LARGE; it is removed then. */
  settle(upload: ArtifactUploadRecord): Promise<boolean>;
}

/** Files that are looked up at once in a store that clients send to directly. */
const AT_ONCE = 16;

/**
 * Where the store puts the parts together. Not where a content comes to whole: an address for that takes this content alone, so
 * that what lies there is never in doubt, and parts could otherwise take the place of what is known to be right.
 */
export const joinedFile = (file: string) => `${file}.joined`;

/** On whose behalf contents are sent: a run, if its key does it. */
export const ownerOf = (principal: Principal, artifact: ArtifactRecord) =>
  principal.run === null ? "" : (artifact.runId ?? "");

export function createArtifactContent(
  deps: {
    readonly kysely: Kysely<Tables>;
    readonly files: FileStore;
    readonly clock: Clock;
    /** The largest content. */
    readonly maxBytes: number;
  },
  access: ArtifactAccess,
): ArtifactContent {
  const { kysely, files, clock, maxBytes } = deps;

  const adopt: ArtifactContent["adopt"] = async ({ projectId, digest, owner, file }, size) => {
    const kept = await insertBlob(kysely, { projectId, digest, file, size, usedAt: clock.now() });
    if (kept.file !== file) await files.remove(file);
    await setUploadArrived(kysely, { projectId, digest, owner });
  };

  async function digestOf(file: string): Promise<string> {
    const hash = createHash("md5");
    for await (const piece of files.stream(file)) hash.update(piece as Buffer);
    return hash.digest("base64");
  }

  /** An address past the server does not say how much may come: that is seen when it is there. */
  async function refuseLarge(upload: ArtifactUploadRecord, file: string, size: number): Promise<void> {
    if (size <= maxBytes) return;
    await files.remove(file);
    if (upload.uploadId !== null) await setUploadId(kysely, upload, null, upload.uploadId);
    throw new SlipwayError("BODY_TOO_LARGE", { values: { limit: maxBytes, setting: "SLIPWAY_FILE_MAX_BYTES" } });
  }

  const settle: ArtifactContent["settle"] = async (upload) => {
    const whole = await files.info(upload.file);
    // The store has checked it, by the signed Content-MD5; not all tell it.
    if (whole && (whole.md5 ?? upload.digest) === upload.digest) {
      await refuseLarge(upload, upload.file, whole.size);
      await adopt(upload, whole.size);
      return true;
    }
    if (upload.uploadId === null) return false;
    const file = joinedFile(upload.file);
    const joined = await files.info(file);
    if (joined) await refuseLarge(upload, file, joined.size);
    if (!joined || (await digestOf(file)) !== upload.digest) return false;
    await adopt({ ...upload, file }, joined.size);
    return true;
  };

  return {
    adopt,
    settle,

    async known(principal, artifact, digests) {
      const { projectId } = artifact;
      const proven = await access.provable(principal, artifact, digests);
      const known = new Set(await useBlobs(kysely, projectId, [...proven], clock.now()));
      if (!files.direct) return known;
      const others = digests.filter((digest) => !known.has(digest));
      const of = { projectId, owner: ownerOf(principal, artifact), digests: others };
      const uploads = await touchUploads(kysely, of, clock.now());
      for (let at = 0; at < uploads.length; at += AT_ONCE) {
        const some = uploads.slice(at, at + AT_ONCE);
        const arrived = await Promise.all(some.map(settle));
        some.forEach(({ digest }, i) => void (arrived[i] && known.add(digest)));
      }
      return known;
    },
  };
}
