import type { JsonObject } from "../../core/json.ts";
import type { JsonOperation } from "../json-protocol.ts";
import type { Ecr } from "./ecr.ts";
import { imageAlreadyExists, imageNotFound, invalidParameter } from "./errors.ts";
import type { ImageId, StoredImage } from "./images.ts";
import { objectsOf, oneOf, optionalInteger, optionalObject, optionalString, stringOf } from "./input.ts";
import { DIGEST, TAG } from "./names.ts";
import { pageOf } from "./paging.ts";
import type { Repository } from "./repositories.ts";
import { identity, next, repositoryOf } from "./repository-operations.ts";

interface ImageFailure {
  readonly imageId: object;
  readonly failureCode: string;
  readonly failureReason: string;
}

/** PutImage, the three ways to look at images, and BatchDeleteImage. */
export function imageOperations(ecr: Ecr): Record<string, JsonOperation> {
  const { images } = ecr;

  return {
    PutImage: (input, request) => {
      const repository = repositoryOf(ecr, input, request);
      const tag = optionalString(input, "imageTag");
      const put = images.put(repository, {
        content: Buffer.from(stringOf(input, "imageManifest")),
        mediaType: optionalString(input, "imageManifestMediaType"),
        tag,
        digest: optionalString(input, "imageDigest"),
      });
      if (!put.created)
        throw imageAlreadyExists(put.image.digest, tag ?? "null", repository.name, repository.accountId);
      return { image: imageBody(ecr, repository, put.image, { tag }) };
    },

    DescribeImages: (input, request) => {
      const repository = repositoryOf(ecr, input, request);
      const ids = imageIdsOf(input, 100);
      if (ids.length > 0) {
        if (input.maxResults !== undefined || input.nextToken !== undefined)
          throw invalidParameter("imageIds", "must not be given together with maxResults or nextToken");
        const found = ids.map((id) => {
          const image = images.find(repository, id);
          if (!image) throw imageNotFound(id, repository.name, repository.accountId);
          return image;
        });
        const unique = [...new Map(found.map((image) => [image.digest, image])).values()];
        return { imageDetails: unique.map((image) => details(repository, image)) };
      }
      const page = pageOf(
        filtered(images.list(repository), input),
        orderKey,
        optionalString(input, "nextToken"),
        optionalInteger(input, "maxResults", 1, 1000) ?? 100,
      );
      return { imageDetails: page.items.map((image) => details(repository, image)), ...next(page.nextToken) };
    },

    ListImages: (input, request) => {
      const repository = repositoryOf(ecr, input, request);
      const ids = filtered(images.list(repository), input).flatMap((image) =>
        image.tags.length === 0
          ? [{ imageDigest: image.digest }]
          : image.tags.map((imageTag) => ({ imageDigest: image.digest, imageTag })),
      );
      const keyOf = (id: { imageDigest: string; imageTag?: string }) => `${id.imageDigest} ${id.imageTag ?? ""}`;
      const page = pageOf(
        ids.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
        keyOf,
        optionalString(input, "nextToken"),
        optionalInteger(input, "maxResults", 1, 1000) ?? 100,
      );
      return { imageIds: page.items, ...next(page.nextToken) };
    },

    BatchGetImage: (input, request) => {
      const repository = repositoryOf(ecr, input, request);
      const found: object[] = [];
      const failures: ImageFailure[] = [];
      for (const id of requiredImageIds(input)) {
        const failure = whyNot(ecr, repository, id);
        if (failure) failures.push(failure);
        else {
          const image = images.find(repository, id)!;
          images.pulled(repository, image.digest);
          found.push(imageBody(ecr, repository, image, id));
        }
      }
      return { images: found, failures };
    },

    BatchDeleteImage: (input, request) => {
      const repository = repositoryOf(ecr, input, request);
      const gone: object[] = [];
      const failures: ImageFailure[] = [];
      for (const id of requiredImageIds(input)) {
        const failure = whyNot(ecr, repository, id) ?? stillReferenced(ecr, repository, id);
        if (failure) {
          failures.push(failure);
          continue;
        }
        const image = images.find(repository, id)!;
        if (id.tag !== undefined) {
          images.untag(repository, id.tag);
          gone.push({ imageDigest: image.digest, imageTag: id.tag });
          continue;
        }
        images.delete(repository, image.digest);
        const tags = image.tags.length === 0 ? [undefined] : image.tags;
        for (const tag of tags) gone.push(imageIdBody({ digest: image.digest, tag }));
      }
      ecr.garbage.maybeCollect();
      return { imageIds: gone, failures };
    },
  };
}

