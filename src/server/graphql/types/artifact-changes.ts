import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import type { ArtifactCollectionRecord } from "../../../store/artifact-collections.ts";
import type { ArtifactRecord } from "../../../store/artifacts.ts";
import type { ArtifactUpload } from "../../artifact-transfers.ts";
import type { ArtifactInCollection } from "../../services/artifact-lists.ts";
import { builder } from "../builder.ts";
import type { GraphqlContext } from "../context.ts";
import { requireKey } from "../ids.ts";
import { Entity, SuccessPayload } from "../refs.ts";
import {
  Artifact,
  ArtifactCollection,
  ArtifactCollectionMembership,
  ArtifactDigestAlgorithm,
  ArtifactManifest,
  Tag,
} from "./artifact.ts";

/** How the client makes, fills, commits, uses and changes artifacts. */

const ArtifactManifestType = builder.enumType("ArtifactManifestType", {
  values: ["FULL", "PATCH", "INCREMENTAL"] as const,
});
const ArtifactStorageLayout = builder.enumType("ArtifactStorageLayout", { values: ["V1", "V2"] as const });
const CompleteMultipartAction = builder.enumType("CompleteMultipartAction", { values: ["Complete"] as const });

const ArtifactAliasInput = builder.inputType("ArtifactAliasInput", {
  fields: (t) => ({ artifactCollectionName: t.string({ required: true }), alias: t.string({ required: true }) }),
});
const ArtifactCollectionAliasInput = builder.inputType("ArtifactCollectionAliasInput", {
  fields: (t) => ({
    entityName: t.string({ required: true }),
    projectName: t.string({ required: true }),
    artifactCollectionName: t.string({ required: true }),
    alias: t.string({ required: true }),
  }),
});
const TagInput = builder.inputType("TagInput", {
  fields: (t) => ({
    tagName: t.string({ required: true }),
    tagCategoryName: t.string(),
    attributes: t.field({ type: "JSONString" }),
  }),
});

const CreateArtifactInput = builder.inputType("CreateArtifactInput", {
  fields: (t) => ({
    entityName: t.string({ required: true }),
    projectName: t.string({ required: true }),
    runName: t.string(),
    artifactTypeName: t.string({ required: true }),
    artifactCollectionName: t.string(),
    artifactCollectionNames: t.stringList(),
    digest: t.string({ required: true }),
    digestAlgorithm: t.field({ type: ArtifactDigestAlgorithm }),
    description: t.string(),
    metadata: t.field({ type: "JSONString" }),
    aliases: t.field({ type: [ArtifactAliasInput] }),
    tags: t.field({ type: [TagInput] }),
    labels: t.field({ type: "JSONString" }),
    clientID: t.id(),
    sequenceClientID: t.id(),
    distributedID: t.string({ description: "Refused: a version comes from one run." }),
    enableDigestDeduplication: t.boolean({ description: "Always: the same content is the same version." }),
    ttlDurationSeconds: t.field({ type: "Int64" }),
    historyStep: t.field({ type: "Int64" }),
    storageRegion: t.string(),
    clientMutationId: t.string(),
  }),
});

const artifactPayload = (name: string) =>
  builder
    .objectRef<ArtifactRecord>(name)
    .implement({ fields: (t) => ({ artifact: t.field({ type: Artifact, resolve: (artifact) => artifact }) }) });
const CreateArtifactPayload = artifactPayload("CreateArtifactPayload");
const ArtifactPayload = artifactPayload("ArtifactPayload");

const ManifestPayload = builder
  .objectRef<{ readonly id: string; readonly digest: string }>("ArtifactManifestPayload")
  .implement({
    fields: (t) => ({ artifactManifest: t.field({ type: ArtifactManifest, resolve: (manifest) => manifest }) }),
  });

const CreateArtifactManifestInput = builder.inputType("CreateArtifactManifestInput", {
  fields: (t) => ({
    artifactID: t.id({ required: true }),
    baseArtifactID: t.id(),
    name: t.string({ required: true }),
    digest: t.string({ required: true }),
    entityName: t.string({ required: true }),
    projectName: t.string({ required: true }),
    runName: t.string({ required: true }),
    type: t.field({ type: ArtifactManifestType }),
    clientMutationId: t.string(),
  }),
});
const UpdateArtifactManifestInput = builder.inputType("UpdateArtifactManifestInput", {
  fields: (t) => ({
    artifactManifestID: t.id({ required: true }),
    baseArtifactID: t.id(),
    digest: t.string(),
    clientMutationId: t.string(),
  }),
});

