import type { ArtifactAliasRecord, ArtifactCollectionRecord } from "../../../store/artifact-collections.ts";
import type { StoredArtifactFile } from "../../../store/artifact-content.ts";
import type { ArtifactRecord } from "../../../store/artifacts.ts";
import type { ProjectRecord, RunRecord } from "../../../store/records.ts";
import { mimeType } from "../../mime-types.ts";
import type { ArtifactInCollection, ListPage } from "../../services/artifact-lists.ts";
import { builder } from "../builder.ts";
import type { GraphqlContext } from "../context.ts";
import { globalId, keyOf, requireKey } from "../ids.ts";
import { Project, Run } from "../refs.ts";
import { FileConnection, type FileView } from "./file.ts";
import { refuseListOptions } from "./list-options.ts";
import { PageInfo } from "./page-info.ts";

/** What the client reads of artifacts. */

export const ArtifactState = builder.enumType("ArtifactState", {
  values: ["PENDING", "COMMITTED", "DELETED"] as const,
});
export const ArtifactDigestAlgorithm = builder.enumType("ArtifactDigestAlgorithm", {
  values: ["MANIFEST_MD5", "MANIFEST_XXH128"] as const,
});
const ArtifactCollectionState = builder.enumType("ArtifactCollectionState", { values: ["READY", "DELETED"] as const });

interface ArtifactTypeOf {
  readonly project: ProjectRecord;
  readonly name: string;
  readonly createdAt: number;
}

export const Artifact = builder.objectRef<ArtifactRecord>("Artifact");
export const ArtifactType = builder.objectRef<ArtifactTypeOf>("ArtifactType");
export const ArtifactCollection = builder.interfaceRef<ArtifactCollectionRecord>("ArtifactCollection");
export const ArtifactSequence = builder.objectRef<ArtifactCollectionRecord>("ArtifactSequence");
const ArtifactPortfolio = builder.objectRef<ArtifactCollectionRecord>("ArtifactPortfolio");
export const ArtifactCollectionMembership = builder.objectRef<ArtifactInCollection>("ArtifactCollectionMembership");
const ArtifactAlias = builder.objectRef<ArtifactAliasRecord>("ArtifactAlias");

/** A version has no description of its own for -1: the client's word for "as its collection", and for no limit. */
const TTL_INHERITED = -1;

export const Tag = builder.objectRef<string>("Tag").implement({
  fields: (t) => ({
    id: t.id({ resolve: (name) => globalId("Tag", name) }),
    name: t.string({ resolve: (name) => name }),
  }),
});

const TagEdge = builder
  .objectRef<string>("TagEdge")
  .implement({ fields: (t) => ({ node: t.field({ type: Tag, resolve: (name) => name }) }) });

const TagConnection = builder.objectRef<readonly string[]>("TagConnection").implement({
  fields: (t) => ({ edges: t.field({ type: [TagEdge], resolve: (tags) => [...tags] }) }),
});

ArtifactAlias.implement({
  fields: (t) => ({
    id: t.id({ resolve: ({ id }) => globalId("ArtifactAlias", id) }),
    alias: t.exposeString("alias"),
    artifactCollection: t.field({
      type: ArtifactCollection,
      nullable: true,
      resolve: ({ collectionId }, _args, { services, viewer }) =>
        services.artifactLists.collection(viewer, { id: collectionId }),
    }),
  }),
});

const ArtifactAliasEdge = builder.objectRef<ArtifactAliasRecord>("ArtifactAliasEdge").implement({
  fields: (t) => ({ node: t.field({ type: ArtifactAlias, nullable: true, resolve: (alias) => alias }) }),
});

const ArtifactAliasConnection = builder.objectRef<readonly ArtifactAliasRecord[]>("ArtifactAliasConnection").implement({
  fields: (t) => ({
    edges: t.field({ type: [ArtifactAliasEdge], resolve: (aliases) => [...aliases] }),
    pageInfo: t.field({ type: PageInfo, resolve: () => ({ endCursor: null, hasNextPage: false }) }),
  }),
});

