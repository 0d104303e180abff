import type { Kysely } from "kysely";
import {
  type ArtifactReference,
  artifactReference,
  declaredArtifacts,
} from "../../../core/artifacts/declared-artifacts.ts";
import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import { JOB_FILE, JOB_FILE_MAX_BYTES, JOB_TYPE } from "../../../core/jobs/job-file.ts";
import { parseLooseJson } from "../../../core/loose-json.ts";
import {
  type ArtifactCollectionRecord,
  type ArtifactMemberRecord,
  findCollection,
  findMember,
  holdsOneOf,
} from "../../../store/artifact-collections.ts";
import { digestsOfArtifacts, findBlob, listFiles } from "../../../store/artifact-content.ts";
import { findUploads } from "../../../store/artifact-uploads.ts";
import { type ArtifactRecord, findArtifact, isOutputOf } from "../../../store/artifacts.ts";
import { findEntity } from "../../../store/entities.ts";
import { type FileStore, readText } from "../../../store/files.ts";
import { findItemOfRun } from "../../../store/item-queries.ts";
import { findProject } from "../../../store/projects.ts";
import type { ProjectRecord } from "../../../store/records.ts";
import { findRun } from "../../../store/runs.ts";
import type { Tables } from "../../../store/tables.ts";
import { maySee, requireRole } from "../authorize.ts";
import type { Principal } from "../principal.ts";

/** Finds artifacts that a principal may see or change. */
export interface ArtifactAccess {
  /** To read; undefined for what is not there or not to be seen. */
  readable(principal: Principal, id: string): Promise<ArtifactRecord | undefined>;
  /** To change; ARTIFACT_NOT_FOUND or FORBIDDEN. */
  writable(principal: Principal, id: string): Promise<ArtifactRecord>;
  /**
   * Whether it is the job that a job's key runs, made without a run (`wandb job create`): its first run tells what the
   * inputs of its code are.
   */
  completable(principal: Principal, id: string): Promise<boolean>;
  /** The project to write artifacts in, as output of the run if one is named. PROJECT_NOT_FOUND, FORBIDDEN, KEY_SCOPE. */
  projectToWrite(
    principal: Principal,
    of: { readonly entityName: string; readonly projectName: string; readonly runName: string | null },
  ): Promise<ProjectRecord>;
  /** The version that `NAME`, `NAME:ALIAS`, `NAME:vN` or `NAME:DIGEST` means in a project. */
  lookup(projectId: string, name: string): Promise<ArtifactMemberRecord | undefined>;
  /**
   * Which of these contents the principal may take for stored already: a person all that the project has, a job's key those
   * that its run has sent itself or that an artifact names which it may read. Knowing an MD5 is no proof of having the content.
   */
  provable(principal: Principal, artifact: ArtifactRecord, digests: readonly string[]): Promise<ReadonlySet<string>>;
  /** A job's key sees the collections that hold a version of its run's, or one that it declared. */
  seesCollection(principal: Principal, collection: ArtifactCollectionRecord): Promise<boolean>;
  /** The artifact that a reference names, if the principal may see it. */
  find(principal: Principal, reference: ArtifactReference): Promise<ArtifactRecord | undefined>;
  /** The text of a job artifact's wandb-job.json; undefined if it has none that could be one. Asks nobody's permission. */
  jobFile(artifactId: string): Promise<string | undefined>;
}

type JobRun = NonNullable<Principal["run"]>;

const VERSION = /^v(\d+)$/;