function imageIdsOf(input: JsonObject, maximum: number): readonly ImageId[] {
  return (objectsOf(input, "imageIds", maximum) ?? []).map((id) => ({
    digest: optionalString(id, "imageDigest"),
    tag: optionalString(id, "imageTag"),
  }));
}

function requiredImageIds(input: JsonObject): readonly ImageId[] {
  const ids = imageIdsOf(input, 100);
  if (ids.length === 0) throw invalidParameter("imageIds", "must have length greater than or equal to 1");
  return ids;
}

function whyNot(ecr: Ecr, repository: Repository, id: ImageId): ImageFailure | undefined {
  const failure = (failureCode: string, failureReason: string) => ({
    imageId: imageIdBody(id),
    failureCode,
    failureReason,
  });
  if (id.digest === undefined && id.tag === undefined)
    return failure("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null");
  if (id.digest !== undefined && !DIGEST.test(id.digest))
    return failure(
      "InvalidImageDigest",
      "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
    );
  if (id.tag !== undefined && !TAG.test(id.tag))
    return failure("InvalidImageTag", "Invalid request parameters: image tag should be a valid tag");
  if (ecr.images.find(repository, id)) return undefined;
  if (id.digest !== undefined && id.tag !== undefined && ecr.images.find(repository, { tag: id.tag }))
    return failure("ImageTagDoesNotMatchDigest", "The image tag does not match the image digest");
  return failure("ImageNotFound", "Requested image not found");
}

/** An image stays while an index holds it; only its tags may go. */
function stillReferenced(ecr: Ecr, repository: Repository, id: ImageId): ImageFailure | undefined {
  const image = ecr.images.find(repository, id)!;
  const last = id.tag === undefined || image.tags.length <= 1;
  const indexes = last ? ecr.images.indexesOf(repository, image.digest) : [];
  if (indexes.length === 0) return undefined;
  return {
    imageId: imageIdBody(id),
    failureCode: "ImageReferencedByManifestList",
    failureReason: `Requested image referenced by manifest list: [${indexes.join(", ")}]`,
  };
}

function filtered(all: StoredImage[], input: JsonObject): StoredImage[] {
  const wanted = oneOf("tagStatus", optionalString(optionalObject(input, "filter") ?? {}, "tagStatus") ?? "ANY", [
    "TAGGED",
    "UNTAGGED",
    "ANY",
  ]);
  if (wanted === "ANY") return all;
  return all.filter((image) => image.tags.length > 0 === (wanted === "TAGGED"));
}

/** Oldest first; sorts as text because a time in milliseconds has 13 digits until the year 2286. */
function orderKey(image: StoredImage): string {
  return `${image.pushedAt} ${image.digest}`;
}

function details(repository: Repository, image: StoredImage): object {
  return {
    ...identity(repository),
    imageDigest: image.digest,
    ...(image.tags.length > 0 ? { imageTags: image.tags } : {}),
    ...(image.imageSize === undefined ? {} : { imageSizeInBytes: image.imageSize }),
    imagePushedAt: image.pushedAt / 1000,
    imageManifestMediaType: image.mediaType,
    ...(image.artifactMediaType === undefined ? {} : { artifactMediaType: image.artifactMediaType }),
    ...(image.pulledAt === undefined ? {} : { lastRecordedPullTime: image.pulledAt / 1000 }),
    ...(image.subject === undefined ? {} : { subjectManifestDigest: image.subject }),
    imageStatus: "ACTIVE",
  };
}

function imageBody(ecr: Ecr, repository: Repository, image: StoredImage, id: ImageId): object {
  return {
    ...identity(repository),
    imageId: imageIdBody({ digest: image.digest, tag: id.tag }),
    imageManifest: ecr.images.content(repository, image.digest).toString("utf8"),
    imageManifestMediaType: image.mediaType,
  };
}

function imageIdBody(id: ImageId): object {
  return {
    ...(id.digest === undefined ? {} : { imageDigest: id.digest }),
    ...(id.tag === undefined ? {} : { imageTag: id.tag }),
  };
}
