import type { Readable } from "node:stream";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { ArtifactMemberRecord } from "../../store/artifact-collections.ts";
import { type ArtifactManifestRecord, findBlob, listFiles } from "../../store/artifact-content.ts";
import { type ArtifactRecord, artifactIdsOfClient, type WantedAlias } from "../../store/artifacts.ts";
import { findRun } from "../../store/runs.ts";
import { createArtifactAccess, notFound } from "./artifacts/access.ts";
import { createArtifactChanges } from "./artifacts/changes.ts";
import { createArtifactParts } from "./artifacts/parts.ts";
import { createArtifactWriting } from "./artifacts/writing.ts";
import type { ServiceContext } from "./context.ts";
import type { Principal } from "./principal.ts";

export interface NewArtifact {
  readonly entityName: string;
  readonly projectName: string;
  readonly runName: string | null;
  readonly typeName: string;
  readonly collectionName: string;
  readonly digest: string;
  readonly digestAlgorithm: string;
  readonly description: string | null;
  readonly metadata: string | null;
  readonly aliases: readonly WantedAlias[];
  readonly tags: readonly string[];
  readonly clientId: string | null;
  /** Runs that give the same write one version together, until one of them commits it. */
  readonly distributedId: string | null;
  readonly ttlSeconds: number | null;
  readonly historyStep: number | null;
}

export interface AliasOfCollection {
  readonly entityName: string;
  readonly projectName: string;
  readonly collectionName: string;
  readonly alias: string;
}

/** Versions of artifacts: made, filled, committed, used, changed, linked, deleted. */
export interface ArtifactsService {
  /**
   * The version under this client's id, or the committed one with this content, or a new one that is PENDING until it is
   * committed. INPUT_INVALID for a name, an alias or a type that can't be.
   */
  create(principal: Principal, input: NewArtifact): Promise<ArtifactRecord>;
  createManifest(
    principal: Principal,
    input: {
      readonly artifactId: string;
      /** For an INCREMENTAL one: the version that its entries are added to. */
      readonly baseArtifactId: string | null;
      readonly digest: string;
      readonly kind: "FULL" | "PATCH" | "INCREMENTAL";
    },
  ): Promise<ArtifactManifestRecord>;
  setManifestDigest(principal: Principal, id: string, digest: string): Promise<ArtifactManifestRecord>;
  /** Makes a PENDING version the next of its collection. ARTIFACT_INCOMPLETE if not all of its files have arrived. */
  commit(principal: Principal, id: string): Promise<ArtifactRecord>;
  get(principal: Principal, id: string): Promise<ArtifactRecord | undefined>;
  /** The version that a client has made under an id of its own, by that id. */
  ofClient(principal: Principal, clientId: string): Promise<ArtifactRecord | undefined>;
  /** For writing to it; ARTIFACT_NOT_FOUND, FORBIDDEN. */
  mustWrite(principal: Principal, id: string): Promise<ArtifactRecord>;
  /** The version that `NAME`, `NAME:ALIAS` or `NAME:vN` means. */
  resolve(
    principal: Principal,
    of: { readonly projectId: string; readonly name: string },
  ): Promise<{ readonly member: ArtifactMemberRecord; readonly artifact: ArtifactRecord } | undefined>;
  /** One of its files, from the beginning. */
  readFile(
    principal: Principal,
    id: string,
    path: string,
  ): Promise<{ readonly size: number; readonly body: Readable } | undefined>;
  /** Notes that a run has used the version. */
  use(
    principal: Principal,
    id: string,
    by: {
      readonly entityName: string;
      readonly projectName: string;
      readonly runName: string;
      readonly usedAs: string | null;
    },
  ): Promise<ArtifactRecord>;
  /** What is undefined stays. `aliases`: all that it shall have in its own collection. */
  update(
    principal: Principal,
    id: string,
    change: {
      readonly description?: string | null;
      readonly metadata?: string | null;
      readonly ttlSeconds?: number | null;
      readonly tagsToAdd: readonly string[];
      readonly tagsToDelete: readonly string[];
      readonly aliases?: readonly WantedAlias[];
    },
  ): Promise<ArtifactRecord>;
  addAliases(principal: Principal, id: string, aliases: readonly AliasOfCollection[]): Promise<void>;
  deleteAliases(principal: Principal, id: string, aliases: readonly AliasOfCollection[]): Promise<void>;
  /** ARTIFACT_HAS_ALIASES unless they shall go too. */
  remove(principal: Principal, id: string, withAliases: boolean): Promise<ArtifactRecord>;
  /** Makes the version a member of a portfolio, which is made if it is not there. */
  link(
    principal: Principal,
    input: {
      readonly artifactId: string;
      readonly entityName: string;
      readonly projectName: string;
      readonly portfolioName: string;
      readonly aliases: readonly string[];
    },
  ): Promise<ArtifactMemberRecord>;
  unlink(principal: Principal, artifactId: string, portfolioId: string): Promise<void>;
}

export function createArtifactsService(context: ServiceContext): ArtifactsService {
  const { database, clock, newId, files } = context;
  const { kysely } = database;
  const access = createArtifactAccess(kysely, files);
  const parts = createArtifactParts(newId);

  return {
    ...createArtifactWriting(context, access, parts),
    ...createArtifactChanges(context, access, parts),

    async ofClient(principal, clientId) {
      for (const id of await artifactIdsOfClient(kysely, clientId)) {
        const artifact = await access.readable(principal, id);
        if (artifact && artifact.state !== "DELETED") return artifact;
      }
      return undefined;
    },

    get: (principal, id) => access.readable(principal, id),
    mustWrite: (principal, id) => access.writable(principal, id),

    async resolve(principal, { projectId, name }) {
      const member = await access.lookup(projectId, name);
      const artifact = member && (await access.readable(principal, member.artifactId));
      return member && artifact && { member, artifact };
    },

    async readFile(principal, id, path) {
      const artifact = await access.readable(principal, id);
      if (!artifact) return undefined;
      const file = (await listFiles(kysely, { artifactId: id, names: [path], after: null, limit: 1 }))[0];
      const blob = file && (await findBlob(kysely, file.projectId, file.digest));
      return blob && { size: blob.size, body: files.stream(blob.file) };
    },

    async use(principal, id, { entityName, projectName, runName, usedAs }) {
      const artifact = await access.readable(principal, id);
      if (!artifact) throw notFound(id);
      const project = await access.projectToWrite(principal, { entityName, projectName, runName });
      const run = await findRun(kysely, { projectId: project.id, name: runName });
      if (!run) {
        throw new SlipwayError("RUN_NOT_FOUND", { values: { run: runName, project: projectName, entity: entityName } });
      }
      await database.transaction(clock, (tx) => parts.noteRun(tx, artifact.id, run.id, "input", usedAs));
      return artifact;
    },
  };
}
