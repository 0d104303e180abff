import { AwsError } from "../service.ts";
import { checkTags, readCount, refuseAcl } from "./attributes.ts";
import { malformedXml } from "./errors.ts";
import { isoSeconds, owner, type S3Handler, xmlAnswer } from "./handler.ts";
import { parseXml, readXml } from "./request-xml.ts";

export const listBuckets: S3Handler = ({ objects, accountId }, { query }) => {
  const prefix = query.get("prefix") ?? "";
  const token = query.get("continuation-token");
  const after = token === null ? "" : Buffer.from(token, "base64url").toString("utf8");
  const limit = query.has("max-buckets") ? readCount(query, "max-buckets", 10_000) : 10_000;
  const found = objects.buckets.list().filter(({ name }) => name.startsWith(prefix) && name > after);
  const shown = found.slice(0, limit);
  const last = shown.at(-1);
  return xmlAnswer("ListAllMyBucketsResult", {
    Owner: owner(accountId),
    Buckets: {
      Bucket: shown.map(({ name, createdAt, region }) => ({
        Name: name,
        CreationDate: isoSeconds(createdAt),
        BucketRegion: region,
      })),
    },
    ...(found.length > shown.length && last !== undefined
      ? { ContinuationToken: Buffer.from(last.name, "utf8").toString("base64url") }
      : {}),
    ...(prefix === "" ? {} : { Prefix: prefix }),
  });
};

export const createBucket: S3Handler = async ({ objects }, request, bucket) => {
  refuseAcl(request.headers);
  const body = (await request.readBody(64 * 1024)).toString("utf8").trim();
  const constraint = body === "" ? undefined : parseXml(body, "CreateBucketConfiguration").textOf("LocationConstraint");
  const region =
    constraint === undefined || constraint === "" ? "us-east-1" : constraint === "EU" ? "eu-west-1" : constraint;
  if (request.region !== region && request.region !== "us-east-1") {
    throw new AwsError(
      "IllegalLocationConstraintException",
      `The ${constraint ?? "unspecified"} location constraint is incompatible for the region specific endpoint this request was sent to.`,
      400,
    );
  }
  if (constraint !== undefined && !/^[a-z]{2}(-[a-z]+)+-\d$|^EU$|^$/.test(constraint)) {
    throw new AwsError("InvalidLocationConstraint", "The specified location-constraint is not valid", 400, {
      LocationConstraint: constraint,
    });
  }
  objects.buckets.create(bucket, region);
  return { status: 200, headers: { location: `/${bucket}` } };
};

export const headBucket: S3Handler = ({ objects }, _request, bucket) => {
  const { region } = objects.buckets.get(bucket);
  return { status: 200, headers: { "x-amz-bucket-region": region, "content-type": "application/xml" } };
};

export const deleteBucket: S3Handler = ({ objects }, _request, bucket) => {
  objects.buckets.delete(bucket);
  return { status: 204 };
};

export const getBucketLocation: S3Handler = ({ objects }, _request, bucket) => {
  const { region } = objects.buckets.get(bucket);
  const answer = xmlAnswer("LocationConstraint", {});
  // The one document of S3 whose root holds text; us-east-1 is told by an empty one.
  const body = String(answer.body).replace(
    "></LocationConstraint>",
    `>${region === "us-east-1" ? "" : region}</LocationConstraint>`,
  );
  return { ...answer, body };
};

export const getBucketVersioning: S3Handler = ({ objects }, _request, bucket) => {
  objects.buckets.get(bucket);
  return xmlAnswer("VersioningConfiguration", {});
};

export const getAcl: S3Handler = ({ objects, accountId }, _request, bucket, key) => {
  objects.buckets.get(bucket);
  if (key !== "") objects.rows.get(bucket, key);
  const body = String(
    xmlAnswer("AccessControlPolicy", {
      Owner: owner(accountId),
      AccessControlList: { Grant: { Grantee: owner(accountId), Permission: "FULL_CONTROL" } },
    }).body,
  ).replace("<Grantee>", '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">');
  return { status: 200, headers: { "content-type": "application/xml" }, body };
};

export const getBucketTagging: S3Handler = ({ objects }, _request, bucket) => {
  const { tags } = objects.buckets.get(bucket);
  if (tags === undefined) throw new AwsError("NoSuchTagSet", "The TagSet does not exist", 404, { BucketName: bucket });
  return xmlAnswer("Tagging", tagSet(tags));
};

export const putBucketTagging: S3Handler = async ({ objects }, request, bucket) => {
  const tags = readTagging(await readXml(request, "Tagging"), 50);
  objects.buckets.setTags(bucket, tags);
  return { status: 204 };
};

export const deleteBucketTagging: S3Handler = ({ objects }, _request, bucket) => {
  objects.buckets.setTags(bucket, undefined);
  return { status: 204 };
};

/** The answer for a configuration that a bucket does not have, and cannot be given here. */
export function absentConfiguration(code: string, text: string): S3Handler {
  return ({ objects }, _request, bucket) => {
    objects.buckets.get(bucket);
    throw new AwsError(code, text, 404, { BucketName: bucket });
  };
}

export function tagSet(tags: Readonly<Record<string, string>>) {
  return { TagSet: { Tag: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) } };
}

export function readTagging(document: Awaited<ReturnType<typeof readXml>>, limit: number): Record<string, string> {
  const set = document.one("TagSet");
  if (set === undefined) throw malformedXml();
  return checkTags(
    set.all("Tag").map((tag) => [tag.textOf("Key") ?? "", tag.textOf("Value") ?? ""] as const),
    limit,
  );
}
