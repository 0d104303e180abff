import type { Readable } from "node:stream";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import {
  type ArtifactCollectionRecord,
  type ArtifactMemberRecord,
  deleteAliases,
  deleteMembers,
  findCollection,
  insertCollection,
  insertMember,
  listAliases,
  listMembers,
  setAlias,
  takeVersion,
} from "../../store/artifact-collections.ts";
import {
  type ArtifactManifestRecord,
  findBlob,
  findManifest,
  insertFiles,
  insertManifest,
  listFiles,
  receivedManifest,
  setManifestDigest,
  useBlobs,
} from "../../store/artifact-content.ts";
import {
  type ArtifactRecord,
  commitArtifact,
  findArtifact,
  findArtifactOfClient,
  findCommittedByDigest,
  insertArtifact,
  insertArtifactRun,
  markDeleted,
  updateArtifact,
  type WantedAlias,
} from "../../store/artifacts.ts";
import type { Tx } from "../../store/database.ts";
import { findRun } from "../../store/runs.ts";
import { createArtifactAccess, notFound } from "./artifact-access.ts";
import { parseManifest } from "./artifact-manifest.ts";
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
    input: { readonly artifactId: string; readonly digest: string; readonly kind: string },
  ): Promise<ArtifactManifestRecord>;
  setManifestDigest(principal: Principal, id: string, digest: string): Promise<ArtifactManifestRecord>;
  /** Makes a PENDING version the next of its collection. ARTIFACT_INCOMPLETE if not all of its files have arrived. */
  commit(principal: Principal, id: string): Promise<ArtifactRecord>;
  get(principal: Principal, id: string): Promise<ArtifactRecord | undefined>;
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

/** Where the bytes of a manifest lie. */
export const manifestFile = (id: string) => `artifacts/manifests/${id}`;

const NAME = /^[\w.\- ]{1,128}$/;
/** A manifest of half a million files. */
const MANIFEST_BYTES = 256 * 1024 * 1024;

/** Somebody else has committed it meanwhile. */
class Raced extends Error {}

