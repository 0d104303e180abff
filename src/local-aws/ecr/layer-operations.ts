import type { JsonObject } from "../../core/json.ts";
import type { JsonOperation } from "../json-protocol.ts";
import { AwsError, type AwsRequest } from "../service.ts";
import type { Ecr } from "./ecr.ts";
import { invalidParameter, uploadNotFound } from "./errors.ts";
import { optionalInteger, optionalStrings, stringOf } from "./input.ts";
import { DIGEST } from "./names.ts";
import type { Repository } from "./repositories.ts";
import { identity, repositoryOf } from "./repository-operations.ts";
import { type Upload, UploadDigestError, UploadRangeError } from "./uploads.ts";

/** ECR's part size for uploads through the API (ECR API reference, InitiateLayerUpload). */
const PART_SIZE = 10_485_760;
/** How long a download address is good. */
const DOWNLOAD_MS = 3_600_000;
const MEDIA_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/** Layers by the API: what clients that do not speak the registry protocol use. */
export function layerOperations(ecr: Ecr): Record<string, JsonOperation> {
  const { uploads } = ecr;

  async function uploadOf(repository: Repository, input: JsonObject): Promise<Upload> {
    const id = stringOf(input, "uploadId");
    const upload = await uploads.find(repository.id, id);
    if (!upload) throw uploadNotFound(id, repository.name, repository.accountId);
    return upload;
  }

  return {
    BatchCheckLayerAvailability: (input, request) => {
      const repository = repositoryOf(ecr, input, request);
      const digests = optionalStrings(input, "layerDigests", 100) ?? [];
      if (digests.length === 0) throw invalidParameter("layerDigests", "must have length greater than or equal to 1");
      const layers: object[] = [];
      const failures: object[] = [];
      for (const layerDigest of digests) {
        if (!DIGEST.test(layerDigest)) {
          failures.push({
            layerDigest,
            failureCode: "InvalidLayerDigest",
            failureReason: "Invalid request parameters: layer digest should be a sha256 digest",
          });
          continue;
        }
        const layerSize = uploads.check(repository.id, layerDigest);
        layers.push(
          layerSize === undefined
            ? { layerDigest, layerAvailability: "UNAVAILABLE" }
            : { layerDigest, layerAvailability: "AVAILABLE", layerSize, mediaType: MEDIA_TYPE },
        );
      }
      return { layers, failures };
    },

    InitiateLayerUpload: async (input, request) => {
      const repository = repositoryOf(ecr, input, request);
      ecr.garbage.maybeCollect();
      const upload = await uploads.start(repository.id);
      return { uploadId: upload.id, partSize: PART_SIZE };
    },

    UploadLayerPart: async (input, request) => {
      const repository = repositoryOf(ecr, input, request);
      const upload = await uploadOf(repository, input);
      const first = optionalInteger(input, "partFirstByte", 0, Number.MAX_SAFE_INTEGER);
      const last = optionalInteger(input, "partLastByte", 0, Number.MAX_SAFE_INTEGER);
      if (first === undefined || last === undefined) throw invalidParameter("partFirstByte", "must not be null");
      const part = Buffer.from(stringOf(input, "layerPartBlob"), "base64");
      if (part.length !== last - first + 1) throw invalidPart(repository, upload);
      try {
        const offset = await uploads.append(upload, asyncOf(part), first);
        return { ...identity(repository), uploadId: upload.id, lastByteReceived: offset - 1 };
      } catch (error) {
        if (error instanceof UploadRangeError) throw invalidPart(repository, { ...upload, offset: error.offset });
        throw error;
      }
    },

    CompleteLayerUpload: async (input, request) => {
      const repository = repositoryOf(ecr, input, request);
      const digests = optionalStrings(input, "layerDigests", 100) ?? [];
      const layerDigest = digests[0];
      if (digests.length !== 1 || layerDigest === undefined)
        throw invalidParameter("layerDigests", "must have length equal to 1");
      if (!DIGEST.test(layerDigest)) throw invalidParameter("layerDigests", "must be a sha256 digest");
      const upload = await uploadOf(repository, input);
      if (upload.offset === 0)
        throw new AwsError(
          "EmptyUploadException",
          `The upload with id '${upload.id}' cannot be completed because it has no layer parts`,
        );
      if (uploads.check(repository.id, layerDigest) !== undefined) {
        await uploads.cancel(upload);
        throw new AwsError(
          "LayerAlreadyExistsException",
          `The layer with digest '${layerDigest}' already exists in the repository with name '${repository.name}' in the registry with id '${repository.accountId}'`,
        );
      }
      try {
        await uploads.finish(upload, layerDigest);
      } catch (error) {
        if (!(error instanceof UploadDigestError)) throw error;
        throw new AwsError(
          "InvalidLayerException",
          `The layer digest '${layerDigest}' does not match the calculated digest '${error.found}' of the uploaded parts`,
        );
      }
      return { ...identity(repository), uploadId: upload.id, layerDigest };
    },

    GetDownloadUrlForLayer: (input, request) => {
      const repository = repositoryOf(ecr, input, request);
      const layerDigest = stringOf(input, "layerDigest");
      if (!DIGEST.test(layerDigest)) throw invalidParameter("layerDigest", "must be a sha256 digest");
      if (uploads.check(repository.id, layerDigest) === undefined)
        throw new AwsError(
          "LayersNotFoundException",
          `The layer with digest '${layerDigest}' does not exist in the repository with name '${repository.name}' in the registry with id '${repository.accountId}'`,
        );
      return { downloadUrl: downloadUrl(ecr, request, repository, layerDigest), layerDigest };
    },
  };
}

/** An address that carries its own short-lived right to this one blob. */
function downloadUrl(ecr: Ecr, request: AwsRequest, repository: Repository, digest: string): string {
  const ticket = ecr.tokens.issueDownload({ repositoryId: repository.id, digest, lifetimeMs: DOWNLOAD_MS });
  return `${request.baseUrl}/v2/${repository.name}/blobs/${digest}?download=${encodeURIComponent(ticket)}`;
}

function invalidPart(repository: Repository, upload: Upload): AwsError {
  return new AwsError(
    "InvalidLayerPartException",
    `Layer part invalid: the upload with id '${upload.id}' in the repository with name '${repository.name}' continues at byte ${upload.offset}`,
    400,
    { lastValidByteReceived: String(upload.offset - 1), uploadId: upload.id, ...identity(repository) },
  );
}

async function* asyncOf(part: Buffer): AsyncGenerator<Buffer> {
  yield part;
}
