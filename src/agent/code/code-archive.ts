import { createWriteStream } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import type { RepoSource, RunSpec } from "../../core/items/run-spec.ts";
import type { BuildSource } from "../../core/training/submission-plan.ts";
import { checkOutCommit } from "../../image/git-source.ts";
import { packDirectory } from "../../image/pack.ts";
import type { HeldItem } from "../held-item.ts";
import type { JobDeps } from "../job-deps.ts";
import { checkArchive } from "./code-digest.ts";
import { bringJobCode } from "./job-code.ts";

export interface CodeArchive {
  /** Path of a tar.gz in the work directory. */
  readonly archive: string;
  /** Path of the requirements file inside the code, if it has one. */
  readonly requirements: string | undefined;
}

/**
 * Brings the code of an item into a work directory: from the server, under its digest, from its git repository, or as its job
 * says, packed as `slipway launch DIRECTORY` packs it, so that the same files give the same image.
 * Errors: those of checkOutCommit, bringJobCode and packDirectory, AGENT_STEP_FAILED for what is not what it should be.
 */
export async function codeArchive(
  deps: Pick<JobDeps, "client">,
  held: HeldItem,
  code: BuildSource,
  workDir: string,
  signal: AbortSignal,
): Promise<CodeArchive> {
  const archive = join(workDir, "code.tar.gz");
  if ("remote" in code) return fromRepository(code, workDir, archive, signal);
  const spec = held.lease.runSpec as RunSpec;
  if ("jobArtifactId" in code) {
    const { directory, requirements } = await bringJobCode(deps.client.artifacts, code, spec, workDir, signal);
    await pack(directory, archive, signal);
    return { archive, requirements };
  }
  const body = await deps.client.code.download(spec.entity, code.digest, signal);
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
  const paths = await pack(directory, archive, signal);
  const own = paths.includes("requirements.txt") ? "requirements.txt" : undefined;
  return { archive, requirements: code.requirements ?? own };
}

/** Packs every file of the directory, and answers their paths. */
async function pack(directory: string, archive: string, signal: AbortSignal): Promise<readonly string[]> {
  const packed = await packDirectory(directory, { everything: true, signal });
  try {
    await rename(packed.archive, archive);
  } finally {
    await packed.remove();
  }
  return packed.files.map(({ path }) => path);
}
