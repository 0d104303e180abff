import type { ArtifactCollectionRecord } from "../../../store/artifact-collections.ts";
import type { StoredArtifactFile } from "../../../store/artifact-content.ts";
import type { ArtifactRecord } from "../../../store/artifacts.ts";
import type { ProjectRecord, RunRecord } from "../../../store/records.ts";
import { mimeType } from "../../mime-types.ts";
import type { ArtifactInCollection } from "../../services/artifacts/lists.ts";
import { builder } from "../builder.ts";
import type { GraphqlContext } from "../context.ts";
import { globalId } from "../ids.ts";
import { Run } from "../refs.ts";
import {
  Artifact,
  ArtifactAlias,
  ArtifactCollection,
  ArtifactCollectionMembership,
  ArtifactDigestAlgorithm,
  ArtifactSequence,
  ArtifactState,
  ArtifactType,
} from "./artifact-refs.ts";
import { Tag } from "./artifact-tag.ts";
import { FileConnection, type FileView } from "./file.ts";

/** A version, its files and manifest, and its membership in a collection. */

/** A version has no description of its own for -1: the client's word for "as its collection", and for no limit. */
const TTL_INHERITED = -1;

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

const fileView = (file: StoredArtifactFile): FileView => {
  const { file: stored, ref } = file;
  // A client that downloads a version goes where its references lead.
  const download = async ({ artifactTransfers, baseUrl }: GraphqlContext) =>
    stored === null ? (ref ?? "") : artifactTransfers.contentUrl({ ...file, file: stored }, baseUrl);
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

const MANIFEST_NAME = "wandb_manifest.json";

export const ArtifactManifestFile = builder
  .objectRef<{ readonly id: string; readonly digest: string }>("ArtifactManifestFile")
  .implement({
    fields: (t) => ({
      id: t.id({ resolve: ({ id }) => globalId("ArtifactManifest", id) }),
      name: t.string({ resolve: () => MANIFEST_NAME }),
      displayName: t.string({ resolve: () => MANIFEST_NAME }),
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

const MAX_ENTRIES = 5000;
const ArtifactManifestEntryInput = builder.inputType("ArtifactManifestEntryInput", {
  description: "A file of an artifact, as its manifest has it; the name tells which.",
  fields: (t) => ({
    name: t.string({ required: true }),
    digest: t.string(),
    birthArtifactID: t.string(),
  }),
});

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
    author: t.exposeString("author", {
      nullable: true,
      description: "Slipway: the user whose key made it, also if it belongs to no run.",
    }),
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
    filesByManifestEntries: t.field({
      type: FileConnection,
      nullable: true,
      description: "Those of its files that the entries name; all of them without entries. One page, however many.",
      args: {
        entries: t.arg({ type: [ArtifactManifestEntryInput] }),
        storageLayout: t.arg.string(),
        manifestVersion: t.arg.string(),
        storageRegion: t.arg.string(),
      },
      resolve: (artifact, { entries }, context) =>
        filesOf(artifact, { names: entries?.map(({ name }) => name), first: MAX_ENTRIES }, context),
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
