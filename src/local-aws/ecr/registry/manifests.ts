import type { AwsResponse } from "../../service.ts";
import type { StoredImage } from "../images.ts";
import { MANIFEST_LIMIT } from "../manifest.ts";
import { DIGEST, TAG } from "../names.ts";
import { RegistryError } from "./errors.ts";
import type { RegistryCall } from "./routes.ts";

/** `/v2/NAME/manifests/REFERENCE`, by tag or digest. */
export async function manifestRoute(call: RegistryCall, reference: string): Promise<AwsResponse> {
  const id = DIGEST.test(reference) ? { digest: reference } : { tag: reference };
  if (id.tag !== undefined && !TAG.test(id.tag))
    throw new RegistryError(404, "MANIFEST_UNKNOWN", `'${reference}' is neither a tag nor a sha256 digest`);
  switch (call.request.method) {
    case "GET":
    case "HEAD":
      return getManifest(call, id);
    case "PUT":
      return putManifest(call, id);
    case "DELETE":
      return deleteManifest(call, id);
    default:
      throw new RegistryError(405, "UNSUPPORTED", `Manifests do not take ${call.request.method}`);
  }
}

type Reference = { readonly digest?: string; readonly tag?: string };

function find(call: RegistryCall, id: Reference): StoredImage {
  const { ecr, repository } = call;
  const image = ecr.images.find(repository, id);
  if (image) return image;
  throw new RegistryError(
    404,
    "MANIFEST_UNKNOWN",
    `Requested image not found: ${repository.name}${id.digest === undefined ? `:${id.tag}` : `@${id.digest}`}`,
  );
}

function getManifest(call: RegistryCall, id: Reference): AwsResponse {
  call.allow("BatchGetImage");
  const { ecr, repository, request } = call;
  const image = find(call, id);
  const content = ecr.images.content(repository, image.digest);
  if (request.method === "GET") ecr.images.pulled(repository, image.digest);
  return {
    status: 200,
    headers: {
      "content-type": image.mediaType,
      "content-length": content.length,
      "docker-content-digest": image.digest,
      etag: `"${image.digest}"`,
    },
    ...(request.method === "GET" ? { body: content } : {}),
  };
}

async function putManifest(call: RegistryCall, id: Reference): Promise<AwsResponse> {
  call.allow("PutImage");
  const { ecr, repository, request } = call;
  const content = await request.readBody(MANIFEST_LIMIT);
  const { image } = ecr.images.put(repository, {
    content,
    mediaType: request.headers["content-type"]?.split(";")[0]?.trim(),
    ...id,
  });
  return {
    status: 201,
    headers: {
      location: `/v2/${repository.name}/manifests/${image.digest}`,
      "docker-content-digest": image.digest,
      "content-length": 0,
      ...(image.subject === undefined ? {} : { "oci-subject": image.subject }),
    },
  };
}

function deleteManifest(call: RegistryCall, id: Reference): AwsResponse {
  call.allow("BatchDeleteImage");
  const { ecr, repository } = call;
  const image = find(call, id);
  const last = id.tag === undefined || image.tags.length <= 1;
  const indexes = last ? ecr.images.indexesOf(repository, image.digest) : [];
  if (indexes.length > 0)
    throw new RegistryError(409, "DENIED", `Requested image referenced by manifest list: [${indexes.join(", ")}]`);
  if (id.tag !== undefined) ecr.images.untag(repository, id.tag);
  else ecr.images.delete(repository, image.digest);
  ecr.garbage.maybeCollect();
  return { status: 202, headers: { "content-length": 0 } };
}
