import { describe, expect, test } from "vitest";
import { conditionWords, failedConditions } from "./conditions.ts";
import { type ContextKeys, requestContext } from "./context.ts";
import { Problems } from "./problems.ts";
import { readConditions } from "./read-conditions.ts";

const read = (block: object) => {
  const problems = new Problems();
  const conditions = readConditions(block as never, "Condition", problems);
  if (!problems.isEmpty()) throw new Error(JSON.stringify(problems.asResult()));
  return conditions;
};
const failed = (block: object, keys: ContextKeys) => failedConditions(read(block), requestContext(keys), "2012-10-17");

describe("condition operators", () => {
  test.each<[object, ContextKeys, boolean]>([
    [{ StringEquals: { "aws:username": "ann" } }, { "aws:username": "ann" }, true],
    [{ StringEquals: { "AWS:UserName": "ann" } }, { "aws:username": "ann" }, true],
    [{ StringEquals: { "aws:username": "Ann" } }, { "aws:username": "ann" }, false],
    [{ StringEquals: { "aws:username": ["bob", "ann"] } }, { "aws:username": "ann" }, true],
    [{ StringEquals: { "aws:username": "a*" } }, { "aws:username": "ann" }, false],
    [{ StringEquals: { "aws:username": "a*" } }, { "aws:username": "a*" }, true],
    [{ StringEquals: { "aws:username": "ann" } }, {}, false],
    [{ StringEqualsIfExists: { "aws:username": "ann" } }, {}, true],
    [{ StringNotEquals: { "aws:username": "ann" } }, {}, true],
    [{ StringNotEquals: { "aws:username": ["bob", "ann"] } }, { "aws:username": "ann" }, false],
    [{ StringEqualsIgnoreCase: { "aws:username": "ANN" } }, { "aws:username": "ann" }, true],
    [{ StringNotEqualsIgnoreCase: { "aws:username": "ANN" } }, { "aws:username": "ann" }, false],
    [{ StringLike: { "s3:prefix": ["home/", "home/a?n/*"] } }, { "s3:prefix": "home/ann/x/y" }, true],
    [{ StringLike: { "s3:prefix": "HOME/*" } }, { "s3:prefix": "home/ann" }, false],
    [{ StringNotLike: { "s3:prefix": "home/*" } }, { "s3:prefix": "home/ann" }, false],
    [{ Bool: { "aws:SecureTransport": false } }, { "aws:SecureTransport": "false" }, true],
    [{ Bool: { "aws:SecureTransport": "true" } }, { "aws:SecureTransport": "TRUE" }, true],
    [{ Bool: { "aws:MultiFactorAuthPresent": "false" } }, {}, false],
    [{ BoolIfExists: { "aws:MultiFactorAuthPresent": "false" } }, {}, true],
    [{ NumericLessThanEquals: { "s3:max-keys": "10" } }, { "s3:max-keys": "10" }, true],
    [{ NumericLessThan: { "s3:max-keys": 10 } }, { "s3:max-keys": "10" }, false],
    [{ NumericGreaterThan: { "s3:max-keys": "9" } }, { "s3:max-keys": "10" }, true],
    [{ NumericGreaterThanEquals: { "s3:max-keys": "9" } }, { "s3:max-keys": "many" }, false],
    [{ NumericEquals: { "s3:max-keys": "10.0" } }, { "s3:max-keys": "10" }, true],
    [{ NumericNotEquals: { "s3:max-keys": "10" } }, { "s3:max-keys": "11" }, true],
    [
      { DateGreaterThan: { "aws:CurrentTime": "2026-01-01T00:00:00Z" } },
      { "aws:CurrentTime": "2026-01-01T00:00:01Z" },
      true,
    ],
    [{ DateLessThan: { "aws:EpochTime": "2026-01-01T00:00:00Z" } }, { "aws:EpochTime": "1767225599" }, true],
    [{ DateLessThanEquals: { "aws:EpochTime": "1767225599" } }, { "aws:EpochTime": "1767225600" }, false],
    [{ DateEquals: { "aws:CurrentTime": "2026-01-01T01:00:00+01:00" } }, { "aws:CurrentTime": "2026-01-01" }, true],
    [{ IpAddress: { "aws:SourceIp": ["10.0.0.0/8", "203.0.113.7"] } }, { "aws:SourceIp": "10.2.3.4" }, true],
    [{ IpAddress: { "aws:SourceIp": "0.0.0.0/0" } }, { "aws:SourceIp": "203.0.113.8" }, true],
    [{ IpAddress: { "aws:SourceIp": "203.0.113.7" } }, { "aws:SourceIp": "203.0.113.8" }, false],
    [{ IpAddress: { "aws:SourceIp": "2001:db8::/32" } }, { "aws:SourceIp": "2001:DB8:1:0:0:0:0:7" }, true],
    [{ IpAddress: { "aws:SourceIp": "::ffff:0:0/96" } }, { "aws:SourceIp": "::ffff:10.0.0.1" }, true],
    [{ NotIpAddress: { "aws:SourceIp": "10.0.0.0/8" } }, { "aws:SourceIp": "10.2.3.4" }, false],
    [{ BinaryEquals: { "x:digest": "QmluYXJ5" } }, { "x:digest": "QmluYXJ5" }, true],
    [{ BinaryEquals: { "x:digest": "QmluYXJ5" } }, { "x:digest": "qmluYXJ5" }, false],
    [{ Null: { "aws:TokenIssueTime": "true" } }, {}, true],
    [{ Null: { "aws:TokenIssueTime": "false" } }, {}, false],
    [{ Null: { "aws:TokenIssueTime": "false" } }, { "aws:TokenIssueTime": "2026-01-01T00:00:00Z" }, true],
    [
      { ArnLike: { "aws:SourceArn": "arn:aws:sagemaker:*:123456789012:*" } },
      { "aws:SourceArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/a:b" },
      true,
    ],
    [{ ArnEquals: { "aws:SourceArn": "arn:aws:s3:::b*" } }, { "aws:SourceArn": "arn:aws:s3:::bucket" }, true],
    [
      { ArnLike: { "aws:SourceArn": "arn:aws:*:role/x" } },
      { "aws:SourceArn": "arn:aws:iam::123456789012:role/x" },
      false,
    ],
    [
      { ArnNotLike: { "aws:PrincipalArn": "arn:aws:iam::123456789012:role/a*" } },
      { "aws:PrincipalArn": "arn:aws:iam::123456789012:role/b" },
      true,
    ],
    // Two keys, two operators: all must hold.
    [{ StringEquals: { "a:x": "1", "a:y": "2" } }, { "a:x": "1", "a:y": "3" }, false],
    [{ StringEquals: { "a:x": "1" }, Bool: { "a:y": "true" } }, { "a:x": "1", "a:y": "false" }, false],
  ])("%j with %j: %s", (block, keys, holds) => {
    expect(failed(block, keys).length === 0).toBe(holds);
  });

  test.each<[object, ContextKeys, boolean]>([
    [{ "ForAllValues:StringEquals": { "aws:TagKeys": ["a", "b"] } }, { "aws:TagKeys": ["a", "b"] }, true],
    [{ "ForAllValues:StringEquals": { "aws:TagKeys": ["a", "b"] } }, { "aws:TagKeys": ["a", "c"] }, false],
    [{ "ForAllValues:StringEquals": { "aws:TagKeys": ["a"] } }, { "aws:TagKeys": [] }, true],
    [{ "ForAllValues:StringEquals": { "aws:TagKeys": ["a"] } }, {}, true],
    [{ "ForAnyValue:StringEquals": { "aws:TagKeys": ["a", "b"] } }, { "aws:TagKeys": ["c", "b"] }, true],
    [{ "ForAnyValue:StringEquals": { "aws:TagKeys": ["a"] } }, { "aws:TagKeys": [] }, false],
    [{ "ForAnyValue:StringEquals": { "aws:TagKeys": ["a"] } }, {}, false],
    [{ "ForAnyValue:StringNotEquals": { "aws:TagKeys": ["a"] } }, { "aws:TagKeys": ["a", "b"] }, true],
    [{ "ForAllValues:StringNotEquals": { "aws:TagKeys": ["a"] } }, { "aws:TagKeys": ["a", "b"] }, false],
    [{ "forallvalues:stringlike": { "aws:TagKeys": ["team*"] } }, { "aws:TagKeys": ["team-a", "team-b"] }, true],
    [{ "ForAnyValue:StringEqualsIfExists": { "aws:TagKeys": ["a"] } }, {}, true],
  ])("set operators: %j with %j: %s", (block, keys, holds) => {
    expect(failed(block, keys).length === 0).toBe(holds);
  });

  test("variables take the request's values as they are, and the default where there is none", () => {
    const block = { StringLike: { "s3:prefix": "${aws:PrincipalTag/team, 'none'}/${*}/*" } };
    expect(failed(block, { "s3:prefix": "ml/*/x", "aws:principaltag/TEAM": "ml" })).toEqual([]);
    expect(failed(block, { "s3:prefix": "ml/a/x", "aws:PrincipalTag/team": "ml" })).toHaveLength(1);
    expect(failed(block, { "s3:prefix": "none/*/x" })).toEqual([]);
    expect(failed(block, { "s3:prefix": "mla/*/x", "aws:PrincipalTag/team": "ml?" })).toHaveLength(1);
  });

  test("a variable without a value matches nothing, and in a 2008 policy it is plain text", () => {
    const conditions = read({ StringEquals: { "s3:prefix": "${aws:username}" } });
    const with2008 = failedConditions(conditions, requestContext({ "s3:prefix": "${aws:username}" }), "2008-10-17");
    expect(with2008).toEqual([]);
    expect(failedConditions(conditions, requestContext({ "s3:prefix": "" }), "2012-10-17")).toHaveLength(1);
  });

  test("what failed is said with the values of both sides", () => {
    const [first] = failed(
      { StringEquals: { "kms:ViaService": "SageMaker.us-east-1.amazonaws.com" } },
      { "kms:ViaService": "sagemaker.us-east-1.amazonaws.com" },
    );
    expect(conditionWords(first!)).toBe(
      'StringEquals kms:ViaService "SageMaker.us-east-1.amazonaws.com": the request has "sagemaker.us-east-1.amazonaws.com"',
    );
    const [absent] = failed({ Bool: { "kms:GrantIsForAWSResource": "true" } }, {});
    expect(conditionWords(absent!)).toContain("the request does not have the key");
  });
});