const fileView = (file: StoredArtifactFile): FileView => {
  const download = ({ artifactTransfers, baseUrl }: GraphqlContext) => artifactTransfers.contentUrl(file, baseUrl);
  return {
    id: globalId("ArtifactFile", `${file.artifactId}:${file.name}`),
    name: file.name,
    size: file.size,
    md5: file.digest,
    mimetype: mimeType(file.name),
    // The content of a version never changes.
    updatedAt: null,
    storagePath: Buffer.from(file.digest, "base64").toString("hex"),
    downloadUrl: download,
    uploadUrl: async () => null,
  };
};

export const ArtifactManifestFile = builder
  .objectRef<{ readonly id: string; readonly digest: string }>("ArtifactManifestFile")
  .implement({
    fields: (t) => ({
      id: t.id({ resolve: ({ id }) => globalId("ArtifactManifest", id) }),
      directUrl: t.string({
        resolve: ({ id }, _args, { artifactTransfers, baseUrl }) => artifactTransfers.manifestUrl(id, baseUrl),
      }),
      uploadUrl: t.string({
        nullable: true,
        description: "Null while the digest is not known.",
        resolve: (manifest, _args, { artifactTransfers, baseUrl }) =>
          manifest.digest === "" ? null : artifactTransfers.manifestUpload(manifest, baseUrl),
      }),
      uploadHeaders: t.stringList({ resolve: () => [] }),
    }),
  });

export const ArtifactManifest = builder
  .objectRef<{ readonly id: string; readonly digest: string }>("ArtifactManifest")
  .implement({
    fields: (t) => ({
      id: t.id({ resolve: ({ id }) => globalId("ArtifactManifest", id) }),
      file: t.field({ type: ArtifactManifestFile, resolve: (manifest) => manifest }),
    }),
  });

const RunEdge = builder
  .objectRef<RunRecord>("ArtifactRunEdge")
  .implement({ fields: (t) => ({ node: t.field({ type: Run, resolve: (run) => run }) }) });

const RunsOfArtifact = builder
  .objectRef<readonly RunRecord[]>("ArtifactRunConnection")
  .implement({ fields: (t) => ({ edges: t.field({ type: [RunEdge], resolve: (runs) => [...runs] }) }) });

const ArtifactCreator = builder.unionType("ArtifactCreator", { types: [Run], resolveType: () => Run });

const MembershipEdge = builder
  .objectRef<ArtifactInCollection>("ArtifactCollectionMembershipEdge")
  .implement({ fields: (t) => ({ node: t.field({ type: ArtifactCollectionMembership, resolve: (one) => one }) }) });

const MembershipConnection = builder
  .objectRef<readonly ArtifactInCollection[]>("ArtifactCollectionMembershipConnection")
  .implement({ fields: (t) => ({ edges: t.field({ type: [MembershipEdge], resolve: (all) => [...all] }) }) });

async function filesOf(
  artifact: ArtifactRecord,
  query: {
    names?: readonly string[] | null | undefined;
    first?: number | null | undefined;
    after?: string | null | undefined;
  },
  { services, viewer }: GraphqlContext,
) {
  const { names, first, after } = query;
  const page = await services.artifactLists.files(viewer, artifact, {
    names: names ?? null,
    first: first ?? null,
    after: after ?? null,
  });
  return { ...page, nodes: page.nodes.map(fileView) };
}

