import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import {
  type ArtifactAliasRecord,
  type ArtifactCollectionRecord,
  type ArtifactMemberRecord,
  type ArtifactTypeRecord,
  deleteCollection,
  findCollection,
  findMember,
  insertType,
  listAliases,
  listCollectionMembers,
  listCollections,
  listMembers,
  listTypes,
  updateCollection,
} from "../../../store/artifact-collections.ts";
import { listFiles, type StoredArtifactFile } from "../../../store/artifact-content.ts";
import {
  type ArtifactRecord,
  artifactIdsOf,
  artifactsOfRun,
  findArtifacts,
  markDeleted,
  runIdsOfArtifact,
} from "../../../store/artifacts.ts";
import { findProject } from "../../../store/projects.ts";
import type { ProjectRecord, RunRecord } from "../../../store/records.ts";
import { findRunsByIds } from "../../../store/runs.ts";
import { maySee, requireRole } from "../authorize.ts";
import type { ServiceContext } from "../context.ts";
import { pageSize } from "../page.ts";
import type { Principal } from "../principal.ts";
import { createArtifactAccess, notFound } from "./access.ts";
import { checkName } from "./parts.ts";

export interface ListPage<T> {
  readonly nodes: readonly T[];
  readonly total: number;
  readonly endCursor: string | null;
  readonly hasNextPage: boolean;
}

export interface PageQuery {
  readonly first: number | null;
  readonly after: string | null;
}

export interface ArtifactInCollection {
  readonly member: ArtifactMemberRecord;
  readonly artifact: ArtifactRecord;
}

/** Collections, and everything about artifacts that comes in lists. A job's key sees its own run's and those it declared. */
export interface ArtifactListsService {
  collection(
    principal: Principal,
    by: { readonly id: string } | { readonly projectId: string; readonly name: string },
  ): Promise<ArtifactCollectionRecord | undefined>;
  collections(
    principal: Principal,
    project: ProjectRecord,
    query: PageQuery & { readonly typeName: string | null },
  ): Promise<ListPage<ArtifactCollectionRecord>>;
  types(principal: Principal, project: ProjectRecord): Promise<readonly ArtifactTypeRecord[]>;
  /** A type of its own, before any collection has it. PROJECT_NOT_FOUND, FORBIDDEN, INPUT_INVALID. */
  createType(
    principal: Principal,
    type: {
      readonly entityName: string;
      readonly projectName: string;
      readonly name: string;
      readonly description: string | null;
    },
  ): Promise<ArtifactTypeRecord & { readonly project: ProjectRecord }>;
  /** Newest first. */
  versions(
    principal: Principal,
    collection: ArtifactCollectionRecord,
    query: PageQuery,
  ): Promise<ListPage<ArtifactInCollection>>;
  newest(principal: Principal, collection: ArtifactCollectionRecord): Promise<ArtifactRecord | undefined>;
  /** The version of an alias or of vN. */
  member(
    principal: Principal,
    collection: ArtifactCollectionRecord,
    alias: string,
  ): Promise<ArtifactInCollection | undefined>;
  members(principal: Principal, artifact: ArtifactRecord): Promise<readonly ArtifactInCollection[]>;
  aliases(of: {
    readonly artifactId?: string;
    readonly collectionId?: string;
  }): Promise<readonly ArtifactAliasRecord[]>;
  /** By name. References are not among them: their content is elsewhere. */
  files(
    principal: Principal,
    artifact: ArtifactRecord,
    query: PageQuery & { readonly names: readonly string[] | null },
  ): Promise<ListPage<StoredArtifactFile>>;
  ofRun(
    principal: Principal,
    run: RunRecord,
    direction: "input" | "output",
    query: PageQuery,
  ): Promise<ListPage<ArtifactRecord>>;
  runs(principal: Principal, artifact: ArtifactRecord, direction: "input" | "output"): Promise<readonly RunRecord[]>;
  /** ARTIFACT_NOT_FOUND, FORBIDDEN, NAME_INVALID. */
  updateCollection(
    principal: Principal,
    id: string,
    change: {
      readonly name?: string;
      readonly description?: string | null;
      readonly typeName?: string;
      readonly tags?: (tags: readonly string[]) => readonly string[];
    },
  ): Promise<ArtifactCollectionRecord>;
  /** Deletes the collection, and the versions that were logged to it. */
  removeCollection(principal: Principal, id: string): Promise<ArtifactCollectionRecord>;
}

const MAX_PAGE = 1000;
/** The client asks for 5000 addresses of files at once. */
const MAX_FILES = 5000;

