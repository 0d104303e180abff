import { expect, test } from "vitest";
import { targetOf } from "./target.ts";

test.each([
  ["127.0.0.1:4566", "/", undefined, undefined],
  ["127.0.0.1:4566", "/bucket", "bucket", undefined],
  ["127.0.0.1:4566", "/bucket/", "bucket", undefined],
  ["localhost:4566", "/bucket/a%20b/%C3%BC+", "bucket", "a b/ü+"],
  ["localhost", "/bucket//a//b/", "bucket", "/a//b/"],
  ["bucket.localhost:4566", "/key", "bucket", "key"],
  ["my.bucket.localhost:4566", "/", "my.bucket", undefined],
  ["s3.localhost:4566", "/bucket/key", "bucket", "key"],
  ["bucket.s3.localhost:4566", "/key", "bucket", "key"],
  ["bucket.s3.us-east-1.localhost", "/key", "bucket", "key"],
  ["bucket.s3.amazonaws.com", "/a/b", "bucket", "a/b"],
  ["my.bucket.s3.eu-west-1.amazonaws.com", "/a", "my.bucket", "a"],
  ["bucket.s3-eu-west-1.amazonaws.com", "/a", "bucket", "a"],
  ["s3.eu-west-1.amazonaws.com", "/bucket/a", "bucket", "a"],
  ["localhost", "/bucket/100%/%zz/%41", "bucket", "100%/%zz/A"],
])("%s%s is bucket %s, key %s", (host, rawPath, bucket, key) => {
  expect(targetOf({ host, rawPath })).toEqual({ bucket, key });
});
