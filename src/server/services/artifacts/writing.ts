import { Readable } from "node:stream";
import { isDeepStrictEqual } from "node:util";
import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import { inputSchemas } from "../../../core/jobs/input-schema.ts";
import { JOB_TYPE } from "../../../core/jobs/job-file.ts";
import { parseLooseJson } from "../../../core/loose-json.ts";
import { insertMember, takeVersion, updateCollection } from "../../../store/artifact-collections.ts";
import {
  type ArtifactManifestRecord,
  findManifest,
  hasExactly,
  insertFiles,
  insertManifest,
  receivedManifests,
  setManifestDigest,
} from "../../../store/artifact-content.ts";
import {
  type ArtifactRecord,
  commitArtifact,
  findArtifact,
  findArtifactOfClient,
  findDistributed,
  insertArtifact,
  isOutputOf,
  listCommittedByDigest,
  mergeArtifact,
  nameForClient,
  setWantedAliases,
  type WantedAlias,
} from "../../../store/artifacts.ts";
import type { Tx } from "../../../store/database.ts";
import { readText } from "../../../store/files.ts";
import { findRun } from "../../../store/runs.ts";
import type { ArtifactsService } from "../artifacts.ts";
import type { ServiceContext } from "../context.ts";
import type { Principal } from "../principal.ts";
import { type ArtifactAccess, notFound } from "./access.ts";
import { createArtifactContent } from "./content.ts";
import { digestOf, entriesOf, type Manifest, manifestFile, mergeManifests, parseManifest } from "./manifest.ts";
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

/** The newest committed version that is the same: by its content, and for a job by what it asks of its inputs. */
async function committedSame(
  { kysely }: Tx,
  of: Pick<ArtifactRecord, "collectionId" | "digest" | "digestAlgorithm" | "typeName" | "metadata">,
): Promise<ArtifactRecord | undefined> {
  const all = await listCommittedByDigest(kysely, of.collectionId, of.digest);
  const committed = all.filter(({ digestAlgorithm }) => digestAlgorithm === of.digestAlgorithm);
  return of.typeName === JOB_TYPE ? committed.find(asksTheSame(of)) : committed[0];
}

/** Somebody else has committed it meanwhile. */
class Raced extends Error {}