export function createArtifactsService(context: ServiceContext): ArtifactsService {
  const { database, clock, newId, files } = context;
  const { kysely } = database;
  const access = createArtifactAccess(kysely, files);

  async function setAliases(tx: Tx, artifact: ArtifactRecord, aliases: readonly WantedAlias[]): Promise<void> {
    for (const { collectionName, alias } of aliases) {
      if (collectionName !== artifact.collectionName) continue;
      const { collectionId, id: artifactId } = artifact;
      await setAlias(tx.kysely, { id: newId(), collectionId, alias: checkedAlias(alias), artifactId });
    }
  }

  /** A collection of the project to put aliases in: the version must be a member of it. */
  async function collectionOf(principal: Principal, artifact: ArtifactRecord, alias: AliasOfCollection) {
    const { entityName, projectName, collectionName } = alias;
    const name = `${entityName}/${projectName}/${collectionName}`;
    // The artifact's own project is writable already; a portfolio may lie in another.
    const run = principal.run === null ? null : principal.run.runName;
    const project = await access.projectToWrite(principal, { entityName, projectName, runName: run });
    const collection = await findCollection(kysely, { projectId: project.id, name: collectionName });
    if (!collection) throw notFound(name);
    const members = await listMembers(kysely, { artifactId: artifact.id, collectionId: collection.id });
    if (members.length === 0) throw notFound(`${name} with the version ${artifact.collectionName}`);
    return collection;
  }

  async function complete(artifact: ArtifactRecord) {
    const name = artifact.collectionName;
    const refuse = (problem: string) => new SlipwayError("ARTIFACT_INCOMPLETE", { values: { name, problem } });
    const manifest = await receivedManifest(kysely, artifact.id);
    if (!manifest) throw refuse("its manifest has not arrived");
    const size = (await files.size(manifestFile(manifest.id))) ?? 0;
    if (size > MANIFEST_BYTES) throw refuse(`its manifest is larger than ${MANIFEST_BYTES} bytes`);
    const text = (await files.read(manifestFile(manifest.id), 0, size)).toString("utf8");
    const entries = parseManifest(text, name);
    const own = entries.filter((entry) => !entry.ref);
    const digests = [...new Set(own.map((entry) => entry.digest))];
    const there = await useBlobs(kysely, artifact.projectId, digests, clock.now());
    const missing = own.filter((entry) => !there.has(entry.digest));
    if (missing.length > 0) {
      const some = missing.slice(0, 3).map((entry) => entry.name);
      const more = missing.length > some.length ? ` and ${missing.length - some.length} more` : "";
      throw refuse(`${some.join(", ")}${more} did not arrive`);
    }
    return { manifest, entries, own };
  }

  const service: ArtifactsService = {
    async create(principal, input) {
      checkName(input.collectionName, "artifactCollectionName");
      checkName(input.typeName, "artifactTypeName");
      for (const { alias } of input.aliases) checkedAlias(alias);
      const { entityName, projectName, runName } = input;
      const project = await access.projectToWrite(principal, { entityName, projectName, runName });
      const projectId = project.id;
      const run = runName === null ? undefined : await findRun(kysely, { projectId, name: runName });
      return database.transaction(clock, async (tx) => {
        if (input.clientId !== null) {
          const known = await findArtifactOfClient(tx.kysely, projectId, input.clientId);
          if (known && (principal.run === null || known.runId === run?.id)) return known;
          if (known) throw notFound(input.collectionName);
        }
        const collection = await sequence(tx, projectId, input);
        const same = await findCommittedByDigest(tx.kysely, collection.id, input.digest);
        if (same) {
          await setAliases(tx, same, input.aliases);
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
          wantedAliases: input.aliases,
          manifestId: null,
          runId: run?.id ?? null,
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
      const { manifest, entries, own } = await complete(artifact);
      const size = entries.reduce((sum, entry) => sum + entry.size, 0);
      try {
        await database.transaction(clock, async (tx) => {
          const versionIndex = await takeVersion(tx.kysely, artifact.collectionId, tx.now);
          const values = { versionIndex, manifestId: manifest.id, size, fileCount: entries.length, updatedAt: tx.now };
          if (!(await commitArtifact(tx.kysely, id, values))) throw new Raced();
          const rows = own.map((entry) => ({
            artifactId: id,
            name: entry.name,
            digest: entry.digest,
            size: entry.size,
            projectId: artifact.projectId,
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
      await database.transaction(clock, (tx) => noteRun(tx, id, run.id, "input", usedAs));
      return artifact;
    },

    async update(principal, id, { tagsToAdd, tagsToDelete, aliases, ...change }) {
      const artifact = await access.writable(principal, id);
      const tags = [...new Set([...artifact.tags, ...tagsToAdd])].filter((tag) => !tagsToDelete.includes(tag));
      await database.transaction(clock, async (tx) => {
        await updateArtifact(tx.kysely, id, { ...change, tags: JSON.stringify(tags), updatedAt: tx.now });
        if (aliases === undefined) return;
        await deleteAliases(tx.kysely, { artifactId: id, collectionId: artifact.collectionId });
        await setAliases(tx, artifact, aliases);
      });
      return (await findArtifact(kysely, id)) ?? artifact;
    },

    async addAliases(principal, id, aliases) {
      const artifact = await access.writable(principal, id);
      for (const alias of aliases) {
        const collection = await collectionOf(principal, artifact, alias);
        const row = { id: newId(), collectionId: collection.id, alias: checkedAlias(alias.alias), artifactId: id };
        await setAlias(kysely, row);
      }
    },

    async deleteAliases(principal, id, aliases) {
      const artifact = await access.writable(principal, id);
      for (const alias of aliases) {
        const collection = await collectionOf(principal, artifact, alias);
        await deleteAliases(kysely, { artifactId: id, collectionId: collection.id, aliases: [alias.alias] });
      }
    },

    async remove(principal, id, withAliases) {
      const artifact = await access.writable(principal, id);
      const aliases = await listAliases(kysely, { artifactId: id });
      if (aliases.length > 0 && !withAliases) {
        const name = `${artifact.collectionName}:v${artifact.versionIndex}`;
        const list = aliases.map(({ alias }) => alias).join(", ");
        throw new SlipwayError("ARTIFACT_HAS_ALIASES", { values: { name, aliases: list } });
      }
      await database.transaction(clock, (tx) => markDeleted(tx.kysely, [id], tx.now));
      return { ...artifact, state: "DELETED" };
    },

    async link(principal, { artifactId, entityName, projectName, portfolioName, aliases }) {
      checkName(portfolioName, "artifactPortfolioName");
      const artifact = await access.readable(principal, artifactId);
      if (artifact?.state !== "COMMITTED") throw notFound(artifactId);
      const run = principal.run === null ? null : principal.run.runName;
      const project = await access.projectToWrite(principal, { entityName, projectName, runName: run });
      return database.transaction(clock, async (tx) => {
        const collection = await collectionNamed(tx, {
          projectId: project.id,
          name: portfolioName,
          kind: "PORTFOLIO",
          typeName: artifact.typeName,
        });
        const of = { artifactId, collectionId: collection.id };
        if ((await listMembers(tx.kysely, of)).length === 0) {
          const versionIndex = await takeVersion(tx.kysely, collection.id, tx.now);
          await insertMember(tx.kysely, { id: newId(), ...of, versionIndex, createdAt: tx.now });
        }
        for (const alias of new Set([...aliases, "latest"])) {
          await setAlias(tx.kysely, { id: newId(), ...of, alias: checkedAlias(alias) });
        }
        const [member] = await listMembers(tx.kysely, of);
        if (!member) throw new Error("a member that was just made is gone");
        return member;
      });
    },

    async unlink(principal, artifactId, portfolioId) {
      const collection = await findCollection(kysely, { id: portfolioId });
      if (!collection) throw notFound(portfolioId);
      const artifact = await access.readable(principal, artifactId);
      if (!artifact) throw notFound(artifactId);
      if (collection.kind !== "PORTFOLIO") {
        const problem = `${collection.name} is where the version was logged; delete the version instead`;
        throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "artifactPortfolioID" });
      }
      await access.writable(principal, artifactId);
      await database.transaction(clock, async (tx) => {
        await deleteAliases(tx.kysely, { artifactId, collectionId: collection.id });
        await deleteMembers(tx.kysely, { artifactId, collectionId: collection.id });
      });
    },
  };

  function sequence(tx: Tx, projectId: string, { collectionName, typeName }: NewArtifact) {
    return collectionNamed(tx, { projectId, name: collectionName, kind: "SEQUENCE", typeName });
  }

  /** The collection of the name, made if it is not there; INPUT_INVALID if it is there for something else. */
  async function collectionNamed(
    tx: Tx,
    of: Pick<ArtifactCollectionRecord, "projectId" | "name" | "kind" | "typeName">,
  ): Promise<ArtifactCollectionRecord> {
    await insertCollection(tx.kysely, { id: newId(), ...of, createdAt: tx.now });
    const found = await findCollection(tx.kysely, of);
    if (!found) throw new Error("a collection that was just made is gone");
    if (found.typeName !== of.typeName || found.kind !== of.kind) {
      const is = found.kind === of.kind ? `has the type ${found.typeName}, not ${of.typeName}` : kindOf(found);
      const problem = `${of.name} ${is}`;
      throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "artifactCollectionName" });
    }
    return found;
  }

  async function noteRun(
    tx: Tx,
    artifactId: string,
    runId: string | null | undefined,
    direction: "input" | "output",
    usedAs: string | null,
  ): Promise<void> {
    if (!runId) return;
    await insertArtifactRun(tx.kysely, { artifactId, runId, direction, usedAs, createdAt: tx.now });
  }

  return service;
}

const kindOf = ({ kind }: ArtifactCollectionRecord) =>
  kind === "PORTFOLIO"
    ? "is a portfolio: versions are linked to it, not logged"
    : "is logged by runs: link to another name";

function checkName(name: string, where: string): void {
  if (NAME.test(name)) return;
  const problem = `${JSON.stringify(name)} can't be a name; it has 1 to 128 letters, digits, and any of _ - . and space`;
  throw new SlipwayError("INPUT_INVALID", { values: { problem }, where });
}

/** An alias; those that look like a version's number would hide it. */
function checkedAlias(alias: string): string {
  const bad = alias === "" || alias.length > 128 || /[/:\p{Cc}]/u.test(alias) || /^v\d+$/.test(alias);
  if (!bad) return alias;
  const problem = `${JSON.stringify(alias)} can't be an alias; it has 1 to 128 characters, none of / and :, and does not look like v3`;
  throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "aliases" });
}