export function createArtifactListsService(context: ServiceContext): ArtifactListsService {
  const { database, clock, files } = context;
  const { kysely } = database;
  const access = createArtifactAccess(kysely, files);

  const inCollection = async (principal: Principal, member: ArtifactMemberRecord | undefined) => {
    const artifact = member && (await access.readable(principal, member.artifactId));
    return member && artifact && { member, artifact };
  };

  async function visible(principal: Principal, collection: ArtifactCollectionRecord | undefined) {
    return collection && (await access.seesCollection(principal, collection)) ? collection : undefined;
  }

  async function toWrite(principal: Principal, id: string): Promise<ArtifactCollectionRecord> {
    const collection = await visible(principal, await findCollection(kysely, { id }));
    const project = collection && (await findProject(kysely, { id: collection.projectId }));
    if (!collection || !project) throw notFound(id);
    const entity = { id: project.entityId, name: project.entityName };
    requireRole(principal, entity, "MEMBER", "change collections of artifacts");
    return collection;
  }

  return {
    collection: async (principal, by) => visible(principal, await findCollection(kysely, by)),

    async collections(principal, project, { first, after, typeName }) {
      if (!maySee(principal, project.entityId)) return { nodes: [], total: 0, endCursor: null, hasNextPage: false };
      const limit = pageSize(first, MAX_PAGE);
      const query = { projectId: project.id, typeName, after, limit: limit + 1 };
      const { collections, total } = await listCollections(kysely, query);
      const nodes = collections.slice(0, limit);
      return { nodes, total, endCursor: nodes.at(-1)?.name ?? null, hasNextPage: collections.length > limit };
    },

    types: async (principal, project) => (maySee(principal, project.entityId) ? listTypes(kysely, project.id) : []),

    async createType(principal, { entityName, projectName, name, description }) {
      checkName(name, "name");
      const project = await access.projectToWrite(principal, { entityName, projectName, runName: null });
      await insertType(kysely, { projectId: project.id, name, description, createdAt: clock.now() });
      const made = (await listTypes(kysely, project.id)).find((type) => type.name === name);
      if (!made) throw new Error("a type that was just made is gone");
      return { ...made, project };
    },

    async versions(principal, collection, { first, after }) {
      const limit = pageSize(first, MAX_PAGE);
      const before = after === null ? null : Number(after);
      if (before !== null && !Number.isSafeInteger(before)) {
        throw new SlipwayError("INPUT_INVALID", { values: { problem: `${after} is no cursor` }, where: "after" });
      }
      const query = { collectionId: collection.id, before, limit: limit + 1 };
      const { members, total } = await listCollectionMembers(kysely, query);
      const page = members.slice(0, limit);
      // A job's key may read some of them and not others; for everybody else the collection has told already.
      const found =
        principal.run === null
          ? await findArtifacts(
              kysely,
              page.map((member) => member.artifactId),
            )
          : (await Promise.all(page.map((member) => access.readable(principal, member.artifactId)))).flatMap(
              (one) => one ?? [],
            );
      const byId = new Map(found.map((artifact) => [artifact.id, artifact]));
      const nodes = page.flatMap((member) => {
        const artifact = byId.get(member.artifactId);
        return artifact ? [{ member, artifact }] : [];
      });
      const last = page.at(-1)?.versionIndex;
      return { nodes, total, endCursor: last === undefined ? null : String(last), hasNextPage: members.length > limit };
    },

    async newest(principal, collection) {
      const member = await findMember(kysely, collection.id, "newest");
      return member && access.readable(principal, member.artifactId);
    },

    async member(principal, collection, alias) {
      const version = /^v(\d+)$/.exec(alias)?.[1];
      const by = version === undefined ? { alias } : { versionIndex: Number(version) };
      return inCollection(principal, await findMember(kysely, collection.id, by));
    },

    async members(_principal, artifact) {
      return (await listMembers(kysely, { artifactId: artifact.id })).map((member) => ({ member, artifact }));
    },

    aliases: (of) => listAliases(kysely, of),

    async files(principal, artifact, { names, first, after }) {
      if (!(await access.readable(principal, artifact.id))) throw notFound(artifact.collectionName);
      const limit = pageSize(first, MAX_FILES);
      const query = { artifactId: artifact.id, names, after, limit: limit + 1 };
      const found = await listFiles(kysely, query);
      const nodes = found.slice(0, limit);
      const total = names === null ? artifact.fileCount : found.length;
      return { nodes, total, endCursor: nodes.at(-1)?.name ?? null, hasNextPage: found.length > limit };
    },

    async ofRun(principal, run, direction, { first, after }) {
      const limit = pageSize(first, MAX_PAGE);
      const { artifacts, total } = await artifactsOfRun(kysely, { runId: run.id, direction, after, limit: limit + 1 });
      const page = artifacts.slice(0, limit);
      const may = await Promise.all(page.map((artifact) => access.readable(principal, artifact.id)));
      const nodes = may.flatMap((artifact) => artifact ?? []);
      return { nodes, total, endCursor: page.at(-1)?.id ?? null, hasNextPage: artifacts.length > limit };
    },

    async runs(principal, artifact, direction) {
      const runs = await findRunsByIds(kysely, await runIdsOfArtifact(kysely, artifact.id, direction));
      const { run: own } = principal;
      if (own === null) return runs.filter((run) => maySee(principal, run.entityId));
      return runs.filter(
        (run) => run.entityId === own.entityId && run.projectName === own.projectName && run.name === own.runName,
      );
    },

    async updateCollection(principal, id, { tags, ...change }) {
      const collection = await toWrite(principal, id);
      if (change.name !== undefined && change.name !== collection.name) {
        if (!/^[\w.\- ]{1,128}$/.test(change.name)) {
          const problem = `${JSON.stringify(change.name)} can't be a name; it has 1 to 128 letters, digits, and any of _ - . and space`;
          throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "name" });
        }
        const taken = await findCollection(kysely, { projectId: collection.projectId, name: change.name });
        if (taken) {
          const problem = `the project has a collection ${change.name} already`;
          throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "name" });
        }
      }
      await database.transaction(clock, (tx) =>
        updateCollection(tx.kysely, id, {
          ...change,
          ...(tags === undefined ? {} : { tags: JSON.stringify(tags(collection.tags)) }),
          updatedAt: tx.now,
        }),
      );
      return (await findCollection(kysely, { id })) ?? collection;
    },

    async removeCollection(principal, id) {
      const collection = await toWrite(principal, id);
      await database.transaction(clock, async (tx) => {
        if (collection.kind === "SEQUENCE") await markDeleted(tx.kysely, await artifactIdsOf(tx.kysely, id), tx.now);
        await deleteCollection(tx.kysely, id);
      });
      return collection;
    },
  };
}
