import { describe, expect, test } from "vitest";
import type { PolicyKind } from "./policy.ts";
import { problemText } from "./problems.ts";
import { readPolicy } from "./read-policy.ts";

const ACCOUNT = "123456789012";
const OK = { Effect: "Allow", Action: "s3:GetObject", Resource: "*" };
const RESOURCE = { ...OK, Principal: "*" };
const TRUST = { Effect: "Allow", Principal: { Service: "sagemaker.amazonaws.com" }, Action: "sts:AssumeRole" };
const document = (...statements: unknown[]) => JSON.stringify({ Version: "2012-10-17", Statement: statements });

describe("policies that AWS takes", () => {
  test.each<[PolicyKind, unknown]>([
    ["identity", { Version: "2012-10-17", Statement: OK }],
    [
      "identity",
      {
        Statement: [
          { ...OK, Action: ["s3:*", "SageMaker:AddTags"], Resource: ["arn:aws:s3:::b/*", "arn:aws-cn:s3:::b"] },
        ],
      },
    ],
    [
      "identity",
      {
        Version: "2012-10-17",
        Id: "x",
        Statement: [{ ...OK, Sid: "A1", Resource: "arn:aws:iam::${aws:PrincipalAccount}:role/x" }],
      },
    ],
    [
      "identity",
      { Version: "2012-10-17", Statement: [{ ...OK, Condition: { Bool: { "aws:SecureTransport": true } } }] },
    ],
    // The tutorial's resource, an ARN inside an ARN.
    [
      "identity",
      {
        Version: "2012-10-17",
        Statement: [
          { ...OK, Action: "iam:PassRole", Resource: `arn:aws:iam::${ACCOUNT}:role/arn:aws:iam::${ACCOUNT}:role/x` },
        ],
      },
    ],
    ["trust", { Version: "2012-10-17", Statement: [TRUST] }],
    [
      "trust",
      {
        Version: "2012-10-17",
        Statement: [
          {
            ...TRUST,
            Principal: { AWS: [ACCOUNT, `arn:aws:iam::${ACCOUNT}:user/a/b`] },
            Action: ["sts:AssumeRole", "sts:TagSession"],
          },
        ],
      },
    ],
    [
      "trust",
      {
        Version: "2012-10-17",
        Statement: [
          {
            ...TRUST,
            Principal: { Federated: `arn:aws:iam::${ACCOUNT}:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/X` },
            Action: "sts:AssumeRoleWithWebIdentity",
          },
        ],
      },
    ],
    ["resource", { Version: "2012-10-17", Statement: [{ ...RESOURCE, Sid: "Enable IAM User Permissions" }] }],
    // ECR's repository policies name no resource.
    [
      "resource",
      {
        Version: "2012-10-17",
        Statement: [{ Effect: "Allow", Principal: { AWS: ACCOUNT }, Action: ["ecr:BatchGetImage"] }],
      },
    ],
  ])("%s %j", (kind, given) => {
    expect(readPolicy(JSON.stringify(given), kind).problems).toEqual([]);
  });

  test("every element is read, with its place", () => {
    const { policy } = readPolicy(
      document(OK, {
        Sid: "Two",
        Effect: "Deny",
        NotAction: "iam:*",
        NotResource: ["arn:aws:s3:::b"],
        Condition: { Null: { "aws:a b": false } },
      }),
      "identity",
    );
    expect(policy?.statements[1]).toEqual({
      sid: "Two",
      index: 1,
      path: "Statement[1]",
      effect: "Deny",
      actions: { not: true, patterns: ["iam:*"] },
      resources: { not: true, patterns: ["arn:aws:s3:::b"] },
      principals: undefined,
      conditions: [
        { operator: "Null", key: "aws:a b", values: ["false"], path: 'Statement[1].Condition.Null["aws:a b"]' },
      ],
    });
  });
});

