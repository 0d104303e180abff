import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import type { ArtifactCollectionRecord } from "../../../store/artifact-collections.ts";
import { builder } from "../builder.ts";
import type { GraphqlContext } from "../context.ts";
import { requireKey } from "../ids.ts";
import { Entity, SuccessPayload } from "../refs.ts";
import { names, TagInput } from "./artifact-inputs.ts";
import { ArtifactCollection, ArtifactType, type ArtifactTypeOf } from "./artifact-refs.ts";
import { Tag } from "./artifact-tag.ts";

/** How collections of artifacts are changed, and which a person may make. */

const CollectionPayload = builder.objectRef<ArtifactCollectionRecord>("ArtifactCollectionPayload").implement({
  fields: (t) => ({ artifactCollection: t.field({ type: ArtifactCollection, resolve: (collection) => collection }) }),
});
const DeleteArtifactSequenceInput = builder.inputType("DeleteArtifactSequenceInput", {
  fields: (t) => ({ artifactSequenceID: t.id({ required: true }), clientMutationId: t.string() }),
});
const DeleteArtifactPortfolioInput = builder.inputType("DeleteArtifactPortfolioInput", {
  fields: (t) => ({ artifactPortfolioID: t.id({ required: true }), clientMutationId: t.string() }),
});
const UpdateArtifactSequenceInput = builder.inputType("UpdateArtifactSequenceInput", {
  fields: (t) => ({
    artifactSequenceID: t.id({ required: true }),
    name: t.string(),
    description: t.string(),
    clientMutationId: t.string(),
  }),
});
const UpdateArtifactPortfolioInput = builder.inputType("UpdateArtifactPortfolioInput", {
  fields: (t) => ({
    artifactPortfolioID: t.id({ required: true }),
    name: t.string(),
    description: t.string(),
    clientMutationId: t.string(),
  }),
});
const MoveArtifactSequenceInput = builder.inputType("MoveArtifactSequenceInput", {
  fields: (t) => ({
    artifactSequenceID: t.id({ required: true }),
    destinationArtifactTypeName: t.string({ required: true }),
    clientMutationId: t.string(),
  }),
});
const tagsInput = (name: string) =>
  builder.inputType(name, {
    fields: (t) => ({
      entityName: t.string({ required: true }),
      projectName: t.string({ required: true }),
      artifactCollectionName: t.string({ required: true }),
      tags: t.field({ type: [TagInput], required: true }),
      clientMutationID: t.string(),
    }),
  });
const CreateTagsInput = tagsInput("CreateArtifactCollectionTagAssignmentsInput");
const DeleteTagsInput = tagsInput("DeleteArtifactCollectionTagAssignmentsInput");
const TagsPayload = builder
  .objectRef<readonly string[]>("CreateArtifactCollectionTagAssignmentsPayload")
  .implement({ fields: (t) => ({ tags: t.field({ type: [Tag], resolve: (tags) => [...tags] }) }) });

const CreateArtifactTypeInput = builder.inputType("CreateArtifactTypeInput", {
  fields: (t) => ({
    entityName: t.string({ required: true }),
    projectName: t.string({ required: true }),
    name: t.string({ required: true }),
    description: t.string(),
    clientMutationId: t.string(),
  }),
});
const CreateArtifactTypePayload = builder
  .objectRef<ArtifactTypeOf>("CreateArtifactTypePayload")
  .implement({ fields: (t) => ({ artifactType: t.field({ type: ArtifactType, resolve: (type) => type }) }) });

builder.mutationFields((t) => ({
  createArtifactType: t.field({
    type: CreateArtifactTypePayload,
    nullable: true,
    description: "A type before anything has it; logging an artifact of a new type makes it too.",
    args: { input: t.arg({ type: CreateArtifactTypeInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) => {
      const { entityName, projectName, name, description = null } = input;
      return services.artifactLists.createType(viewer, { entityName, projectName, name, description });
    },
  }),
  deleteArtifactSequence: t.field({
    type: CollectionPayload,
    nullable: true,
    args: { input: t.arg({ type: DeleteArtifactSequenceInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.artifactLists.removeCollection(viewer, collectionKey(input.artifactSequenceID)),
  }),
  deleteArtifactPortfolio: t.field({
    type: CollectionPayload,
    nullable: true,
    args: { input: t.arg({ type: DeleteArtifactPortfolioInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.artifactLists.removeCollection(viewer, collectionKey(input.artifactPortfolioID)),
  }),
  updateArtifactSequence: t.field({
    type: CollectionPayload,
    nullable: true,
    args: { input: t.arg({ type: UpdateArtifactSequenceInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.artifactLists.updateCollection(viewer, collectionKey(input.artifactSequenceID), changeOf(input)),
  }),
  updateArtifactPortfolio: t.field({
    type: CollectionPayload,
    nullable: true,
    args: { input: t.arg({ type: UpdateArtifactPortfolioInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.artifactLists.updateCollection(viewer, collectionKey(input.artifactPortfolioID), changeOf(input)),
  }),
  moveArtifactSequence: t.field({
    type: CollectionPayload,
    nullable: true,
    args: { input: t.arg({ type: MoveArtifactSequenceInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.artifactLists.updateCollection(viewer, collectionKey(input.artifactSequenceID), {
        typeName: input.destinationArtifactTypeName,
      }),
  }),
}));

const collectionKey = (id: string) => requireKey("ArtifactCollection", id, "id");
const changeOf = ({
  name,
  description,
}: {
  name?: string | null | undefined;
  description?: string | null | undefined;
}) => ({
  ...(name == null ? {} : { name }),
  ...(description == null ? {} : { description }),
});

interface TagsOfCollection {
  readonly entityName: string;
  readonly projectName: string;
  readonly artifactCollectionName: string;
}

builder.mutationFields((t) => {
  const change = async (
    input: TagsOfCollection,
    { services, viewer }: GraphqlContext,
    tags: (tags: readonly string[]) => readonly string[],
  ) => {
    const project = await services.projects.get(viewer, input.entityName, input.projectName);
    const by = project && { projectId: project.id, name: input.artifactCollectionName };
    const collection = by && (await services.artifactLists.collection(viewer, by));
    if (!collection) throw new SlipwayError("ARTIFACT_NOT_FOUND", { values: { name: input.artifactCollectionName } });
    return services.artifactLists.updateCollection(viewer, collection.id, { tags });
  };
  return {
    createArtifactCollectionTagAssignments: t.field({
      type: TagsPayload,
      nullable: true,
      args: { input: t.arg({ type: CreateTagsInput, required: true }) },
      resolve: async (_root, { input }, context) =>
        (await change(input, context, (tags) => [...new Set([...tags, ...names(input.tags)])])).tags,
    }),
    deleteArtifactCollectionTagAssignments: t.field({
      type: SuccessPayload,
      nullable: true,
      args: { input: t.arg({ type: DeleteTagsInput, required: true }) },
      resolve: async (_root, { input }, context) => {
        const gone = names(input.tags);
        await change(input, context, (tags) => tags.filter((tag) => !gone.includes(tag)));
        return { success: true };
      },
    }),
  };
});

builder.objectFields(Entity, (t) => ({
  xxhashDigestsEnabled: t.boolean({
    nullable: true,
    description: "false: contents are told by their MD5.",
    resolve: () => false,
  }),
}));
