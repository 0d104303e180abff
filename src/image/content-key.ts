import { createHash } from "node:crypto";
import { type Digest, sha256, sha256OfFile } from "./digest.ts";
import type { TreeEntry } from "./tree.ts";

/** Raised when a change of this program changes what an image holds. */
const VERSION = 2;

/** All that decides what an image holds, whichever builder makes it. */
export type ImageContent =
  /** Code and its packages on a base. */
  | {
      readonly kind: "layers";
      /** Digest of the base image, or `host`. */
      readonly base: string;
      readonly platform: string;
      readonly code: Digest;
      /** Path of the requirements file inside the code; what it says is part of the code. */
      readonly requirements: string | null;
      /** The Python that the packages are for, where the base image does not decide it alone. */
      readonly python: string | null;
      readonly entryPoint: readonly string[];
    }
  /** What a Dockerfile of the code makes of its build context. */
  | { readonly kind: "dockerfile"; readonly platform: string; readonly context: Digest; readonly dockerfile: string };

/** The tag of an image: the same content has the same on every agent. */
export function contentTag(content: ImageContent): string {
  return `slipway-${sha256(JSON.stringify({ version: VERSION, ...content })).slice("sha256:".length, "sha256:".length + 20)}`;
}

/** Files hashed at once. */
const AT_ONCE = 8;

/** The digest of a tree's paths, kinds, executable bits, links and contents; nothing of it is held in memory. */
export async function treeDigest(entries: readonly TreeEntry[], signal?: AbortSignal): Promise<Digest> {
  const digests = new Array<string>(entries.length);
  const waiting = entries.entries();
  const hashNext = async () => {
    for (const [index, entry] of waiting) {
      signal?.throwIfAborted();
      if (entry.kind === "file") digests[index] = `${entry.executable ? "x" : "-"} ${await sha256OfFile(entry.source)}`;
      else digests[index] = entry.kind === "link" ? entry.target : "";
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, hashNext));
  const whole = createHash("sha256");
  for (const [index, { kind, path }] of entries.entries()) {
    whole.update(JSON.stringify([kind, path, digests[index]]));
  }
  return `sha256:${whole.digest("hex")}`;
}
