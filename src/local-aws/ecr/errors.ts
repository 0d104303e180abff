import { AwsError } from "../service.ts";

/**
 * The errors of ECR with the service's own texts, as its clients print them. The registry answers with the same sentences
 * under the codes of the OCI distribution specification (see registry/errors.ts).
 */
export const repositoryNotFound = (name: string, accountId: string) =>
  new AwsError(
    "RepositoryNotFoundException",
    `The repository with name '${name}' does not exist in the registry with id '${accountId}'`,
  );

export const repositoryAlreadyExists = (name: string, accountId: string) =>
  new AwsError(
    "RepositoryAlreadyExistsException",
    `The repository with name '${name}' already exists in the registry with id '${accountId}'`,
  );

export const repositoryNotEmpty = (name: string, accountId: string) =>
  new AwsError(
    "RepositoryNotEmptyException",
    `The repository with name '${name}' in registry with id '${accountId}' cannot be deleted because it still contains images`,
  );

export const imageNotFound = (
  id: { digest?: string | undefined; tag?: string | undefined },
  name: string,
  accountId: string,
) =>
  new AwsError(
    "ImageNotFoundException",
    `The image with imageId {imageDigest:'${id.digest ?? "null"}', imageTag:'${id.tag ?? "null"}'} does not exist within the repository with name '${name}' in the registry with id '${accountId}'`,
  );

export const imageAlreadyExists = (digest: string, tag: string, name: string, accountId: string) =>
  new AwsError(
    "ImageAlreadyExistsException",
    `Image with digest '${digest}' and tag '${tag}' already exists in the repository with name '${name}' in registry with id '${accountId}'`,
  );

export const tagImmutable = (tag: string, name: string) =>
  new AwsError(
    "ImageTagAlreadyExistsException",
    `The image tag '${tag}' already exists in the '${name}' repository and cannot be overwritten because the tag is immutable.`,
  );

export const layersNotFound = (digests: readonly string[], name: string) =>
  new AwsError(
    "LayersNotFoundException",
    `The following layers could not be found in the repository with name '${name}': [${digests.join(", ")}]`,
  );

export const referencedImagesNotFound = (digests: readonly string[], name: string) =>
  new AwsError(
    "ReferencedImagesNotFoundException",
    `The following images referenced by the manifest list could not be found in the repository with name '${name}': [${digests.join(", ")}]`,
  );

export const digestMismatch = (expected: string, found: string) =>
  new AwsError(
    "ImageDigestDoesNotMatchException",
    `The specified digest '${expected}' does not match the calculated digest '${found}' of the manifest`,
  );

export const uploadNotFound = (id: string, name: string, accountId: string) =>
  new AwsError(
    "UploadNotFoundException",
    `The upload with id '${id}' could not be found in the repository with name '${name}' in the registry with id '${accountId}'`,
  );

export const policyNotFound = (kind: "Repository" | "Lifecycle", name: string, accountId: string) =>
  new AwsError(
    `${kind}PolicyNotFoundException`,
    `${kind} policy does not exist for the repository with name '${name}' in the registry with id '${accountId}'`,
  );

/** `constraint` is what the parameter must satisfy, as ECR words it: `must have length greater than or equal to 2`. */
export const invalidParameter = (parameter: string, constraint: string) =>
  new AwsError(
    "InvalidParameterException",
    `Invalid parameter at '${parameter}' failed to satisfy constraint: '${constraint}'`,
  );

export const invalidManifest = (reason: string) =>
  new AwsError(
    "InvalidParameterException",
    `Invalid parameter at 'imageManifest' failed to satisfy constraint: '${reason}'`,
  );