const UploadPartsInput = builder.inputType("UploadPartsInput", {
  fields: (t) => ({
    partNumber: t.field({ type: "Int64", required: true }),
    hexMD5: t.string({ required: true }),
  }),
});
const CreateArtifactFileSpecInput = builder.inputType("CreateArtifactFileSpecInput", {
  fields: (t) => ({
    artifactID: t.id({ required: true }),
    artifactManifestID: t.id(),
    name: t.string({ required: true }),
    md5: t.string({ required: true }),
    mimetype: t.string(),
    uploadPartsInput: t.field({ type: [UploadPartsInput] }),
  }),
});
const CreateArtifactFilesInput = builder.inputType("CreateArtifactFilesInput", {
  fields: (t) => ({
    artifactFiles: t.field({ type: [CreateArtifactFileSpecInput], required: true }),
    storageLayout: t.field({ type: ArtifactStorageLayout }),
    cloudRegionID: t.id(),
    storageRegion: t.string(),
    clientMutationId: t.string(),
  }),
});

const UploadUrlPart = builder
  .objectRef<{ readonly partNumber: number; readonly uploadUrl: string }>("UploadUrlPart")
  .implement({
    fields: (t) => ({
      partNumber: t.field({ type: "Int64", resolve: ({ partNumber }) => partNumber }),
      uploadUrl: t.exposeString("uploadUrl"),
    }),
  });
const UploadMultipartUrls = builder
  .objectRef<{
    readonly uploadID: string;
    readonly parts: readonly { readonly partNumber: number; readonly uploadUrl: string }[];
  }>("UploadMultipartUrls")
  .implement({
    fields: (t) => ({
      uploadID: t.exposeString("uploadID"),
      uploadUrlParts: t.field({ type: [UploadUrlPart], resolve: ({ parts }) => [...parts] }),
    }),
  });
const ArtifactFileUpload = builder.objectRef<ArtifactUpload>("ArtifactFileUpload").implement({
  fields: (t) => ({
    storagePath: t.exposeString("storagePath", { nullable: true }),
    uploadUrl: t.exposeString("uploadUrl", { nullable: true, description: "Null: the content is here already." }),
    uploadHeaders: t.stringList({ resolve: () => [] }),
    uploadMultipartUrls: t.field({
      type: UploadMultipartUrls,
      nullable: true,
      resolve: ({ parts, storagePath }) => (parts === null ? null : { uploadID: storagePath, parts }),
    }),
    artifact: t.field({
      type: Artifact,
      resolve: ({ artifactId }, _args, { services, viewer }) => services.artifacts.mustWrite(viewer, artifactId),
    }),
  }),
});
const ArtifactFileUploadEdge = builder
  .objectRef<ArtifactUpload>("ArtifactFileUploadEdge")
  .implement({ fields: (t) => ({ node: t.field({ type: ArtifactFileUpload, resolve: (file) => file }) }) });
const ArtifactFileUploadConnection = builder
  .objectRef<readonly ArtifactUpload[]>("ArtifactFileUploadConnection")
  .implement({
    fields: (t) => ({ edges: t.field({ type: [ArtifactFileUploadEdge], resolve: (files) => [...files] }) }),
  });
const CreateArtifactFilesPayload = builder
  .objectRef<readonly ArtifactUpload[]>("CreateArtifactFilesPayload")
  .implement({
    fields: (t) => ({ files: t.field({ type: ArtifactFileUploadConnection, resolve: (files) => files }) }),
  });

const CompleteMultipartUploadArtifactInput = builder.inputType("CompleteMultipartUploadArtifactInput", {
  fields: (t) => ({
    completeMultipartAction: t.field({ type: CompleteMultipartAction, required: true }),
    completedParts: t.field({ type: [UploadPartsInput], required: true }),
    artifactID: t.id({ required: true }),
    storagePath: t.string({ required: true }),
    uploadID: t.string({ required: true }),
    clientMutationId: t.string(),
  }),
});
const CompleteMultipartPayload = builder
  .objectRef<{ readonly digest: string }>("CompleteMultipartUploadArtifactPayload")
  .implement({ fields: (t) => ({ digest: t.exposeString("digest", { nullable: true }) }) });