Artifact.implement({
  fields: (t) => ({
    id: t.id({ resolve: ({ id }) => globalId("Artifact", id) }),
    artifactSequence: t.field({
      type: ArtifactSequence,
      resolve: async (artifact) => sequenceOf(artifact),
    }),
    versionIndex: t.exposeInt("versionIndex", { nullable: true }),
    artifactType: t.field({
      type: ArtifactType,
      resolve: async ({ projectId, typeName, createdAt }, _args, { services, viewer }) => {
        const project = await services.projects.byId(viewer, projectId);
        // A job's key reads an artifact of a project that it does not see otherwise: only the type's name is told.
        return { project: project ?? ({ id: projectId } as ProjectRecord), name: typeName, createdAt };
      },
    }),
    description: t.exposeString("description", { nullable: true }),
    metadata: t.expose("metadata", { type: "JSONString", nullable: true }),
    ttlDurationSeconds: t.field({ type: "Int64", resolve: ({ ttlSeconds }) => ttlSeconds ?? TTL_INHERITED }),
    ttlIsInherited: t.boolean({ resolve: ({ ttlSeconds }) => ttlSeconds === null }),
    tags: t.field({ type: [Tag], resolve: ({ tags }) => [...tags] }),
    historyStep: t.field({ type: "Int64", nullable: true, resolve: ({ historyStep }) => historyStep }),
    state: t.expose("state", { type: ArtifactState }),
    size: t.field({ type: "Int64", resolve: ({ size }) => size }),
    digest: t.exposeString("digest"),
    digestAlgorithm: t.field({
      type: ArtifactDigestAlgorithm,
      nullable: true,
      resolve: ({ digestAlgorithm }) => digestAlgorithm as "MANIFEST_MD5" | "MANIFEST_XXH128",
    }),
    commitHash: t.string({
      nullable: true,
      description: "Null: a version is told by its number and its digest.",
      resolve: () => null,
    }),
    fileCount: t.field({ type: "Int64", resolve: ({ fileCount }) => fileCount }),
    createdAt: t.expose("createdAt", { type: "DateTime" }),
    updatedAt: t.expose("updatedAt", { type: "DateTime", nullable: true }),
    aliases: t.field({
      type: [ArtifactAlias],
      resolve: async ({ id }, _args, { services }) => [...(await services.artifactLists.aliases({ artifactId: id }))],
    }),
    currentManifest: t.field({
      type: ArtifactManifest,
      nullable: true,
      resolve: ({ manifestId }) => (manifestId === null ? null : { id: manifestId, digest: "" }),
    }),
    files: t.field({
      type: FileConnection,
      nullable: true,
      args: { names: t.arg.stringList(), first: t.arg.int(), after: t.arg.string() },
      resolve: (artifact, query, context) => filesOf(artifact, query, context),
    }),
    usedBy: t.field({
      type: RunsOfArtifact,
      resolve: (artifact, _args, { services, viewer }) => services.artifactLists.runs(viewer, artifact, "input"),
    }),
    createdBy: t.field({
      type: ArtifactCreator,
      nullable: true,
      resolve: async (artifact, _args, { services, viewer }) =>
        (await services.artifactLists.runs(viewer, artifact, "output"))[0] ?? null,
    }),
    artifactMemberships: t.field({
      type: MembershipConnection,
      resolve: (artifact, _args, { services, viewer }) => services.artifactLists.members(viewer, artifact),
    }),
  }),
});

/** The collection in which a version was logged, as its own row tells it. */
const sequenceOf = (artifact: ArtifactRecord): ArtifactCollectionRecord => ({
  id: artifact.collectionId,
  projectId: artifact.projectId,
  name: artifact.collectionName,
  kind: "SEQUENCE",
  typeName: artifact.typeName,
  description: null,
  tags: [],
  createdAt: artifact.createdAt,
  updatedAt: artifact.updatedAt,
});