export function createArtifactAccess(kysely: Kysely<Tables>, files: FileStore): ArtifactAccess {
  async function lookup(projectId: string, name: string): Promise<ArtifactMemberRecord | undefined> {
    const colon = name.indexOf(":");
    const collectionName = colon === -1 ? name : name.slice(0, colon);
    const alias = colon === -1 ? "latest" : name.slice(colon + 1);
    const collection = await findCollection(kysely, { projectId, name: collectionName });
    if (!collection) return undefined;
    const version = VERSION.exec(alias)?.[1];
    if (version !== undefined) return findMember(kysely, collection.id, { versionIndex: Number(version) });
    const named = await findMember(kysely, collection.id, { alias });
    if (named) return named;
    return /^[0-9a-f]{32}$/.test(alias) ? findMember(kysely, collection.id, { digest: alias }) : undefined;
  }

  /** The artifact of a reference, if it belongs to the entity: whoever pushed the item may see that entity's things. */
  async function artifactIdOf(entityId: string, reference: ArtifactReference): Promise<string | undefined> {
    if ("id" in reference) {
      const artifact = await findArtifact(kysely, keyOfId(reference.id));
      const project = artifact && (await findProject(kysely, { id: artifact.projectId }));
      return project?.entityId === entityId ? artifact?.id : undefined;
    }
    const entity = await findEntity(kysely, { name: reference.entityName });
    if (entity?.id !== entityId) return undefined;
    const project = await findProject(kysely, { entityId, name: reference.projectName });
    return project && (await lookup(project.id, reference.name))?.artifactId;
  }

  async function jobFile(artifactId: string): Promise<string | undefined> {
    const query = { artifactId, names: [JOB_FILE], after: null, limit: 1 };
    const file = (await listFiles(kysely, query))[0];
    const blob = file && (await findBlob(kysely, file.projectId, file.digest));
    if (!blob || blob.size > JOB_FILE_MAX_BYTES) return undefined;
    return readText(files, blob.file);
  }

  /** The code artifact that a job artifact names in its wandb-job.json. */
  async function codeOfJob(jobId: string, entityId: string): Promise<string | undefined> {
    const text = await jobFile(jobId);
    if (text === undefined) return undefined;
    let source: unknown;
    try {
      source = (JSON.parse(text) as { source?: { artifact?: unknown } }).source?.artifact;
    } catch {
      return undefined;
    }
    const reference = typeof source === "string" ? artifactReference(source, { entity: "", project: "" }) : undefined;
    return reference && artifactIdOf(entityId, reference);
  }

  async function declaredIds(run: JobRun): Promise<readonly string[]> {
    const item = await findItemOfRun(kysely, run.entityId, run.projectName, run.runName);
    if (!item) return [];
    const ids: string[] = [];
    for (const reference of declaredArtifacts(item.runSpec)) {
      const id = await artifactIdOf(item.entityId, reference);
      if (id === undefined) continue;
      const code = await codeOfJob(id, item.entityId);
      ids.push(id, ...(code === undefined ? [] : [code]));
    }
    return ids;
  }

  async function runIn(run: JobRun, project: ProjectRecord): Promise<string | undefined> {
    if (project.entityId !== run.entityId || project.name !== run.projectName) return undefined;
    return (await findRun(kysely, { projectId: project.id, name: run.runName }))?.id;
  }

  async function ownOfRun(run: JobRun, artifact: ArtifactRecord, project: ProjectRecord): Promise<boolean> {
    return artifact.runId !== null && (await runIn(run, project)) === artifact.runId;
  }

  /** A run that has logged what was there already may read that: it has the same content. */
  async function madeByRun(run: JobRun, artifact: ArtifactRecord, project: ProjectRecord): Promise<boolean> {
    const runId = await runIn(run, project);
    return runId !== undefined && (artifact.runId === runId || (await isOutputOf(kysely, artifact.id, runId)));
  }

  async function readable(principal: Principal, id: string): Promise<ArtifactRecord | undefined> {
    const found = await findArtifact(kysely, id);
    const artifact = found?.sameAs == null ? found : await findArtifact(kysely, found.sameAs);
    const project = artifact && (await findProject(kysely, { id: artifact.projectId }));
    if (!artifact || !project) return undefined;
    const { run } = principal;
    if (run === null) return maySee(principal, project.entityId) ? artifact : undefined;
    const may = (await madeByRun(run, artifact, project)) || (await declaredIds(run)).includes(artifact.id);
    return may ? artifact : undefined;
  }

  return {
    lookup,
    jobFile,
    readable,

    async provable(principal, artifact, digests) {
      const { run } = principal;
      if (run === null) return new Set(digests);
      const { projectId, runId } = artifact;
      if (runId === null) return new Set();
      const sent = (await findUploads(kysely, { projectId, owner: runId, digests })).filter((one) => one.arrived === 1);
      const known = new Set(sent.map(({ digest }) => digest));
      const others = digests.filter((digest) => !known.has(digest));
      if (others.length === 0) return known;
      const artifactIds = await declaredIds(run);
      for (const digest of await digestsOfArtifacts(kysely, { artifactIds, runId }, others)) known.add(digest);
      return known;
    },

    async seesCollection(principal, collection) {
      const project = await findProject(kysely, { id: collection.projectId });
      if (!project) return false;
      const { run } = principal;
      if (run === null) return maySee(principal, project.entityId);
      const home = await findProject(kysely, { entityId: run.entityId, name: run.projectName });
      const own = home && (await findRun(kysely, { projectId: home.id, name: run.runName }));
      return holdsOneOf(kysely, collection.id, { artifactIds: await declaredIds(run), runId: own?.id ?? "" });
    },

    async find(principal, reference) {
      if ("id" in reference) return readable(principal, keyOfId(reference.id));
      const entity = await findEntity(kysely, { name: reference.entityName });
      const project = entity && (await findProject(kysely, { entityId: entity.id, name: reference.projectName }));
      const member = project && (await lookup(project.id, reference.name));
      return member && readable(principal, member.artifactId);
    },

    async writable(principal, id) {
      const artifact = await findArtifact(kysely, id);
      const project = artifact && (await findProject(kysely, { id: artifact.projectId }));
      if (!artifact || !project) throw notFound(id);
      if (principal.run !== null) {
        if (!(await ownOfRun(principal.run, artifact, project))) throw notFound(id);
        return artifact;
      }
      if (!maySee(principal, project.entityId)) throw notFound(id);
      requireRole(principal, { id: project.entityId, name: project.entityName }, "MEMBER", "write artifacts");
      return artifact;
    },

    async completable(principal, id) {
      const { run } = principal;
      const item = run && (await findItemOfRun(kysely, run.entityId, run.projectName, run.runName));
      const reference = item?.runSpec.job && artifactReference(item.runSpec.job, item.runSpec);
      if (!item || !reference || (await artifactIdOf(item.entityId, reference)) !== id) return false;
      const artifact = await findArtifact(kysely, id);
      const metadata = parseLooseJson(artifact?.metadata ?? "null");
      return artifact?.typeName === JOB_TYPE && (metadata as { _partial?: unknown } | null)?._partial === true;
    },

    async projectToWrite(principal, { entityName, projectName, runName }) {
      const entity = await findEntity(kysely, { name: entityName });
      const { run } = principal;
      const missing = () =>
        new SlipwayError("PROJECT_NOT_FOUND", {
          values: { name: projectName, entity: entityName },
          where: "projectName",
        });
      if (run !== null) {
        const own = entity?.id === run.entityId && projectName === run.projectName && runName === run.runName;
        if (!own) throw new SlipwayError("KEY_SCOPE");
      } else {
        if (!entity || !maySee(principal, entity.id)) throw missing();
        requireRole(principal, entity, "MEMBER", "write artifacts");
      }
      const project = entity && (await findProject(kysely, { entityId: entity.id, name: projectName }));
      if (!project) throw missing();
      return project;
    },
  };
}

export const notFound = (name: string) => new SlipwayError("ARTIFACT_NOT_FOUND", { values: { name } });

/** The row's id inside an artifact's id: base64, or, in a wandb-artifact:// reference, hex of `Artifact:KEY`. */
function keyOfId(id: string): string {
  for (const encoding of ["base64", "hex"] as const) {
    const text = Buffer.from(id, encoding).toString("utf8");
    if (text.startsWith("Artifact:")) return text.slice("Artifact:".length);
  }
  return id;
}
