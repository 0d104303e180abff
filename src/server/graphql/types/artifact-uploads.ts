import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import type { ArtifactUpload } from "../../artifact-transfers.ts";
import { builder } from "../builder.ts";
import { requireKey } from "../ids.ts";
import { ArtifactManifest } from "./artifact.ts";
import {
  ArtifactAliasInput,
  ArtifactPayload,
  aliasesOf,
  artifactKey,
  artifactPayload,
  names,
  TagInput,
} from "./artifact-inputs.ts";
import { Artifact, ArtifactDigestAlgorithm } from "./artifact-refs.ts";

/** How the client makes, fills and commits an artifact. */

const ArtifactManifestType = builder.enumType("ArtifactManifestType", {
  description:
    "FULL: all entries. PATCH: those of one of several runs that write a version together. INCREMENTAL: those that are added to the version in baseArtifactID.",
  values: ["FULL", "PATCH", "INCREMENTAL"] as const,
});
const ArtifactStorageLayout = builder.enumType("ArtifactStorageLayout", { values: ["V1", "V2"] as const });
const CompleteMultipartAction = builder.enumType("CompleteMultipartAction", { values: ["Complete"] as const });

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
    distributedID: t.string({
      description: "Runs that give the same write one version together, until one commits it.",
    }),
    enableDigestDeduplication: t.boolean({ description: "Always: the same content is the same version." }),
    ttlDurationSeconds: t.field({ type: "Int64" }),
    historyStep: t.field({ type: "Int64" }),
    storageRegion: t.string(),
    clientMutationId: t.string(),
  }),
});

const CreateArtifactPayload = artifactPayload("CreateArtifactPayload");

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
    uploadHeaders: t.stringList({
      description: "To be sent with it, each as NAME:VALUE.",
      resolve: ({ uploadHeaders }) => [...uploadHeaders],
    }),
    uploadMultipartUrls: t.field({
      type: UploadMultipartUrls,
      nullable: true,
      resolve: ({ parts, uploadId }) => (parts === null ? null : { uploadID: uploadId, parts }),
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
        distributedId: input.distributedID || null,
        // -1: as the collection says, which is for ever.
        ttlSeconds:
          input.ttlDurationSeconds == null || input.ttlDurationSeconds === -1 ? null : input.ttlDurationSeconds,
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
        baseArtifactId: input.baseArtifactID ? artifactKey(input.baseArtifactID) : null,
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
}));