ArtifactCollectionMembership.implement({
  fields: (t) => ({
    id: t.id({ resolve: ({ member }) => globalId("ArtifactMember", member.id) }),
    versionIndex: t.int({ nullable: true, resolve: ({ member }) => member.versionIndex }),
    createdAt: t.field({ type: "DateTime", resolve: ({ member }) => member.createdAt }),
    aliases: t.field({
      type: [ArtifactAlias],
      resolve: async ({ member }, _args, { services }) => {
        const { artifactId, collectionId } = member;
        return [...(await services.artifactLists.aliases({ artifactId, collectionId }))];
      },
    }),
    artifactCollection: t.field({
      type: ArtifactCollection,
      nullable: true,
      resolve: ({ member, artifact }, _args, { services, viewer }) =>
        member.collectionId === artifact.collectionId
          ? sequenceOf(artifact)
          : services.artifactLists.collection(viewer, { id: member.collectionId }),
    }),
    artifact: t.field({ type: Artifact, nullable: true, resolve: ({ artifact }) => artifact }),
    files: t.field({
      type: FileConnection,
      nullable: true,
      args: { names: t.arg.stringList(), first: t.arg.int(), after: t.arg.string() },
      resolve: ({ artifact }, query, context) => filesOf(artifact, query, context),
    }),
  }),
});

const ArtifactVersionEdge = builder.objectRef<ArtifactInCollection>("ArtifactVersionEdge").implement({
  fields: (t) => ({
    version: t.string({ resolve: ({ member }) => `v${member.versionIndex}` }),
    node: t.field({ type: Artifact, resolve: ({ artifact }) => artifact }),
  }),
});

const ArtifactVersionConnection = builder
  .objectRef<ListPage<ArtifactInCollection>>("VersionedArtifactConnection")
  .implement({
    fields: (t) => ({
      totalCount: t.exposeInt("total"),
      pageInfo: t.field({ type: PageInfo, resolve: (page) => page }),
      edges: t.field({ type: [ArtifactVersionEdge], resolve: ({ nodes }) => [...nodes] }),
    }),
  });

ArtifactCollection.implement({
  resolveType: ({ kind }) => (kind === "PORTFOLIO" ? "ArtifactPortfolio" : "ArtifactSequence"),
  fields: (t) => ({
    id: t.id({ resolve: ({ id }) => globalId("ArtifactCollection", id) }),
    name: t.exposeString("name"),
    description: t.exposeString("description", { nullable: true }),
    state: t.field({
      type: ArtifactCollectionState,
      nullable: true,
      resolve: async ({ id }, _args, { services, viewer }) =>
        (await services.artifactLists.collection(viewer, { id })) ? "READY" : "DELETED",
    }),
    createdAt: t.expose("createdAt", { type: "DateTime" }),
    updatedAt: t.expose("updatedAt", { type: "DateTime", nullable: true }),
    project: t.field({
      type: Project,
      nullable: true,
      resolve: ({ projectId }, _args, { services, viewer }) => services.projects.byId(viewer, projectId),
    }),
    defaultArtifactType: t.field({
      type: ArtifactType,
      resolve: async ({ projectId, typeName, createdAt }, _args, { services, viewer }) => {
        const project = await services.projects.byId(viewer, projectId);
        return { project: project ?? ({ id: projectId } as ProjectRecord), name: typeName, createdAt };
      },
    }),
    tags: t.field({ type: TagConnection, resolve: ({ tags }) => tags }),
    aliases: t.field({
      type: ArtifactAliasConnection,
      description: "All of them, whatever is asked for.",
      args: { first: t.arg.int(), after: t.arg.string() },
      resolve: ({ id }, _args, { services }) => services.artifactLists.aliases({ collectionId: id }),
    }),
    artifactMembership: t.field({
      type: ArtifactCollectionMembership,
      nullable: true,
      args: { aliasName: t.arg.string({ required: true }) },
      resolve: (collection, { aliasName }, { services, viewer }) =>
        services.artifactLists.member(viewer, collection, aliasName),
    }),
    artifacts: t.field({
      type: ArtifactVersionConnection,
      nullable: true,
      description: 'Newest first; another order, and a filter other than {"state":"COMMITTED"}, is refused.',
      args: {
        first: t.arg.int(),
        after: t.arg.string(),
        order: t.arg.string(),
        filters: t.arg({ type: "JSONString" }),
      },
      resolve: (collection, { first, after, ...options }, { services, viewer }) => {
        // All that are listed are committed.
        refuseListOptions(options, { state: "COMMITTED" });
        return services.artifactLists.versions(viewer, collection, { first: first ?? null, after: after ?? null });
      },
    }),
  }),
});

