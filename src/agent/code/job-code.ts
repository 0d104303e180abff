import { mkdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ArtifactEntry, Artifacts } from "../../client/artifacts.ts";
import { type ArtifactReference, artifactReference } from "../../core/artifacts/declared-artifacts.ts";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { RunSpec } from "../../core/items/run-spec.ts";
import { JOB_PATCH_FILE, JOB_REQUIREMENTS_FILE } from "../../core/jobs/job-file.ts";
import { frozenVersions, installable } from "../../core/jobs/job-requirements.ts";
import { notebookScript } from "../../core/jobs/notebook.ts";
import { type JobCodeSource, scriptOf } from "../../core/jobs/resolved-job.ts";
import { applyPatch, checkOutCommit } from "../../image/git-source.ts";
import { fetchArtifact, readEntry } from "./artifact-files.ts";

export interface JobCodeDirectory {
  readonly directory: string;
  /** Path of the requirements file inside it, if the job has requirements. */
  readonly requirements: string | undefined;
}

const REQUIREMENTS = "requirements.txt";
/** Ours: the code's requirements at the versions that the job's run had. */
const PINNED = "requirements.slipway.txt";
const TEXT_MAX_BYTES = 16 * 1024 * 1024;

/**
 * Brings the code of a job into `workDir`: an artifact's files, or a commit with what was changed after it; a notebook as a
 * script; and the requirements that the job froze. Errors: JOB_CODE_NOT_FOUND, JOB_CODE_INCOMPLETE, JOB_PATCH_FAILED,
 * JOB_NOTEBOOK_INVALID, those of checkOutCommit and of the client.
 */
export async function bringJobCode(
  artifacts: Artifacts,
  source: JobCodeSource,
  spec: RunSpec,
  workDir: string,
  signal: AbortSignal,
): Promise<JobCodeDirectory> {
  const whole = join(workDir, "job");
  const jobFiles = await artifacts.entries(source.jobArtifactId, signal);
  const textOf = (name: string) => textOfEntry(artifacts, jobFiles, name, signal);
  if ("artifact" in source.from) {
    await fetchArtifact(artifacts, await codeArtifact(artifacts, source, spec, signal), whole, signal);
  } else {
    await checkOutCommit(source.from, whole, { signal });
    const patch = await textOf(JOB_PATCH_FILE);
    if (patch) await applyPatch(whole, { patch, commit: source.from.commit }, { signal });
  }
  const directory = await inside(whole, source.buildContext ?? ".");
  if (source.notebook !== undefined) await makeScript(directory, source.notebook);
  return { directory, requirements: await requirementsIn(directory, await textOf(JOB_REQUIREMENTS_FILE)) };
}

async function codeArtifact(
  artifacts: Artifacts,
  { job, from }: JobCodeSource,
  spec: RunSpec,
  signal: AbortSignal,
): Promise<string> {
  const { artifact } = from as { artifact: string };
  const reference: ArtifactReference | undefined = artifactReference(artifact, spec);
  const found = reference && (await artifacts.find(reference, signal));
  if (!found || found.deleted)
    throw new SlipwayError("JOB_CODE_NOT_FOUND", { values: { job, artifact }, where: "job" });
  return found.id;
}

async function textOfEntry(
  artifacts: Artifacts,
  entries: readonly ArtifactEntry[],
  name: string,
  signal: AbortSignal,
): Promise<string> {
  const entry = entries.find(({ path }) => path === name);
  return entry === undefined ? "" : (await readEntry(artifacts, entry, TEXT_MAX_BYTES, signal)).toString("utf8");
}

/** The path inside the code, its links followed: a link of a repository must not lead into this machine. */
async function inside(root: string, path: string): Promise<string> {
  const real = await realpath(join(root, path)).catch(() => undefined);
  const realRoot = await realpath(root);
  if (real === undefined)
    throw new SlipwayError("CODE_DIRECTORY_NOT_FOUND", { values: { directory: path }, where: path });
  if (real !== realRoot && !real.startsWith(`${realRoot}/`))
    throw new SlipwayError("CODE_LINK_LEAVES_DIRECTORY", { values: { link: path, target: real }, where: path });
  return real;
}

async function makeScript(directory: string, notebook: string): Promise<void> {
  const text = await readFile(await inside(directory, notebook), "utf8");
  await writeNew(directory, scriptOf(notebook), notebookScript(text, notebook));
}

/**
 * What to install: the code's own requirements.txt at the versions that the job froze, or all that it froze; undefined if there is
 * neither.
 */
async function requirementsIn(directory: string, frozen: string): Promise<string | undefined> {
  const own = await readFile(join(directory, REQUIREMENTS), "utf8").catch(() => undefined);
  const versions = frozenVersions(frozen);
  if (own === undefined) {
    const lines = installable(frozen);
    if (lines.length === 0) return undefined;
    await writeNew(directory, JOB_REQUIREMENTS_FILE, `${lines.join("\n")}\n`);
    return JOB_REQUIREMENTS_FILE;
  }
  if (versions.length === 0) return REQUIREMENTS;
  await writeNew(directory, JOB_REQUIREMENTS_FILE, `${versions.join("\n")}\n`);
  await writeNew(directory, PINNED, `-r ${REQUIREMENTS}\n-c ${JOB_REQUIREMENTS_FILE}\n`);
  return PINNED;
}

/** Writes a file in place of whatever has the name; never through a link. */
async function writeNew(directory: string, path: string, content: string): Promise<void> {
  const place = join(directory, path);
  await mkdir(join(place, ".."), { recursive: true });
  await rm(place, { force: true, recursive: true });
  await writeFile(place, content, { flag: "wx" });
}
