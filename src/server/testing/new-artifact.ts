/** What the service takes to begin a version in the project `digits` of the team `team`. */
export function newArtifactNamed(collectionName: string, runName: string | null = null) {
  return {
    entityName: "team",
    projectName: "digits",
    runName,
    typeName: "dataset",
    collectionName,
    digest: "d",
    digestAlgorithm: "MANIFEST_MD5",
    description: null,
    metadata: null,
    aliases: [],
    tags: [],
    clientId: null,
    distributedId: null,
    ttlSeconds: null,
    historyStep: null,
  };
}