ArtifactSequence.implement({
  interfaces: [ArtifactCollection],
  fields: (t) => ({
    latestArtifact: t.field({
      type: Artifact,
      nullable: true,
      resolve: (collection, _args, { services, viewer }) => services.artifactLists.newest(viewer, collection),
    }),
    digestAlgorithm: t.field({
      type: ArtifactDigestAlgorithm,
      nullable: true,
      resolve: () => "MANIFEST_MD5" as const,
    }),
  }),
});

ArtifactPortfolio.implement({ interfaces: [ArtifactCollection] });

const CollectionEdge = builder.objectRef<ArtifactCollectionRecord>("ArtifactCollectionEdge").implement({
  fields: (t) => ({
    node: t.field({ type: ArtifactCollection, resolve: (collection) => collection }),
    cursor: t.exposeString("name"),
  }),
});

const CollectionConnection = builder
  .objectRef<ListPage<ArtifactCollectionRecord>>("ArtifactCollectionConnection")
  .implement({
    fields: (t) => ({
      totalCount: t.exposeInt("total"),
      pageInfo: t.field({ type: PageInfo, resolve: (page) => page }),
      edges: t.field({ type: [CollectionEdge], resolve: ({ nodes }) => [...nodes] }),
    }),
  });

ArtifactType.implement({
  fields: (t) => ({
    id: t.id({ resolve: ({ project, name }) => globalId("ArtifactType", `${project.id}:${name}`) }),
    name: t.exposeString("name"),
    description: t.string({ nullable: true, description: "Null: types have none.", resolve: () => null }),
    createdAt: t.expose("createdAt", { type: "DateTime" }),
    artifactCollections: t.field({
      type: CollectionConnection,
      nullable: true,
      description: "By name; another order, and a filter, is refused.",
      args: {
        first: t.arg.int(),
        after: t.arg.string(),
        filters: t.arg({ type: "JSONString" }),
        order: t.arg.string(),
      },
      resolve: ({ project, name }, { first, after, ...options }, { services, viewer }) => {
        refuseListOptions(options);
        return services.artifactLists.collections(viewer, project, {
          typeName: name,
          first: first ?? null,
          after: after ?? null,
        });
      },
    }),
    artifactCollection: t.field({
      type: ArtifactCollection,
      nullable: true,
      args: { name: t.arg.string({ required: true }) },
      resolve: async (type, { name }, { services, viewer }) => {
        const found = await services.artifactLists.collection(viewer, { projectId: type.project.id, name });
        return found?.typeName === type.name ? found : null;
      },
    }),
    artifact: t.field({
      type: Artifact,
      nullable: true,
      args: { name: t.arg.string({ required: true }) },
      resolve: async (type, { name }, { services, viewer }) => {
        const found = await services.artifacts.resolve(viewer, { projectId: type.project.id, name });
        return found?.artifact.typeName === type.name ? found.artifact : null;
      },
    }),
  }),
});

const ArtifactTypeEdge = builder
  .objectRef<ArtifactTypeOf>("ArtifactTypeEdge")
  .implement({ fields: (t) => ({ node: t.field({ type: ArtifactType, resolve: (type) => type }) }) });

const ArtifactTypeConnection = builder.objectRef<readonly ArtifactTypeOf[]>("ArtifactTypeConnection").implement({
  fields: (t) => ({
    edges: t.field({ type: [ArtifactTypeEdge], resolve: (types) => [...types] }),
    pageInfo: t.field({ type: PageInfo, resolve: () => ({ endCursor: null, hasNextPage: false }) }),
  }),
});

