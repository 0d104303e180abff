import { createHmac, timingSafeEqual } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import type { FileStore } from "../store/files.ts";

/** What an address lets its holder do with one file. */
export type FileAction = "upload" | "download" | "artifact";

/** One part of a file that is sent in parts, and where to. */
export interface PartUrl {
  readonly partNumber: number;
  readonly url: string;
}

/**
 * Short-lived addresses of files that carry their own credential: the wandb client sends and fetches files without its API
 * key. They lead straight to a store that can make such addresses, else to this server's /transfers. Whoever asks for one
 * must have checked that the principal may have the file.
 */
export interface SignedUrls {
  uploadUrl(of: { readonly path: string; readonly baseUrl: string }): Promise<string>;
  /** `name`: as what a browser saves it. */
  downloadUrl(of: { readonly path: string; readonly baseUrl: string; readonly name: string }): Promise<string>;
  /** An address of this server, under /artifact-content, for bytes that it must see itself; `token` tells what they are. */
  artifactUrl(of: { readonly token: string; readonly baseUrl: string }): string;
  /** Addresses for the parts of a file, of at least 5 MiB each but the last. The same `uploadId` goes on with an upload that was begun. */
  partUrls(of: {
    readonly path: string;
    readonly baseUrl: string;
    readonly partNumbers: readonly number[];
    readonly uploadId?: string;
  }): Promise<{ readonly uploadId: string; readonly parts: readonly PartUrl[] }>;
  /** Makes the file of its parts; rejects while one of them is absent. */
  completeParts(of: {
    readonly path: string;
    readonly uploadId: string;
    readonly parts: readonly { readonly partNumber: number; readonly etag: string }[];
  }): Promise<void>;
  /** The path that an address of this server stands for. UPLOAD_URL_INVALID. */
  check(
    action: FileAction,
    signed: { readonly path: string; readonly expires: string; readonly signature: string },
  ): void;
}

export interface SignedUrlsDeps {
  readonly files: FileStore;
  readonly clock: Clock;
  /** The same for every server process on one store. */
  readonly secret: Uint8Array;
  readonly minutes: number;
}

export function createSignedUrls({ files, clock, secret, minutes }: SignedUrlsDeps): SignedUrls {
  const { direct } = files;
  const expiresInS = minutes * 60;

  const sign = (action: FileAction, path: string, expires: number) =>
    createHmac("sha256", secret)
      .update(JSON.stringify([action, path, expires]))
      .digest("hex");

  function own(action: FileAction, path: string, baseUrl: string): string {
    const route = action === "artifact" ? "artifact-content" : "transfers";
    const expires = Math.floor(clock.now() / 1000) + expiresInS;
    const encoded = path.split("/").map(encodeURIComponent).join("/");
    return `${baseUrl}/${route}/${encoded}?expires=${expires}&signature=${sign(action, path, expires)}`;
  }

  return {
    async uploadUrl({ path, baseUrl }) {
      return direct ? direct.uploadUrl(path, { expiresInS }) : own("upload", path, baseUrl);
    },

    async downloadUrl({ path, baseUrl, name }) {
      return direct ? direct.downloadUrl(path, { expiresInS, name }) : own("download", path, baseUrl);
    },

    artifactUrl: ({ token, baseUrl }) => own("artifact", token, baseUrl),

    async partUrls({ path, baseUrl, partNumbers, uploadId: begun }) {
      if (!direct) {
        const uploadId = begun ?? "parts";
        const parts = partNumbers.map((n) => ({ partNumber: n, url: own("upload", partPath(path, n), baseUrl) }));
        return { uploadId, parts };
      }
      const uploadId = begun ?? (await direct.beginParts(path)).uploadId;
      const parts = await Promise.all(
        partNumbers.map(async (partNumber) => ({
          partNumber,
          url: await direct.partUrl(path, { uploadId, partNumber, expiresInS }),
        })),
      );
      return { uploadId, parts };
    },

    async completeParts({ path, uploadId, parts }) {
      const ordered = [...parts].sort((a, b) => a.partNumber - b.partNumber);
      if (direct) return direct.completeParts(path, uploadId, ordered);
      await files.concatenate(
        path,
        ordered.map((part) => partPath(path, part.partNumber)),
      );
    },

    check(action, { path, expires, signature }) {
      const until = Number(expires);
      const expected = Buffer.from(sign(action, path, until));
      const given = Buffer.from(signature);
      const genuine = given.length === expected.length && timingSafeEqual(given, expected);
      if (!genuine || until * 1000 < clock.now()) throw new SlipwayError("UPLOAD_URL_INVALID", { values: { minutes } });
    },
  };
}

/** Where a part waits for the others. */
const partPath = (path: string, partNumber: number) => `parts/${path}.${partNumber}`;
