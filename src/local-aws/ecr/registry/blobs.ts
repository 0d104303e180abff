import type { AwsResponse } from "../../service.ts";
import { DIGEST } from "../names.ts";
import { type Upload, UploadDigestError, UploadRangeError } from "../uploads.ts";
import { RegistryError } from "./errors.ts";
import type { RegistryCall } from "./routes.ts";

/** `/v2/NAME/blobs/DIGEST`: HEAD and GET, whole or a range. */
export async function blobRoute(call: RegistryCall, digest: string): Promise<AwsResponse> {
  const { ecr, repository, request } = call;
  checkDigest(digest);
  const head = request.method === "HEAD";
  if (!head && request.method !== "GET")
    throw new RegistryError(405, "UNSUPPORTED", "Blobs go when no image needs them any more");
  call.allow(head ? "BatchCheckLayerAvailability" : "GetDownloadUrlForLayer");
  const size = ecr.uploads.check(repository.id, digest);
  if (size === undefined)
    throw new RegistryError(404, "BLOB_UNKNOWN", `Blob ${digest} is not in the repository '${repository.name}'`);
  const headers = {
    "content-type": "application/octet-stream",
    "docker-content-digest": digest,
    etag: `"${digest}"`,
    "accept-ranges": "bytes",
    "cache-control": "max-age=31536000",
  };
  const range = rangeOf(request.headers.range, size);
  if (range === "unsatisfiable")
    throw new RegistryError(416, "SIZE_INVALID", `The blob has ${size} bytes`, { "content-range": `bytes */${size}` });
  const length = range ? range.end - range.start + 1 : size;
  return {
    status: range ? 206 : 200,
    headers: {
      ...headers,
      "content-length": length,
      ...(range ? { "content-range": `bytes ${range.start}-${range.end}/${size}` } : {}),
    },
    ...(head || length === 0 ? {} : { body: ecr.blobs.read(digest, range) }),
  };
}

/** `/v2/NAME/blobs/uploads/[ID]`: begin (or mount, or all at once), add bytes, ask, finish, give up. */
export async function uploadRoute(call: RegistryCall, id: string): Promise<AwsResponse> {
  const { method } = call.request;
  if (id === "") {
    if (method !== "POST") throw new RegistryError(405, "UNSUPPORTED", "An upload begins with POST");
    return beginUpload(call);
  }
  const upload = await call.ecr.uploads.find(call.repository.id, id);
  if (!upload)
    throw new RegistryError(
      404,
      "BLOB_UPLOAD_UNKNOWN",
      `Upload ${id} is unknown to the repository '${call.repository.name}'`,
    );
  switch (method) {
    case "GET":
      call.allow("UploadLayerPart");
      return status(call, upload, upload.offset, 204);
    case "PATCH":
      call.allow("UploadLayerPart");
      return status(call, upload, await append(call, upload), 202);
    case "PUT":
      return finishUpload(call, upload);
    case "DELETE":
      call.allow("UploadLayerPart");
      await call.ecr.uploads.cancel(upload);
      return { status: 204 };
    default:
      throw new RegistryError(405, "UNSUPPORTED", `Uploads do not take ${method}`);
  }
}

async function beginUpload(call: RegistryCall): Promise<AwsResponse> {
  call.allow("InitiateLayerUpload");
  const { ecr, repository, request } = call;
  ecr.garbage.maybeCollect();
  const mount = request.query.get("mount");
  if (mount !== null && mountBlob(call, mount, request.query.get("from"))) return created(call, mount);
  const upload = await ecr.uploads.start(repository.id);
  if (request.query.get("digest") !== null) return finishUpload(call, upload);
  return status(call, upload, 0, 202);
}

/** The blob of another repository (or one that this repository has already). Otherwise the client uploads, as the specification says. */
function mountBlob(call: RegistryCall, digest: string, from: string | null): boolean {
  const { ecr, repository } = call;
  if (!DIGEST.test(digest)) return false;
  const source = from === null ? repository : call.sibling(from);
  return source !== undefined && ecr.uploads.mount(repository.id, source.id, digest);
}

async function finishUpload(call: RegistryCall, upload: Upload): Promise<AwsResponse> {
  call.allow("CompleteLayerUpload");
  const digest = call.request.query.get("digest") ?? "";
  checkDigest(digest);
  await append(call, upload);
  try {
    await call.ecr.uploads.finish(upload, digest);
  } catch (error) {
    if (!(error instanceof UploadDigestError)) throw error;
    await call.ecr.uploads.cancel(upload);
    throw new RegistryError(400, "DIGEST_INVALID", error.message);
  }
  return created(call, digest);
}

async function append(call: RegistryCall, upload: Upload): Promise<number> {
  const { headers, body } = call.request;
  const range = headers["content-range"];
  const start = range === undefined ? undefined : /^(?:bytes )?(\d+)-(\d+)/.exec(range)?.[1];
  if (range !== undefined && start === undefined)
    throw new RegistryError(416, "SIZE_INVALID", `Content-Range '${range}' is not FIRST-LAST`);
  try {
    return await call.ecr.uploads.append(upload, body, start === undefined ? undefined : Number(start));
  } catch (error) {
    if (!(error instanceof UploadRangeError)) throw error;
    throw new RegistryError(416, "BLOB_UPLOAD_INVALID", error.message, progress(call, upload, error.offset));
  }
}

function status(call: RegistryCall, upload: Upload, offset: number, code: number): AwsResponse {
  return { status: code, headers: { ...progress(call, upload, offset), "content-length": 0 } };
}

function progress(call: RegistryCall, upload: Upload, offset: number): Record<string, string> {
  return {
    location: `/v2/${call.repository.name}/blobs/uploads/${upload.id}`,
    range: `0-${Math.max(offset - 1, 0)}`,
    "docker-upload-uuid": upload.id,
  };
}

function created(call: RegistryCall, digest: string): AwsResponse {
  return {
    status: 201,
    headers: {
      location: `/v2/${call.repository.name}/blobs/${digest}`,
      "docker-content-digest": digest,
      "content-length": 0,
    },
  };
}

function checkDigest(digest: string): void {
  if (!DIGEST.test(digest)) throw new RegistryError(400, "DIGEST_INVALID", `'${digest}' is not a sha256 digest`);
}

/** One range of `Range: bytes=`; several, or another unit, are answered with the whole blob as RFC 9110 allows. */
function rangeOf(
  header: string | undefined,
  size: number,
): { start: number; end: number } | "unsatisfiable" | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  const [, first, last] = match as unknown as [string, string, string];
  const start = first === "" ? Math.max(size - Number(last), 0) : Number(first);
  const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  return start >= size || start > end ? "unsatisfiable" : { start, end };
}
