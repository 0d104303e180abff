import { AwsError, type AwsRequest, type AwsResponse, type AwsService, type LocalAwsContext } from "../service.ts";
import * as buckets from "./bucket-operations.ts";
import * as copies from "./copy-operations.ts";
import { notImplemented } from "./errors.ts";
import type { S3, S3Handler } from "./handler.ts";
import * as lists from "./list-operations.ts";
import { createMultipartStore } from "./multipart.ts";
import * as uploads from "./multipart-operations.ts";
import * as objectOperations from "./object-operations.ts";
import type { ObjectStore } from "./object-store.ts";
import { demand, hideAbsence, permissionsOf } from "./permissions.ts";
import * as policies from "./policy-operations.ts";
import { targetOf } from "./target.ts";

interface Operation {
  /** What IAM calls it: `s3:GetObject`. */
  readonly action: string;
  readonly run: S3Handler;
}

const op = (action: string, run: S3Handler): Operation => ({ action: `s3:${action}`, run });
const absent = (action: string, code: string, text: string) => op(action, buckets.absentConfiguration(code, text));

/** Operations by level, method and the query parameter that singles them out (empty: the plain one). */
const ACCOUNT: Readonly<Record<string, Operation>> = { "GET ": op("ListAllMyBuckets", buckets.listBuckets) };

const DELETE_OBJECTS = op("DeleteObject", objectOperations.deleteObjects);

const BUCKET: Readonly<Record<string, Operation>> = {
  "PUT ": op("CreateBucket", buckets.createBucket),
  "HEAD ": op("ListBucket", buckets.headBucket),
  "DELETE ": op("DeleteBucket", buckets.deleteBucket),
  "GET ": op("ListBucket", lists.listObjects),
  "GET list-type": op("ListBucket", lists.listObjectsV2),
  "GET location": op("GetBucketLocation", buckets.getBucketLocation),
  "GET versioning": op("GetBucketVersioning", buckets.getBucketVersioning),
  "GET acl": op("GetBucketAcl", buckets.getAcl),
  "GET uploads": op("ListBucketMultipartUploads", uploads.listMultipartUploads),
  "GET tagging": op("GetBucketTagging", buckets.getBucketTagging),
  "PUT tagging": op("PutBucketTagging", buckets.putBucketTagging),
  "DELETE tagging": op("PutBucketTagging", buckets.deleteBucketTagging),
  "POST delete": DELETE_OBJECTS,
  "GET policy": op("GetBucketPolicy", policies.getBucketPolicy),
  "PUT policy": op("PutBucketPolicy", policies.putBucketPolicy),
  "DELETE policy": op("DeleteBucketPolicy", policies.deleteBucketPolicy),
  "GET cors": absent("GetBucketCORS", "NoSuchCORSConfiguration", "The CORS configuration does not exist"),
  "GET lifecycle": absent(
    "GetLifecycleConfiguration",
    "NoSuchLifecycleConfiguration",
    "The lifecycle configuration does not exist",
  ),
  "GET website": absent(
    "GetBucketWebsite",
    "NoSuchWebsiteConfiguration",
    "The specified bucket does not have a website configuration",
  ),
  "GET object-lock": absent(
    "GetBucketObjectLockConfiguration",
    "ObjectLockConfigurationNotFoundError",
    "Object Lock configuration does not exist for this bucket",
  ),
};

const OBJECT: Readonly<Record<string, Operation>> = {
  "PUT ": op("PutObject", objectOperations.putObject),
  "GET ": op("GetObject", objectOperations.getObject),
  "HEAD ": op("GetObject", objectOperations.headObject),
  "DELETE ": op("DeleteObject", objectOperations.deleteObject),
  "GET attributes": op("GetObjectAttributes", objectOperations.getObjectAttributes),
  "GET acl": op("GetObjectAcl", buckets.getAcl),
  "GET tagging": op("GetObjectTagging", objectOperations.getObjectTagging),
  "PUT tagging": op("PutObjectTagging", objectOperations.putObjectTagging),
  "DELETE tagging": op("DeleteObjectTagging", objectOperations.deleteObjectTagging),
  "POST uploads": op("PutObject", uploads.createMultipartUpload),
  "PUT uploadId": op("PutObject", uploads.uploadPart),
  "POST uploadId": op("PutObject", uploads.completeMultipartUpload),
  "GET uploadId": op("ListMultipartUploadParts", uploads.listParts),
  "DELETE uploadId": op("AbortMultipartUpload", uploads.abortMultipartUpload),
};

const COPY = op("PutObject", copies.copyObject);
const COPY_PART = op("PutObject", copies.uploadPartCopy);

/** Parameters that make a request mean something else; one that is not served is refused rather than passed over. */
const SUBRESOURCES = new Set(
  `accelerate acl analytics attributes cors delete encryption intelligent-tiering inventory legal-hold lifecycle list-type location
   logging metadataTable metrics notification object-lock ownershipControls policy policyStatus publicAccessBlock replication
   requestPayment restore retention select session tagging torrent uploadId uploads versioning versions versionId website`.split(
    /\s+/,
  ),
);

/** Simple Storage Service over an object store. https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html */
export function createS3Service(context: LocalAwsContext, objects: ObjectStore): AwsService {
  const s3: S3 = { objects, multipart: createMultipartStore(context, objects), accountId: context.accountId };
  return { scope: "s3", protocol: "rest-xml", handle: (request) => handle(s3, request) };
}

async function handle(s3: S3, request: AwsRequest): Promise<AwsResponse> {
  const { bucket, key } = targetOf(request);
  const operation = operationOf(request, bucket, key);
  if (operation === undefined) {
    throw new AwsError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405, {
      Method: request.method,
      ResourceType: key !== undefined ? "OBJECT" : bucket !== undefined ? "BUCKET" : "SERVICE",
    });
  }
  // Of the objects that one request deletes each is asked for by itself.
  if (operation !== DELETE_OBJECTS) {
    for (const permission of permissionsOf(s3, request, operation.action, bucket, key)) demand(request, permission);
  }
  try {
    return await operation.run(s3, request, bucket ?? "", key ?? "");
  } catch (error) {
    throw hideAbsence(error, request, bucket);
  }
}

function operationOf(request: AwsRequest, bucket: string | undefined, key: string | undefined): Operation | undefined {
  const { method, query, headers } = request;
  const subresource = [...query.keys()].find((name) => SUBRESOURCES.has(name)) ?? "";
  if (subresource === "versionId" && query.get("versionId") !== "null") throw notImplemented("versionId");
  const name = `${method} ${subresource === "versionId" ? "" : subresource}`;
  const table = bucket === undefined ? ACCOUNT : key === undefined ? BUCKET : OBJECT;
  if (table === OBJECT && headers["x-amz-copy-source"] !== undefined) {
    if (name === "PUT ") return COPY;
    if (name === "PUT uploadId") return COPY_PART;
  }
  const operation = Object.hasOwn(table, name) ? table[name] : undefined;
  if (operation === undefined && subresource !== "") throw notImplemented(subresource);
  return operation;
}