const CommitArtifactInput = builder.inputType("CommitArtifactInput", {
  fields: (t) => ({ artifactID: t.id({ required: true }), clientMutationId: t.string() }),
});
const UseArtifactInput = builder.inputType("UseArtifactInput", {
  fields: (t) => ({
    entityName: t.string({ required: true }),
    projectName: t.string({ required: true }),
    runName: t.string({ required: true }),
    artifactID: t.id({ required: true }),
    usedAs: t.string(),
    artifactEntityName: t.string(),
    artifactProjectName: t.string(),
    clientMutationId: t.string(),
  }),
});
const UpdateArtifactInput = builder.inputType("UpdateArtifactInput", {
  fields: (t) => ({
    artifactID: t.id({ required: true }),
    description: t.string(),
    metadata: t.field({ type: "JSONString" }),
    labels: t.field({ type: "JSONString" }),
    aliases: t.field({ type: [ArtifactAliasInput] }),
    tagsToAdd: t.field({ type: [TagInput] }),
    tagsToDelete: t.field({ type: [TagInput] }),
    ttlDurationSeconds: t.field({ type: "Int64" }),
    clientMutationId: t.string(),
  }),
});
const aliasesInput = (name: string) =>
  builder.inputType(name, {
    fields: (t) => ({
      artifactID: t.id({ required: true }),
      aliases: t.field({ type: [ArtifactCollectionAliasInput], required: true }),
      clientMutationId: t.string(),
    }),
  });
const AddAliasesInput = aliasesInput("AddAliasesInput");
const DeleteAliasesInput = aliasesInput("DeleteAliasesInput");
const DeleteArtifactInput = builder.inputType("DeleteArtifactInput", {
  fields: (t) => ({ artifactID: t.id({ required: true }), deleteAliases: t.boolean(), clientMutationId: t.string() }),
});
const LinkArtifactInput = builder.inputType("LinkArtifactInput", {
  fields: (t) => ({
    artifactID: t.id(),
    clientID: t.id(),
    artifactPortfolioID: t.id(),
    artifactPortfolioName: t.string(),
    entityName: t.string(),
    projectName: t.string(),
    aliases: t.field({ type: [ArtifactAliasInput] }),
    clientMutationId: t.string(),
  }),
});
const LinkArtifactPayload = builder.objectRef<ArtifactInCollection>("LinkArtifactPayload").implement({
  fields: (t) => ({
    versionIndex: t.int({ nullable: true, resolve: ({ member }) => member.versionIndex }),
    artifactMembership: t.field({ type: ArtifactCollectionMembership, nullable: true, resolve: (one) => one }),
  }),
});
const UnlinkArtifactInput = builder.inputType("UnlinkArtifactInput", {
  fields: (t) => ({
    artifactID: t.id({ required: true }),
    artifactPortfolioID: t.id({ required: true }),
    clientMutationId: t.string(),
  }),
});

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

const artifactKey = (id: string) => requireKey("Artifact", id, "artifactID");
const names = (tags: readonly { readonly tagName: string }[] | null | undefined) =>
  (tags ?? []).map((tag) => tag.tagName);
const aliasesOf = (aliases: readonly { artifactCollectionName: string; alias: string }[]) =>
  aliases.map(({ artifactCollectionName, alias }) => ({ collectionName: artifactCollectionName, alias }));
const fullAliases = (
  aliases: readonly { entityName: string; projectName: string; artifactCollectionName: string; alias: string }[],
) => aliases.map(({ artifactCollectionName, ...rest }) => ({ ...rest, collectionName: artifactCollectionName }));

