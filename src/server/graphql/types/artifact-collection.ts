import type { ArtifactAliasRecord } from "../../../store/artifact-collections.ts";
import type { ProjectRecord } from "../../../store/records.ts";
import type { ArtifactInCollection, ListPage } from "../../services/artifacts/lists.ts";
import { builder } from "../builder.ts";
import { globalId } from "../ids.ts";
import { Project } from "../refs.ts";
import {
  Artifact,
  ArtifactAlias,
  ArtifactCollection,
  ArtifactCollectionMembership,
  ArtifactCollectionState,
  ArtifactDigestAlgorithm,
  ArtifactPortfolio,
  ArtifactSequence,
  ArtifactType,
} from "./artifact-refs.ts";
import { TagConnection } from "./artifact-tag.ts";
import { refuseListOptions } from "./list-options.ts";
import { PageInfo } from "./page-info.ts";

/** Collections: sequences, in which runs log versions, and portfolios, to which versions are linked. */

const ArtifactAliasEdge = builder.objectRef<ArtifactAliasRecord>("ArtifactAliasEdge").implement({
  fields: (t) => ({ node: t.field({ type: ArtifactAlias, nullable: true, resolve: (alias) => alias }) }),
});

const ArtifactAliasConnection = builder.objectRef<readonly ArtifactAliasRecord[]>("ArtifactAliasConnection").implement({
  fields: (t) => ({
    edges: t.field({ type: [ArtifactAliasEdge], resolve: (aliases) => [...aliases] }),
    pageInfo: t.field({ type: PageInfo, resolve: () => ({ endCursor: null, hasNextPage: false }) }),
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