describe("policies that AWS refuses", () => {
  test.each<[PolicyKind, string, string, string]>([
    ["identity", "{", "The policy is not in the valid JSON format.", ""],
    ["trust", "{", "This policy contains invalid Json", ""],
    ["identity", "[]", "Syntax errors in policy.", ""],
    [
      "identity",
      JSON.stringify({ Version: "2026-01-01", Statement: OK }),
      "The policy must contain a valid version string",
      "Version",
    ],
    ["identity", JSON.stringify({ Version: "2012-10-17" }), "Syntax errors in policy.", "Statement"],
    ["identity", document({ ...OK, Actions: [] }), "Syntax errors in policy.", "Statement[0].Actions"],
    ["identity", document({ ...OK, Effect: "allow" }), "Syntax errors in policy.", "Statement[0].Effect"],
    [
      "identity",
      document({ Effect: "Allow", Resource: "*" }),
      "Policy statement must contain actions.",
      "Statement[0].Action",
    ],
    [
      "identity",
      document({ Effect: "Allow", Action: "s3:*" }),
      "Policy statement must contain resources.",
      "Statement[0].Resource",
    ],
    ["identity", document({ ...OK, NotAction: "s3:*" }), "Syntax errors in policy.", "Statement[0].NotAction"],
    [
      "identity",
      document({ ...OK, Action: ["s3:*", "GetObject"] }),
      "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
      "Statement[0].Action[1]",
    ],
    ["identity", document({ ...OK, Action: "s3*:Get" }), "Vendor s3* is not valid", "Statement[0].Action"],
    [
      "identity",
      document({ ...OK, Resource: "bucket" }),
      'Resource bucket must be in ARN format or "*".',
      "Statement[0].Resource",
    ],
    [
      "identity",
      document({ ...OK, Resource: "<ARN-OF-KMS-KEY>" }),
      'Resource <ARN-OF-KMS-KEY> must be in ARN format or "*".',
      "Statement[0].Resource",
    ],
    [
      "identity",
      document({ ...OK, Resource: "arn:aws:s3" }),
      "The policy failed legacy parsing",
      "Statement[0].Resource",
    ],
    [
      "identity",
      document({ ...OK, Resource: "arn:amazon:s3:::b" }),
      'Partition "amazon" is not valid for resource "arn:amazon:s3:::b".',
      "Statement[0].Resource",
    ],
    [
      "identity",
      document({ ...OK, Resource: "arn:aws:iam:us-east-1:1:role/x" }),
      "IAM resource arn:aws:iam:us-east-1:1:role/x cannot contain region information.",
      "Statement[0].Resource",
    ],
    [
      "identity",
      document({ ...OK, Principal: "*" }),
      "Policy document should not specify a principal.",
      "Statement[0].Principal",
    ],
    [
      "identity",
      document({ ...OK, Sid: "a-b" }),
      "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
      "Statement[0].Sid",
    ],
    [
      "identity",
      document({ ...OK, Sid: "a" }, { ...OK, Sid: "a" }),
      "Statement IDs (SID) in a single policy must be unique.",
      "Statement[1].Sid",
    ],
    [
      "identity",
      document({ ...OK, Condition: { StringEqual: { "aws:x": "y" } } }),
      "Invalid Condition type : StringEqual.",
      "Statement[0].Condition.StringEqual",
    ],
    [
      "identity",
      document({ ...OK, Condition: { Bool: { "aws:x": "yes" } } }),
      "Syntax errors in policy.",
      'Statement[0].Condition.Bool["aws:x"]',
    ],
    [
      "identity",
      document({ ...OK, Condition: { IpAddress: { "aws:SourceIp": "10.0.0.0/40" } } }),
      "Syntax errors in policy.",
      'Statement[0].Condition.IpAddress["aws:SourceIp"]',
    ],
    [
      "trust",
      document({ Effect: "Allow", Action: "sts:AssumeRole" }),
      "Missing required field Principal",
      "Statement[0].Principal",
    ],
    ["trust", document({ ...TRUST, Resource: "*" }), "Has prohibited field Resource", "Statement[0].Resource"],
    [
      "trust",
      document({ ...TRUST, Action: "s3:GetObject" }),
      "AssumeRole policy may only specify STS AssumeRole actions.",
      "Statement[0].Action",
    ],
    [
      "trust",
      document({ ...TRUST, Principal: { AWS: "ann" } }),
      'Invalid principal in policy: "AWS":"ann"',
      "Statement[0].Principal.AWS",
    ],
    [
      "trust",
      document({ ...TRUST, Principal: { AWS: `arn:aws:iam::${ACCOUNT}:role/a*` } }),
      `Invalid principal in policy: "AWS":"arn:aws:iam::${ACCOUNT}:role/a*"`,
      "Statement[0].Principal.AWS",
    ],
    ["resource", document(OK), "Missing required field Principal", "Statement[0].Principal"],
  ])("%s %s: %s", (kind, text, aws, path) => {
    const [problem] = readPolicy(text, kind).problems;
    expect(problem).toMatchObject({ aws, path });
    expect(problem?.cure).not.toBe("");
  });

  test("all problems are found, each with a cure", () => {
    const { problems } = readPolicy(
      document({ Effect: "Alow", Action: "GetObject", Resource: "b", Condition: { StringEqual: {} } }),
      "identity",
    );
    expect(problems.map(problemText)).toEqual([
      'Statement[0].Effect: "Alow" is no effect (write "Allow" or "Deny", in this case)',
      'Statement[0].Action: "GetObject" does not have the form service:Operation (write "service:GetObject")',
      'Statement[0].Resource: "b" is no ARN (write arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE, or "*")',
      'Statement[0].Condition.StringEqual: "StringEqual" is no condition operator (write StringEquals)',
    ]);
  });
});
