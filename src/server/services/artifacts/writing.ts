import { text } from "node:stream/consumers";
import { isDeepStrictEqual } from "node:util";
import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import { inputSchemas } from "../../../core/jobs/input-schema.ts";
import { JOB_TYPE } from "../../../core/jobs/job-file.ts";
import { parseLooseJson } from "../../../core/loose-json.ts";
import { insertMember, takeVersion } from "../../../store/artifact-collections.ts";
import {
  findManifest,
  insertFiles,
  insertManifest,
  receivedManifest,
  setManifestDigest,
  useBlobs,
} from "../../../store/artifact-content.ts";
import {
  type ArtifactRecord,
  commitArtifact,
  findArtifact,
  findArtifactOfClient,
  insertArtifact,
  listCommittedByDigest,
  type WantedAlias,
} from "../../../store/artifacts.ts";
import { findRun } from "../../../store/runs.ts";
import type { ArtifactsService } from "../artifacts.ts";
import type { ServiceContext } from "../context.ts";
import { type ArtifactAccess, notFound } from "./access.ts";
import { manifestFile, parseManifest } from "./manifest.ts";
import { type ArtifactParts, checkedAlias, checkName } from "./parts.ts";

/** A manifest of half a million files. */
const MANIFEST_BYTES = 256 * 1024 * 1024;

/** The client gives a job the tag of its image as an alias; a tag such as v1 would hide a version's number and is left out. */
const isNoVersion = ({ alias }: WantedAlias) => !/^v\d+$/.test(alias);

/** A job's files do not hold the schemas of its inputs: with others it is another version. Without any it is as it was. */
function asksTheSame({ metadata }: Pick<ArtifactRecord, "metadata">): (version: ArtifactRecord) => boolean {
  const schemasOf = (text: string | null) => inputSchemas(parseLooseJson(text ?? "null") ?? null);
  const wanted = schemasOf(metadata);
  if (wanted.config === undefined && Object.keys(wanted.files).length === 0) return () => true;
  return (version) => isDeepStrictEqual(schemasOf(version.metadata), wanted);
}

/** Somebody else has committed it meanwhile. */
class Raced extends Error {}