builder.objectFields(Project, (t) => ({
  artifactTypes: t.field({
    type: ArtifactTypeConnection,
    description: "All of them, by name.",
    args: { first: t.arg.int(), after: t.arg.string(), includeAll: t.arg.boolean() },
    resolve: async (project, _args, { services, viewer }) =>
      (await services.artifactLists.types(viewer, project)).map((type) => ({ ...type, project })),
  }),
  artifactType: t.field({
    type: ArtifactType,
    nullable: true,
    args: { name: t.arg.string({ required: true }) },
    resolve: async (project, { name }, { services, viewer }) => {
      const type = (await services.artifactLists.types(viewer, project)).find((one) => one.name === name);
      return type ? { ...type, project } : null;
    },
  }),
  artifactCollections: t.field({
    type: CollectionConnection,
    nullable: true,
    description: "By name; another order, and a filter, is refused.",
    args: { first: t.arg.int(), after: t.arg.string(), filters: t.arg({ type: "JSONString" }), order: t.arg.string() },
    resolve: (project, { first, after, ...options }, { services, viewer }) => {
      refuseListOptions(options);
      return services.artifactLists.collections(viewer, project, {
        typeName: null,
        first: first ?? null,
        after: after ?? null,
      });
    },
  }),
  artifactCollection: t.field({
    type: ArtifactCollection,
    nullable: true,
    args: { name: t.arg.string({ required: true }) },
    resolve: (project, { name }, { services, viewer }) =>
      services.artifactLists.collection(viewer, { projectId: project.id, name }),
  }),
  artifactCollectionMembership: t.field({
    type: ArtifactCollectionMembership,
    nullable: true,
    args: { name: t.arg.string({ required: true }) },
    resolve: (project, { name }, { services, viewer }) =>
      services.artifacts.resolve(viewer, { projectId: project.id, name }),
  }),
  artifact: t.field({
    type: Artifact,
    nullable: true,
    args: { name: t.arg.string({ required: true }), enableTracking: t.arg.boolean() },
    resolve: async (project, { name }, { services, viewer }) =>
      (await services.artifacts.resolve(viewer, { projectId: project.id, name }))?.artifact,
  }),
}));

const ArtifactEdge = builder
  .objectRef<ArtifactRecord>("ArtifactEdge")
  .implement({ fields: (t) => ({ node: t.field({ type: Artifact, resolve: (artifact) => artifact }) }) });

const connection = (name: string) =>
  builder.objectRef<ListPage<ArtifactRecord>>(name).implement({
    fields: (t) => ({
      totalCount: t.exposeInt("total"),
      pageInfo: t.field({ type: PageInfo, resolve: (page) => page }),
      edges: t.field({ type: [ArtifactEdge], resolve: ({ nodes }) => [...nodes] }),
    }),
  });
const ArtifactConnection = connection("ArtifactConnection");
const InputArtifactConnection = connection("InputArtifactConnection");

builder.objectFields(Run, (t) => {
  const of = (direction: "input" | "output") =>
    t.field({
      type: direction === "input" ? InputArtifactConnection : ArtifactConnection,
      nullable: true,
      args: { first: t.arg.int(), after: t.arg.string() },
      resolve: (run, { first, after }, { services, viewer }) =>
        services.artifactLists.ofRun(viewer, run, direction, { first: first ?? null, after: after ?? null }),
    });
  return { outputArtifacts: of("output"), inputArtifacts: of("input") };
});

builder.queryFields((t) => ({
  artifact: t.field({
    type: Artifact,
    nullable: true,
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, { id }, { services, viewer }) => services.artifacts.get(viewer, keyOf("Artifact", id) ?? id),
  }),
  artifactCollection: t.field({
    type: ArtifactCollection,
    nullable: true,
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, { id }, { services, viewer }) =>
      services.artifactLists.collection(viewer, { id: requireKey("ArtifactCollection", id, "id") }),
  }),
}));