builder.mutationFields((t) => ({
  createArtifact: t.field({
    type: CreateArtifactPayload,
    nullable: true,
    args: { input: t.arg({ type: CreateArtifactInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) => {
      const collectionName = input.artifactCollectionName ?? input.artifactCollectionNames?.[0];
      const refuse = (problem: string, where: string) =>
        new SlipwayError("INPUT_INVALID", { values: { problem }, where });
      if (!collectionName) throw refuse("the artifact has no name", "artifactCollectionName");
      if (input.distributedID) {
        throw refuse(
          "a version that several runs write together is not supported; let one run log it",
          "distributedID",
        );
      }
      return services.artifacts.create(viewer, {
        entityName: input.entityName,
        projectName: input.projectName,
        runName: input.runName ?? null,
        typeName: input.artifactTypeName,
        collectionName,
        digest: input.digest,
        digestAlgorithm: input.digestAlgorithm ?? "MANIFEST_MD5",
        description: input.description ?? null,
        metadata: input.metadata ?? null,
        aliases: aliasesOf(input.aliases ?? []),
        tags: names(input.tags),
        clientId: input.clientID ?? null,
        ttlSeconds: input.ttlDurationSeconds ?? null,
        historyStep: input.historyStep ?? null,
      });
    },
  }),
  createArtifactManifest: t.field({
    type: ManifestPayload,
    nullable: true,
    args: { input: t.arg({ type: CreateArtifactManifestInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.artifacts.createManifest(viewer, {
        artifactId: artifactKey(input.artifactID),
        digest: input.digest,
        kind: input.type ?? "FULL",
      }),
  }),
  updateArtifactManifest: t.field({
    type: ManifestPayload,
    nullable: true,
    args: { input: t.arg({ type: UpdateArtifactManifestInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.artifacts.setManifestDigest(
        viewer,
        requireKey("ArtifactManifest", input.artifactManifestID, "artifactManifestID"),
        input.digest ?? "",
      ),
  }),
  createArtifactFiles: t.field({
    type: CreateArtifactFilesPayload,
    nullable: true,
    args: { input: t.arg({ type: CreateArtifactFilesInput, required: true }) },
    resolve: (_root, { input }, { artifactTransfers, viewer, baseUrl }) =>
      artifactTransfers.createUploads(
        viewer,
        input.artifactFiles.map(({ artifactID, md5, uploadPartsInput }) => ({
          artifactId: artifactKey(artifactID),
          md5,
          parts: uploadPartsInput ?? null,
        })),
        baseUrl,
      ),
  }),
  completeMultipartUploadArtifact: t.field({
    type: CompleteMultipartPayload,
    nullable: true,
    args: { input: t.arg({ type: CompleteMultipartUploadArtifactInput, required: true }) },
    resolve: (_root, { input }, { artifactTransfers, viewer }) =>
      artifactTransfers.completeMultipart(viewer, {
        artifactId: artifactKey(input.artifactID),
        storagePath: input.storagePath,
        parts: input.completedParts,
      }),
  }),
  commitArtifact: t.field({
    type: ArtifactPayload,
    nullable: true,
    args: { input: t.arg({ type: CommitArtifactInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.artifacts.commit(viewer, artifactKey(input.artifactID)),
  }),
  useArtifact: t.field({
    type: ArtifactPayload,
    nullable: true,
    args: { input: t.arg({ type: UseArtifactInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.artifacts.use(viewer, artifactKey(input.artifactID), {
        entityName: input.entityName,
        projectName: input.projectName,
        runName: input.runName,
        usedAs: input.usedAs ?? null,
      }),
  }),
  updateArtifact: t.field({
    type: ArtifactPayload,
    nullable: true,
    args: { input: t.arg({ type: UpdateArtifactInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) => {
      const { description, metadata, ttlDurationSeconds: ttl, aliases } = input;
      return services.artifacts.update(viewer, artifactKey(input.artifactID), {
        ...(description == null ? {} : { description }),
        ...(metadata == null ? {} : { metadata }),
        // -1: as the collection says, -2 and 0: for ever.
        ...(ttl == null ? {} : { ttlSeconds: ttl === -1 ? null : ttl }),
        ...(aliases == null ? {} : { aliases: aliasesOf(aliases) }),
        tagsToAdd: names(input.tagsToAdd),
        tagsToDelete: names(input.tagsToDelete),
      });
    },
  }),
  addAliases: t.field({
    type: SuccessPayload,
    nullable: true,
    args: { input: t.arg({ type: AddAliasesInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      await services.artifacts.addAliases(viewer, artifactKey(input.artifactID), fullAliases(input.aliases));
      return { success: true };
    },
  }),
  deleteAliases: t.field({
    type: SuccessPayload,
    nullable: true,
    args: { input: t.arg({ type: DeleteAliasesInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      await services.artifacts.deleteAliases(viewer, artifactKey(input.artifactID), fullAliases(input.aliases));
      return { success: true };
    },
  }),
  deleteArtifact: t.field({
    type: ArtifactPayload,
    nullable: true,
    args: { input: t.arg({ type: DeleteArtifactInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.artifacts.remove(viewer, artifactKey(input.artifactID), input.deleteAliases ?? false),
  }),
  linkArtifact: t.field({
    type: LinkArtifactPayload,
    nullable: true,
    args: { input: t.arg({ type: LinkArtifactInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      const { artifactID, artifactPortfolioName, entityName, projectName } = input;
      if (!artifactID || !artifactPortfolioName || !entityName || !projectName) {
        const problem = "a link names the artifact by artifactID, and the collection by entity, project and name";
        throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "input" });
      }
      const artifactId = artifactKey(artifactID);
      const member = await services.artifacts.link(viewer, {
        artifactId,
        entityName,
        projectName,
        portfolioName: artifactPortfolioName,
        aliases: (input.aliases ?? []).map(({ alias }) => alias),
      });
      const artifact = await services.artifacts.get(viewer, artifactId);
      return artifact ? { member, artifact } : null;
    },
  }),
  unlinkArtifact: t.field({
    type: SuccessPayload,
    nullable: true,
    args: { input: t.arg({ type: UnlinkArtifactInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      const portfolio = requireKey("ArtifactCollection", input.artifactPortfolioID, "artifactPortfolioID");
      await services.artifacts.unlink(viewer, artifactKey(input.artifactID), portfolio);
      return { success: true };
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