/** From a new version to a committed one. */
export function createArtifactWriting(
  context: ServiceContext,
  access: ArtifactAccess,
  { setAliases, collectionNamed, noteRun }: ArtifactParts,
): Pick<ArtifactsService, "create" | "createManifest" | "setManifestDigest" | "commit"> {
  const { database, clock, newId, files } = context;
  const { kysely } = database;

  async function complete(artifact: ArtifactRecord) {
    const name = artifact.collectionName;
    const refuse = (problem: string) => new SlipwayError("ARTIFACT_INCOMPLETE", { values: { name, problem } });
    const manifest = await receivedManifest(kysely, artifact.id);
    if (!manifest) throw refuse("its manifest has not arrived");
    const size = (await files.size(manifestFile(manifest.id))) ?? 0;
    if (size > MANIFEST_BYTES) throw refuse(`its manifest is larger than ${MANIFEST_BYTES} bytes`);
    const entries = parseManifest(await text(files.stream(manifestFile(manifest.id))), name);
    const own = entries.filter((entry) => entry.ref === undefined);
    const digests = [...new Set(own.map((entry) => entry.digest))];
    const there = await useBlobs(kysely, artifact.projectId, digests, clock.now());
    const missing = own.filter((entry) => !there.has(entry.digest));
    if (missing.length > 0) {
      const some = missing.slice(0, 3).map((entry) => entry.name);
      const more = missing.length > some.length ? ` and ${missing.length - some.length} more` : "";
      throw refuse(`${some.join(", ")}${more} did not arrive`);
    }
    return { manifest, entries };
  }

  return {
    async create(principal, input) {
      checkName(input.collectionName, "artifactCollectionName");
      checkName(input.typeName, "artifactTypeName");
      const isJob = input.typeName === JOB_TYPE;
      const aliases = isJob ? input.aliases.filter(isNoVersion) : input.aliases;
      for (const { alias } of aliases) checkedAlias(alias);
      const { entityName, projectName } = input;
      // The client names no run for the job that it makes of one.
      const runName = input.runName ?? (isJob ? principal.run?.runName : null) ?? null;
      const project = await access.projectToWrite(principal, { entityName, projectName, runName });
      const projectId = project.id;
      const run = runName === null ? undefined : await findRun(kysely, { projectId, name: runName });
      return database.transaction(clock, async (tx) => {
        if (input.clientId !== null) {
          const known = await findArtifactOfClient(tx.kysely, projectId, input.clientId);
          if (known && (principal.run === null || known.runId === run?.id)) return known;
          if (known) throw notFound(input.collectionName);
        }
        const collection = await collectionNamed(tx, {
          projectId,
          name: input.collectionName,
          kind: "SEQUENCE",
          typeName: input.typeName,
        });
        const committed = await listCommittedByDigest(tx.kysely, collection.id, input.digest);
        const same = isJob ? committed.find(asksTheSame(input)) : committed[0];
        if (same) {
          await setAliases(tx, same, aliases);
          await noteRun(tx, same.id, run?.id, "output", null);
          return same;
        }
        const artifact: ArtifactRecord = {
          id: newId(),
          collectionId: collection.id,
          projectId,
          collectionName: collection.name,
          typeName: collection.typeName,
          clientId: input.clientId,
          digest: input.digest,
          digestAlgorithm: input.digestAlgorithm,
          state: "PENDING",
          description: input.description,
          metadata: input.metadata,
          tags: input.tags,
          ttlSeconds: input.ttlSeconds,
          historyStep: input.historyStep,
          size: 0,
          fileCount: 0,
          versionIndex: null,
          wantedAliases: aliases,
          manifestId: null,
          runId: run?.id ?? null,
          author: principal.username,
          createdAt: tx.now,
          updatedAt: tx.now,
        };
        await insertArtifact(tx.kysely, artifact);
        // Two requests at once with one client id make one artifact.
        const made = input.clientId && (await findArtifactOfClient(tx.kysely, projectId, input.clientId));
        return made || artifact;
      });
    },

    async createManifest(principal, { artifactId, digest, kind }) {
      const artifact = await access.writable(principal, artifactId);
      if (kind !== "FULL") {
        const problem = `manifests of type ${kind} are not taken; send all entries in one of type FULL`;
        throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "type" });
      }
      const manifest = { id: newId(), artifactId: artifact.id, digest, kind, received: 0, createdAt: clock.now() };
      await insertManifest(kysely, manifest);
      return manifest;
    },

    async setManifestDigest(principal, id, digest) {
      const manifest = await findManifest(kysely, id);
      if (!manifest) throw notFound(id);
      await access.writable(principal, manifest.artifactId);
      await setManifestDigest(kysely, id, digest);
      return { ...manifest, digest, received: 0 };
    },

    async commit(principal, id) {
      const artifact = await access.writable(principal, id);
      if (artifact.state === "COMMITTED") return artifact;
      if (artifact.state === "DELETED") throw notFound(artifact.collectionName);
      const { manifest, entries } = await complete(artifact);
      const size = entries.reduce((sum, entry) => sum + entry.size, 0);
      try {
        await database.transaction(clock, async (tx) => {
          const versionIndex = await takeVersion(tx.kysely, artifact.collectionId, tx.now);
          const values = { versionIndex, manifestId: manifest.id, size, fileCount: entries.length, updatedAt: tx.now };
          if (!(await commitArtifact(tx.kysely, id, values))) throw new Raced();
          const rows = entries.map(({ name, digest, size, ref }) => ({
            artifactId: id,
            name,
            digest: ref === undefined ? digest : "",
            size,
            projectId: artifact.projectId,
            ref: ref ?? null,
          }));
          await insertFiles(tx.kysely, rows);
          const { collectionId } = artifact;
          await insertMember(tx.kysely, { id: newId(), collectionId, artifactId: id, versionIndex, createdAt: tx.now });
          await setAliases(tx, artifact, artifact.wantedAliases);
          await noteRun(tx, id, artifact.runId, "output", null);
        });
      } catch (error) {
        if (!(error instanceof Raced)) throw error;
      }
      return (await findArtifact(kysely, id)) ?? artifact;
    },
  };
}
