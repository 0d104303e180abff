import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import type { ArtifactInCollection } from "../../services/artifacts/lists.ts";
import { builder } from "../builder.ts";
import { globalId, requireKey } from "../ids.ts";
import { SuccessPayload } from "../refs.ts";
import {
  ArtifactAliasInput,
  ArtifactCollectionAliasInput,
  ArtifactPayload,
  aliasesOf,
  artifactKey,
  fullAliases,
  names,
  TagInput,
} from "./artifact-inputs.ts";
import { ArtifactCollectionMembership } from "./artifact-refs.ts";

/** How versions are used, changed, linked and deleted. */

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

builder.mutationFields((t) => ({
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
      const { artifactPortfolioName, entityName, projectName, clientID } = input;
      const named = !input.artifactID && clientID ? await services.artifacts.ofClient(viewer, clientID) : undefined;
      const artifactID = input.artifactID ?? (named && globalId("Artifact", named.id));
      if (!artifactID || !artifactPortfolioName || !entityName || !projectName) {
        const problem =
          "a link names the artifact by artifactID or by clientID, and the collection by entity, project and name";
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
}));
