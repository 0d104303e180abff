import type { ArtifactRecord } from "../../../store/artifacts.ts";
import { builder } from "../builder.ts";
import { requireKey } from "../ids.ts";
import { Artifact } from "./artifact-refs.ts";

/** What several changes of artifacts take and answer. */

export const ArtifactAliasInput = builder.inputType("ArtifactAliasInput", {
  fields: (t) => ({ artifactCollectionName: t.string({ required: true }), alias: t.string({ required: true }) }),
});
export const ArtifactCollectionAliasInput = builder.inputType("ArtifactCollectionAliasInput", {
  fields: (t) => ({
    entityName: t.string({ required: true }),
    projectName: t.string({ required: true }),
    artifactCollectionName: t.string({ required: true }),
    alias: t.string({ required: true }),
  }),
});
export const TagInput = builder.inputType("TagInput", {
  fields: (t) => ({
    tagName: t.string({ required: true }),
    tagCategoryName: t.string(),
    attributes: t.field({ type: "JSONString" }),
  }),
});

export const artifactPayload = (name: string) =>
  builder
    .objectRef<ArtifactRecord>(name)
    .implement({ fields: (t) => ({ artifact: t.field({ type: Artifact, resolve: (artifact) => artifact }) }) });

export const ArtifactPayload = artifactPayload("ArtifactPayload");

export const artifactKey = (id: string) => requireKey("Artifact", id, "artifactID");
export const names = (tags: readonly { readonly tagName: string }[] | null | undefined) =>
  (tags ?? []).map((tag) => tag.tagName);
export const aliasesOf = (aliases: readonly { artifactCollectionName: string; alias: string }[]) =>
  aliases.map(({ artifactCollectionName, alias }) => ({ collectionName: artifactCollectionName, alias }));
export const fullAliases = (
  aliases: readonly { entityName: string; projectName: string; artifactCollectionName: string; alias: string }[],
) => aliases.map(({ artifactCollectionName, ...rest }) => ({ ...rest, collectionName: artifactCollectionName }));
