import type { ArtifactCollectionRecord } from "../../../store/artifact-collections.ts";
import type { ArtifactRecord } from "../../../store/artifacts.ts";
import type { ListPage } from "../../services/artifacts/lists.ts";
import { builder } from "../builder.ts";
import { globalId, keyOf, requireKey } from "../ids.ts";
import { Project, Run } from "../refs.ts";
import {
  Artifact,
  ArtifactCollection,
  ArtifactCollectionMembership,
  ArtifactType,
  type ArtifactTypeOf,
} from "./artifact-refs.ts";
import { refuseListOptions } from "./list-options.ts";
import { PageInfo } from "./page-info.ts";

/** The ways to artifacts: by id, from a project, a type or a run. */

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
    description: t.string({
      nullable: true,
      description: "Of a type that was made by itself; null for one that collections name.",
      resolve: ({ description }) => description ?? null,
    }),
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

const ClientIDMapping = builder
  .objectRef<ArtifactRecord>("ClientIDMapping")
  .implement({ fields: (t) => ({ serverID: t.id({ resolve: ({ id }) => globalId("Artifact", id) }) }) });

builder.queryFields((t) => ({
  clientIDMapping: t.field({
    type: ClientIDMapping,
    nullable: true,
    description:
      "The artifact that a client has made under an id of its own; how one that is being logged names another.",
    args: { clientID: t.arg.id({ required: true }) },
    resolve: (_root, { clientID }, { services, viewer }) => services.artifacts.ofClient(viewer, clientID),
  }),
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
