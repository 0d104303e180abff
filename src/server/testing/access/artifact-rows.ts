import { globalId } from "../../graphql/ids.ts";
import { type AccessTables, type AccessWorld, AT, input, MD5 } from "./access-world.ts";

/** Artifacts, their collections, aliases and tags. */
export function artifactRows(world: AccessWorld): AccessTables {
  const {
    newArtifact,
    namedByClient,
    artifact,
    artifactId,
    collectionId,
    portfolio,
    aliasOf,
    tagsOf,
    artifactInput,
    fresh,
  } = world;
  return {
    queries: {
      artifact: { least: "viewer", args: async () => ({ id: await artifactId() }) },
      // A job's key sees the collections that hold a version of its own run's, or one that it declared.
      artifactCollection: {
        least: "viewer",
        args: async () => ({ id: await collectionId() }),
        own: async ({ own }) => {
          const made = await world.app.services.artifacts.create(world.admin, newArtifact(own.name));
          return { id: globalId("ArtifactCollection", made.collectionId) };
        },
      },
      clientIDMapping: {
        least: "viewer",
        args: async () => ({ clientID: await namedByClient() }),
        own: async ({ own }) => ({ clientID: await namedByClient(own.name) }),
      },
    },
    mutations: {
      addAliases: { least: "member", args: input(aliasOf) },
      commitArtifact: {
        least: "member",
        args: input(async () => ({ artifactID: await artifactId(true) })),
      },
      completeMultipartUploadArtifact: {
        least: "member",
        args: input(async () => ({
          completeMultipartAction: "Complete",
          completedParts: [],
          // Its content is there: nothing is left to be put together.
          artifactID: await artifactId(true),
          storagePath: MD5.toString("hex"),
          uploadID: MD5.toString("hex"),
        })),
      },
      createArtifact: {
        least: "member",
        args: input(() => artifactInput()),
        own: ({ own }) => ({ input: artifactInput(own.name) }),
      },
      createArtifactCollectionTagAssignments: { least: "member", args: input(tagsOf) },
      createArtifactFiles: {
        least: "member",
        args: input(async () => ({
          artifactFiles: [{ artifactID: await artifactId(), name: "a.txt", md5: MD5.toString("base64") }],
        })),
      },
      createArtifactManifest: {
        least: "member",
        args: input(async () => ({ ...AT, artifactID: await artifactId(), name: "m", digest: "", runName: "r" })),
      },
      createArtifactType: { least: "member", args: input(() => ({ ...AT, name: fresh() })) },
      deleteAliases: { least: "member", args: input(aliasOf) },
      deleteArtifact: { least: "member", args: input(async () => ({ artifactID: await artifactId() })) },
      deleteArtifactCollectionTagAssignments: { least: "member", args: input(tagsOf) },
      deleteArtifactPortfolio: {
        least: "member",
        args: input(async () => ({ artifactPortfolioID: (await portfolio()).artifactPortfolioID })),
      },
      deleteArtifactSequence: {
        least: "member",
        args: input(async () => ({ artifactSequenceID: await collectionId() })),
      },
      linkArtifact: {
        least: "member",
        args: input(async () => ({ ...AT, artifactID: await artifactId(true), artifactPortfolioName: fresh() })),
      },
      moveArtifactSequence: {
        least: "member",
        args: input(async () => ({ artifactSequenceID: await collectionId(), destinationArtifactTypeName: "model" })),
      },
      unlinkArtifact: { least: "member", args: input(portfolio) },
      updateArtifact: {
        least: "member",
        args: input(async () => ({ artifactID: await artifactId(), description: "d" })),
      },
      updateArtifactManifest: {
        least: "member",
        args: input(async () => {
          const of = { artifactId: (await artifact()).id, baseArtifactId: null };
          const manifest = { ...of, digest: "", kind: "FULL" as const };
          const { id } = await world.app.services.artifacts.createManifest(world.admin, manifest);
          return { artifactManifestID: globalId("ArtifactManifest", id), digest: "d" };
        }),
      },
      updateArtifactPortfolio: {
        least: "member",
        args: input(async () => ({ artifactPortfolioID: (await portfolio()).artifactPortfolioID, description: "d" })),
      },
      updateArtifactSequence: {
        least: "member",
        args: input(async () => ({ artifactSequenceID: await collectionId(), description: "d" })),
      },
      useArtifact: {
        least: "member",
        args: input(async ({ run }) => ({ ...AT, runName: run.name, artifactID: await artifactId(true) })),
      },
    },
  };
}
