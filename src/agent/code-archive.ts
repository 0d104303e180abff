import { createWriteStream } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import type { CodeSource, RepoSource, RunSpec } from "../core/run-spec.ts";
import { checkOutCommit } from "../image/git-source.ts";
import { packDirectory } from "../image/pack.ts";
import { checkArchive } from "./code-digest.ts";
import type { HeldItem } from "./held-item.ts";
import type { JobDeps } from "./job-deps.ts";

export interface CodeArchive {
  /** Path of a tar.gz in the work directory. */
  readonly archive: string;
  /** Path of the requirements file inside the code, if it has one. */
  readonly requirements: string | undefined;
}

/**
 * Brings the code of a job into a work directory: from the server, under its digest, or from its git repository, packed as
 * `slipway launch DIRECTORY` packs it, so that the same files give the same image.
 * Errors: those of checkOutCommit and packDirectory, AGENT_STEP_FAILED for an archive that is not what it should be.
 */
export async function codeArchive(
  deps: Pick<JobDeps, "client">,
  held: HeldItem,
  code: CodeSource | RepoSource,
  workDir: string,
  signal: AbortSignal,
): Promise<CodeArchive> {
  const archive = join(workDir, "code.tar.gz");
  if ("remote" in code) return fromRepository(code, workDir, archive, signal);
  const { entity } = held.lease.runSpec as RunSpec;
  const body = await deps.client.code.download(entity, code.digest, signal);
  await pipeline(
    Readable.fromWeb(body as ReadableStream<Uint8Array>),
    checkArchive(code.digest),
    createWriteStream(archive),
    { signal },
  );
  return { archive, requirements: code.requirements };
}

async function fromRepository(
  code: RepoSource,
  workDir: string,
  archive: string,
  signal: AbortSignal,
): Promise<CodeArchive> {
  const directory = join(workDir, "repository");
  await checkOutCommit(code, directory, { signal });
  const packed = await packDirectory(directory, { signal });
  try {
    await rename(packed.archive, archive);
  } finally {
    await packed.remove();
  }
  const own = packed.files.some((file) => file.path === "requirements.txt") ? "requirements.txt" : undefined;
  return { archive, requirements: code.requirements ?? own };
}
