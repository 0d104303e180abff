import { type ArtifactReference, artifactReference } from "../../../core/artifacts/declared-artifacts.ts";
import { type Problem, SlipwayError } from "../../../core/errors/slipway-error.ts";
import type { RunSpec } from "../../../core/items/run-spec.ts";
import { inputProblems, inputSchemas } from "../../../core/jobs/input-schema.ts";
import { inputTypeWarnings } from "../../../core/jobs/input-types.ts";
import { JOB_TYPE, parseJobFile } from "../../../core/jobs/job-file.ts";
import { parseLooseJson } from "../../../core/loose-json.ts";
import { didYouMean } from "../../../core/nearest.ts";
import { listCollections } from "../../../store/artifact-collections.ts";
import type { ArtifactRecord } from "../../../store/artifacts.ts";
import { findEntity } from "../../../store/entities.ts";
import { findProject } from "../../../store/projects.ts";
import { createArtifactAccess } from "../artifacts/access.ts";
import { maySee } from "../authorize.ts";
import type { ServiceContext } from "../context.ts";
import type { Principal } from "../principal.ts";

export interface CheckedJob {
  /** The spec with the job's very version in place of an alias: what runs does not change while the item waits. */
  readonly spec: RunSpec;
  readonly warnings: readonly Problem[];
}

/** How many names are looked through for the one that was meant. */
const NAMES_LOOKED_THROUGH = 1000;

/**
 * Looks an item's job up when it is pushed: it exists, it can be run, its code is there, and the item's values are what it
 * takes. Throws JOB_NOT_FOUND, JOB_INVALID, JOB_CODE_NOT_FOUND or JOB_INPUTS_INVALID.
 */
export async function checkJob(context: ServiceContext, principal: Principal, spec: RunSpec): Promise<CheckedJob> {
  if (!spec.job) return { spec, warnings: [] };
  const access = createArtifactAccess(context.database.kysely, context.files);
  const reference = artifactReference(spec.job, spec);
  const artifact = reference && (await access.find(principal, reference));
  if (!artifact || artifact.typeName !== JOB_TYPE) throw await notFound(context, principal, spec.job, reference);

  const job = jobName(spec.job, reference, artifact);
  const file = parseJobFile((await access.jobFile(artifact.id)) ?? "", job);
  if (file.source.kind === "code" && "artifact" in file.source.code) {
    const code = artifactReference(file.source.code.artifact, spec);
    const found = code && (await access.find(principal, code));
    if (found?.state !== "COMMITTED") {
      const values = { job, artifact: file.source.code.artifact };
      throw new SlipwayError("JOB_CODE_NOT_FOUND", { values, where: "job" });
    }
  }

  const metadata = parseLooseJson(artifact.metadata ?? "null") ?? null;
  const overrides = spec.overrides ?? {};
  const { problems, unread } = inputProblems(inputSchemas(metadata), overrides);
  if (problems.length > 0) {
    const values = { count: problems.length, job };
    throw new SlipwayError("JOB_INPUTS_INVALID", { values, where: problems[0]!.path, problems });
  }
  const warnings = [
    ...inputTypeWarnings(file.inputTypes, overrides.run_config ?? {}),
    ...unread.map((message) => ({ path: "job", message })),
  ];
  return { spec: { ...spec, job }, warnings };
}

/** ENTITY/PROJECT/NAME:vN; a reference by id is as exact already. */
function jobName(given: string, reference: ArtifactReference, artifact: ArtifactRecord): string {
  if ("id" in reference || artifact.versionIndex === null) return given;
  const name = reference.name.replace(/:.*$/s, "");
  const ownName = artifact.collectionName === name;
  return ownName ? `${reference.entityName}/${reference.projectName}/${name}:v${artifact.versionIndex}` : given;
}

async function notFound(
  context: ServiceContext,
  principal: Principal,
  job: string,
  reference: ArtifactReference | undefined,
): Promise<SlipwayError> {
  const { kysely } = context.database;
  const error = (hint: { hint?: string }) =>
    new SlipwayError("JOB_NOT_FOUND", { values: { job }, where: "job", ...hint });
  if (reference === undefined || "id" in reference) return error({});
  const entity = await findEntity(kysely, { name: reference.entityName });
  if (!entity || !maySee(principal, entity.id)) return error({});
  const project = await findProject(kysely, { entityId: entity.id, name: reference.projectName });
  if (!project) return error({ hint: `There is no project ${reference.projectName} of ${reference.entityName}.` });
  const { collections } = await listCollections(kysely, {
    projectId: project.id,
    typeName: JOB_TYPE,
    after: null,
    limit: NAMES_LOOKED_THROUGH,
  });
  const names = collections.map(({ name }) => name);
  const [name = ""] = reference.name.split(":");
  if (names.includes(name)) return error({ hint: `${name} has no version ${reference.name.slice(name.length + 1)}.` });
  return error(didYouMean(name, names));
}
