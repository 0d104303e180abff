/** A place in S3 that jobs read or write: everything whose key begins with `prefix`. Both may have `*` for what is not known. */
export interface S3Place {
  readonly bucket: string;
  readonly prefix: string;
}

/** Reads `s3://BUCKET/PREFIX` or an https address of S3; undefined for anything else. */
export function s3Place(uri: string): S3Place | undefined {
  const plain = /^s3:\/\/([^/]+)\/?(.*)$/s.exec(uri);
  const path = /^https:\/\/s3[.-][^/]*amazonaws\.com(?:\.cn)?\/([^/]+)\/?(.*)$/s.exec(uri);
  const virtual = /^https:\/\/([^/]+)\.s3[.-][^/]*amazonaws\.com(?:\.cn)?\/?(.*)$/s.exec(uri);
  const match = plain ?? path ?? virtual;
  return match === null ? undefined : { bucket: match[1]!, prefix: match[2]! };
}

/** The objects that begin with the prefix itself: `train` is also `train-2/x`, as SageMaker reads an S3Prefix. */
export function objectsFrom(place: S3Place, partition: string): string {
  return `arn:${partition}:s3:::${place.bucket}/${place.prefix}*`.replace(/\*+$/, "*");
}

/** The objects below the place: SageMaker puts a `/` between an output path and what it adds. */
export function objectsBelow(place: S3Place, partition: string): string {
  const prefix = place.prefix.replace(/\/+$/, "");
  return `arn:${partition}:s3:::${place.bucket}/${prefix === "" ? "" : `${prefix}/`}*`;
}

export function bucketArn(place: S3Place, partition: string): string {
  return `arn:${partition}:s3:::${place.bucket}`;
}
