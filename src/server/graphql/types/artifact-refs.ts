import type { ArtifactAliasRecord, ArtifactCollectionRecord } from "../../../store/artifact-collections.ts";
import type { ArtifactRecord } from "../../../store/artifacts.ts";
import type { ProjectRecord } from "../../../store/records.ts";
import type { ArtifactInCollection } from "../../services/artifacts/lists.ts";
import { builder } from "../builder.ts";

/** The nouns of artifacts. They refer to one another in circles, so their names are declared here. */

export const ArtifactState = builder.enumType("ArtifactState", {
  values: ["PENDING", "COMMITTED", "DELETED"] as const,
});
export const ArtifactDigestAlgorithm = builder.enumType("ArtifactDigestAlgorithm", {
  values: ["MANIFEST_MD5", "MANIFEST_XXH128"] as const,
});
export const ArtifactCollectionState = builder.enumType("ArtifactCollectionState", {
  values: ["READY", "DELETED"] as const,
});

/** A type has no row of its own: it is what collections of a project name. */
export interface ArtifactTypeOf {
  readonly project: ProjectRecord;
  readonly name: string;
  readonly description?: string | null;
  readonly createdAt: number;
}

export const Artifact = builder.objectRef<ArtifactRecord>("Artifact");
export const ArtifactType = builder.objectRef<ArtifactTypeOf>("ArtifactType");
export const ArtifactCollection = builder.interfaceRef<ArtifactCollectionRecord>("ArtifactCollection");
export const ArtifactSequence = builder.objectRef<ArtifactCollectionRecord>("ArtifactSequence");
export const ArtifactPortfolio = builder.objectRef<ArtifactCollectionRecord>("ArtifactPortfolio");
export const ArtifactCollectionMembership = builder.objectRef<ArtifactInCollection>("ArtifactCollectionMembership");
export const ArtifactAlias = builder.objectRef<ArtifactAliasRecord>("ArtifactAlias");
