/** The tables of artifacts, as kysely sees them; tables.ts says of what types their columns are. */
export interface ArtifactTables {
  artifactCollections: {
    id: string;
    projectId: string;
    name: string;
    kind: string;
    typeName: string;
    description: string | null;
    tags: string;
    nextVersion: number;
    createdAt: number;
    updatedAt: number;
  };
  artifacts: {
    id: string;
    collectionId: string;
    projectId: string;
    collectionName: string;
    typeName: string;
    clientId: string | null;
    digest: string;
    digestAlgorithm: string;
    state: string;
    description: string | null;
    metadata: string | null;
    tags: string;
    ttlSeconds: number | null;
    historyStep: number | null;
    size: number;
    fileCount: number;
    versionIndex: number | null;
    /** Those to give at the commit. */
    wantedAliases: string;
    /** The manifest that was committed. */
    manifestId: string | null;
    runId: string | null;
    /** Name of the user whose key made it; null for what was made before this was noted. */
    author: string | null;
    /** The version that this one turned out to be. */
    sameAs: string | null;
    /** What several runs that write one version together call it. */
    distributedId: string | null;
    createdAt: number;
    updatedAt: number;
  };
  /** Names that clients gave to versions, beside the one in the version's own row. */
  artifactClientIds: { projectId: string; clientId: string; artifactId: string };
  /** Types that were made by themselves; others are what collections name. */
  artifactTypes: { projectId: string; name: string; description: string | null; createdAt: number };
  artifactUploads: {
    projectId: string;
    digest: string;
    owner: string;
    file: string;
    uploadId: string | null;
    arrived: number;
    askedAt: number;
  };
  artifactMembers: { id: string; collectionId: string; artifactId: string; versionIndex: number; createdAt: number };
  artifactAliases: { id: string; collectionId: string; alias: string; artifactId: string };
  artifactManifests: {
    id: string;
    artifactId: string;
    digest: string;
    kind: string;
    /** The version that its entries are added to. */
    baseId: string | null;
    received: number;
    createdAt: number;
  };
  artifactFiles: {
    artifactId: string;
    name: string;
    digest: string;
    size: number;
    projectId: string;
    ref: string | null;
  };
  artifactBlobs: { projectId: string; digest: string; file: string; size: number; usedAt: number };
  artifactRuns: { artifactId: string; runId: string; direction: string; usedAs: string | null; createdAt: number };
}
