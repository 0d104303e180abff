import { artifactReference } from "../../core/artifacts/declared-artifacts.ts";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { RunSpec } from "../../core/items/run-spec.ts";
import { JOB_FILE, JOB_FILE_MAX_BYTES, JOB_TYPE, parseJobFile } from "../../core/jobs/job-file.ts";
import { type ResolvedJob, resolveJobFile } from "../../core/jobs/resolved-job.ts";
import type { HeldItem } from "../held-item.ts";
import type { JobDeps } from "../job-deps.ts";
import { readEntry } from "./artifact-files.ts";

/**
 * Looks up the job that an item names; undefined if it names none. By the plain protocol's own operations, so that it works
 * on any server. Errors: JOB_NOT_FOUND, JOB_INVALID, those of the client.
 */
export async function resolveJob(
  { client }: Pick<JobDeps, "client">,
  held: HeldItem,
): Promise<ResolvedJob | undefined> {
  const spec = held.lease.runSpec as RunSpec;
  const { job } = spec;
  if (!job) return undefined;
  const { artifacts } = client;
  const reference = artifactReference(job, spec);
  const artifact = reference && (await artifacts.find(reference, held.ended));
  if (!artifact || artifact.deleted || artifact.type !== JOB_TYPE)
    throw new SlipwayError("JOB_NOT_FOUND", { values: { job }, where: "job" });
  const entry = (await artifacts.entries(artifact.id, held.ended)).find(({ path }) => path === JOB_FILE);
  if (entry === undefined) {
    const problems = [{ path: JOB_FILE, message: "The artifact has no such file" }];
    throw new SlipwayError("JOB_INVALID", { values: { job, count: 1 }, where: JOB_FILE, problems });
  }
  const content = await readEntry(artifacts, entry, JOB_FILE_MAX_BYTES, held.ended);
  return resolveJobFile(job, artifact.id, parseJobFile(content.toString("utf8"), job));
}
