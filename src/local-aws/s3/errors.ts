import { AwsError } from "../service.ts";

/** S3's errors, in its codes and words. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */

export function noSuchBucket(bucket: string): AwsError {
  return new AwsError("NoSuchBucket", "The specified bucket does not exist", 404, { BucketName: bucket });
}

export function noSuchKey(key: string): AwsError {
  return new AwsError("NoSuchKey", "The specified key does not exist.", 404, { Key: key });
}

export function noSuchUpload(uploadId: string): AwsError {
  return new AwsError(
    "NoSuchUpload",
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    404,
    { UploadId: uploadId },
  );
}

export function preconditionFailed(condition: string): AwsError {
  return new AwsError("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412, {
    Condition: condition,
  });
}

export function invalidArgument(text: string, name: string, value: string): AwsError {
  return new AwsError("InvalidArgument", text, 400, { ArgumentName: name, ArgumentValue: value });
}

export function invalidRequest(text: string): AwsError {
  return new AwsError("InvalidRequest", text, 400);
}

export function malformedXml(): AwsError {
  return new AwsError(
    "MalformedXML",
    "The XML you provided was not well-formed or did not validate against our published schema",
    400,
  );
}

/** S3's own answer to a header, or a value of it, that the call does not take. */
export function notImplemented(header: string, more?: string): AwsError {
  return new AwsError("NotImplemented", "A header you provided implies functionality that is not implemented", 501, {
    Header: header,
    ...(more === undefined ? {} : { additionalMessage: more }),
  });
}