/** From a new version to a committed one. */
export function createArtifactWriting(
  context: ServiceContext,
  access: ArtifactAccess,
  { setAliases, collectionNamed, noteRun }: ArtifactParts,
): Pick<ArtifactsService, "create" | "createManifest" | "setManifestDigest" | "commit"> {
  const { database, clock, newId, files, limits } = context;
  const { kysely } = database;
  const content = createArtifactContent({ kysely, files, clock, maxBytes: limits.fileBytes }, access);

  async function manifestOf({ id }: { readonly id: string }, artifactName: string): Promise<Manifest> {
    const size = (await files.size(manifestFile(id))) ?? 0;
    if (size > MANIFEST_BYTES) throw incomplete(artifactName, `its manifest is larger than ${MANIFEST_BYTES} bytes`);
    return parseManifest(await readText(files, manifestFile(id)), artifactName);
  }

  /** The manifest of the version that another one's entries are added to. */
  async function baseOf({ baseId }: ArtifactManifestRecord, name: string): Promise<readonly Manifest[]> {
    if (baseId === null) return [];
    const base = await findArtifact(kysely, baseId);
    if (base?.state !== "COMMITTED" || base.manifestId === null) {
      throw incomplete(name, "the version that it adds to was deleted meanwhile");
    }
    return [await manifestOf({ id: base.manifestId }, name)];
  }

  /**
   * The manifest to commit. One that is FULL stands for itself; PATCH ones, of the runs that write a version together, are put
   * together; the entries of an INCREMENTAL one are added to those of the version that it names.
   */
  async function wholeManifest(artifact: ArtifactRecord) {
    const name = artifact.collectionName;
    const received = await receivedManifests(kysely, artifact.id);
    const newest = received.at(-1);
    if (!newest) throw incomplete(name, "its manifest has not arrived");
    const last = await manifestOf(newest, name);
    if (newest.kind === "FULL") return { id: newest.id, manifest: last, merged: false };
    const before: Manifest[] = newest.kind === "INCREMENTAL" ? [...(await baseOf(newest, name))] : [];
    if (newest.kind === "PATCH") {
      for (const one of received.slice(0, -1)) if (one.kind === "PATCH") before.push(await manifestOf(one, name));
    }
    const [first = last, ...others] = before;
    return { id: newId(), manifest: mergeManifests([first, ...others, last]), merged: true };
  }

  /** A person takes whatever the project has, a job's key what its own run has made. */
  async function takes({ kysely }: Tx, principal: Principal, runId: string | null, found: ArtifactRecord) {
    if (principal.run === null) return true;
    return runId !== null && (found.runId === runId || (await isOutputOf(kysely, found.id, runId)));
  }

  async function complete(principal: Principal, artifact: ArtifactRecord) {
    const name = artifact.collectionName;
    const whole = await wholeManifest(artifact);
    const entries = entriesOf(whole.manifest, name);
    const own = entries.filter((entry) => entry.ref === undefined);
    const digests = [...new Set(own.map((entry) => entry.digest))];
    const there = await content.known(principal, artifact, digests);
    const missing = own.filter((entry) => !there.has(entry.digest));
    if (missing.length > 0) {
      const some = missing.slice(0, 3).map((entry) => entry.name);
      const more = missing.length > some.length ? ` and ${missing.length - some.length} more` : "";
      throw incomplete(name, `${some.join(", ")}${more} did not arrive`);
    }
    // By what is in it, not by what the client has said: a version must not be found under another's digest.
    const isMd5 = artifact.digestAlgorithm === "MANIFEST_MD5";
    const digest = isMd5 || whole.merged ? digestOf(entries) : artifact.digest;
    if (!whole.merged) return { ...whole, entries, digest, stored: undefined };
    const body = Readable.from([JSON.stringify(whole.manifest)]);
    const stored = await files.put(manifestFile(whole.id), body, { limit: 2 * MANIFEST_BYTES, check: () => {} });
    return { ...whole, entries, digest, stored };
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
      const mayTake = (tx: Tx, found: ArtifactRecord) => takes(tx, principal, run?.id ?? null, found);
      return database.transaction(clock, async (tx) => {
        if (input.clientId !== null) {
          const found = await findArtifactOfClient(tx.kysely, projectId, input.clientId);
          const known = found?.sameAs == null ? found : await findArtifact(tx.kysely, found.sameAs);
          if (known && (await mayTake(tx, known))) return known;
          if (known) throw notFound(input.collectionName);
        }
        const collection = await collectionNamed(tx, {
          projectId,
          name: input.collectionName,
          kind: "SEQUENCE",
          typeName: input.typeName,
        });
        if (input.distributedId !== null) {
          const shared = await findDistributed(tx.kysely, collection.id, input.distributedId);
          if (shared && !(await mayTake(tx, shared))) {
            const problem = `another run has begun ${collection.name} as ${input.distributedId}; the key of a job writes what its own run has begun`;
            throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "distributedID" });
          }
          if (shared) {
            await setWantedAliases(tx.kysely, shared.id, [...shared.wantedAliases, ...aliases], tx.now);
            await noteRun(tx, shared.id, run?.id, "output", null);
            return shared;
          }
        }
        const same = await committedSame(tx, { ...input, collectionId: collection.id });
        // A digest is no proof of having the content: a job's key sends it, and the commit sees that it is the same.
        if (same && (await mayTake(tx, same))) {
          await setAliases(tx, same, aliases);
          const { clientId } = input;
          if (clientId !== null) await nameForClient(tx.kysely, { projectId, clientId, artifactId: same.id });
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
          sameAs: null,
          distributedId: input.distributedId,
          createdAt: tx.now,
          updatedAt: tx.now,
        };
        await insertArtifact(tx.kysely, artifact);
        // Two requests at once with one client id make one artifact.
        const made = input.clientId && (await findArtifactOfClient(tx.kysely, projectId, input.clientId));
        return made || artifact;
      });
    },

    async createManifest(principal, { artifactId, baseArtifactId, digest, kind }) {
      const artifact = await access.writable(principal, artifactId);
      requirePending(artifact);
      // The client names a base with every kind; entries are added to it in one alone.
      const wanted = kind === "INCREMENTAL" ? baseArtifactId : null;
      const base = wanted === null ? undefined : await access.readable(principal, wanted);
      if (wanted !== null && !base) throw notFound(wanted);
      const manifest = {
        id: newId(),
        artifactId: artifact.id,
        digest,
        kind,
        baseId: base?.id ?? null,
        received: 0,
        createdAt: clock.now(),
      };
      await insertManifest(kysely, manifest);
      return manifest;
    },

    async setManifestDigest(principal, id, digest) {
      const manifest = await findManifest(kysely, id);
      if (!manifest) throw notFound(id);
      requirePending(await access.writable(principal, manifest.artifactId));
      await setManifestDigest(kysely, id, digest);
      return { ...manifest, digest, received: 0 };
    },

    async commit(principal, id) {
      const artifact = await access.writable(principal, id);
      if (artifact.state === "COMMITTED") return artifact;
      const merged = artifact.sameAs === null ? undefined : await findArtifact(kysely, artifact.sameAs);
      if (merged) return merged;
      if (artifact.state === "DELETED") throw notFound(artifact.collectionName);
      const { id: manifestId, entries, digest, stored } = await complete(principal, artifact);
      const size = entries.reduce((sum, entry) => sum + entry.size, 0);
      const { collectionId } = artifact;
      try {
        await database.transaction(clock, async (tx) => {
          // Locks the collection: of two versions with the same content the second becomes the first.
          await updateCollection(tx.kysely, collectionId, { updatedAt: tx.now });
          const { wantedAliases } = (await findArtifact(tx.kysely, id)) ?? artifact;
          const rows = entries.map(({ name, digest, size, ref }) => ({
            artifactId: id,
            name,
            digest: ref === undefined ? digest : "",
            size,
            projectId: artifact.projectId,
            ref: ref ?? null,
          }));
          const found = await committedSame(tx, { ...artifact, digest });
          const taken = found && (await takes(tx, principal, artifact.runId, found));
          // A reference may claim any digest, so that of a whole version does not prove that its files were shown.
          const shown = async ({ id }: ArtifactRecord) =>
            hasExactly(tx.kysely, id, new Map(rows.map((row) => [row.name, row])));
          const same = found && (taken || (await shown(found))) ? found : undefined;
          if (same) {
            if (!(await mergeArtifact(tx.kysely, id, same.id, tx.now))) throw new Raced();
            await setAliases(tx, same, wantedAliases);
            await noteRun(tx, same.id, artifact.runId, "output", null);
            return;
          }
          const versionIndex = await takeVersion(tx.kysely, collectionId, tx.now);
          const values = { versionIndex, manifestId, size, digest, fileCount: entries.length, updatedAt: tx.now };
          if (!(await commitArtifact(tx.kysely, id, values))) throw new Raced();
          if (stored) {
            const row = { id: manifestId, artifactId: id, digest: stored.md5, kind: "FULL", baseId: null, received: 1 };
            await insertManifest(tx.kysely, { ...row, createdAt: tx.now });
          }
          await insertFiles(tx.kysely, rows);
          await insertMember(tx.kysely, { id: newId(), collectionId, artifactId: id, versionIndex, createdAt: tx.now });
          await setAliases(tx, artifact, wantedAliases);
          await noteRun(tx, id, artifact.runId, "output", null);
        });
      } catch (error) {
        if (!(error instanceof Raced)) throw error;
      }
      const now = await findArtifact(kysely, id);
      return (now?.sameAs == null ? now : await findArtifact(kysely, now.sameAs)) ?? artifact;
    },
  };
}

/** What is in a version does not change any more when it is committed. */
function requirePending({ state, collectionName: name }: ArtifactRecord): void {
  if (state === "DELETED") throw notFound(name);
  if (state === "COMMITTED") throw incomplete(name, "it is committed already; log a new version");
}

const incomplete = (name: string, problem: string) =>
  new SlipwayError("ARTIFACT_INCOMPLETE", { values: { name, problem } });
